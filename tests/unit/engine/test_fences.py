# SPDX-License-Identifier: Apache-2.0
"""Fences: a worker that was taken over writes nothing and begins nothing."""

import sqlalchemy as sa

from manila_lite.engine import Pending
from tests.support.engine import Bench, applying


def _two_steps(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("first", op.env.do, (key, 1))
        op.step("second", op.env.do, (key, 2))


def test_a_worker_that_was_taken_over_writes_nothing_more(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("effect", op.env.do, "effect")
        op.finish(applying(f"by {op.owner}"))

    slow, quick = bench.worker(), bench.worker()
    uuid = slow.cast("make", key="a")
    slow.claim()
    taken = []

    def take_over(name):
        if not taken:
            taken.append(bench.expire(slow))
            quick.run_until_idle()

    bench.back_end.before = take_over
    slow.run_one()

    assert taken == [1]
    assert bench.state(uuid) == "succeeded"
    assert bench.applied() == [f"by {quick.worker.id}"]
    assert bench.row(uuid)["owner"] == quick.worker.id


def test_a_worker_that_was_taken_over_begins_no_further_effect(bench: Bench):
    _two_steps(bench)
    slow = bench.worker()
    slow.cast("make", key="a")
    slow.claim()
    bench.back_end.before = lambda name: bench.expire(slow) if name[1] == 1 else None
    slow.run_one()

    assert bench.back_end.calls == [("a", 1)]


def test_an_owner_that_lost_and_claimed_again_is_told_apart_by_the_fence(bench: Bench):
    _two_steps(bench)
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    old = worker.claim()[0]
    worker.jobs.clear()
    with bench.database.writer() as connection:
        connection.execute(
            sa.text("UPDATE lite_operations SET state = 'queued', owner = NULL, revision = 0")
        )
    worker.claim()
    assert old["fence"] + 1 == bench.row(uuid)["fence"]
    worker.runner.run_claimed(old)

    assert bench.back_end.calls == []
    worker.run_until_idle()
    assert bench.state(uuid) == "succeeded"


def test_a_suspended_operation_that_was_taken_over_is_not_resumed_here(bench: Bench):
    answers = [Pending(), "over", "over"]

    @bench.flow
    def wait(op, key):
        op.wait("long", lambda: answers.pop(0))
        op.step("end", op.env.do, "end")

    slow, quick = bench.worker(), bench.worker()
    uuid = slow.cast("wait", key="a")
    slow.run_until_idle()
    bench.expire(slow)
    bench.clock.advance(5)
    slow.run_until_idle()
    assert bench.state(uuid) == "queued"
    quick.run_until_idle()

    assert bench.back_end.calls == ["end"]
    assert bench.state(uuid) == "succeeded"
