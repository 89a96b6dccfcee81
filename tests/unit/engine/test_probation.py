# SPDX-License-Identifier: Apache-2.0
"""Whose fault a crash was: operations that rest come clean, and suspects run alone."""

import contextlib

from manila_lite.engine import Pending
from tests.support.engine import Bench, Crash


def test_a_wait_outlives_any_number_of_crashes(bench: Bench):
    over = []

    @bench.flow
    def copy(op, key):
        op.wait("copied", lambda: "done" if over else Pending())

    uuid = bench.worker().cast("copy", key="a")
    for _ in range(5):
        worker = bench.worker(max_dispatches=3)
        worker.run_until_idle()
        bench.crash(worker)
        bench.clock.advance(10)
    over.append(True)
    bench.worker(max_dispatches=3).run_until_idle()
    assert bench.state(uuid) == "succeeded"


def test_a_probe_that_kills_the_worker_at_once_is_counted(bench: Bench):
    @bench.flow
    def copy(op, key):
        def probe():
            raise Crash

        op.wait("copied", probe)

    uuid = bench.worker().cast("copy", key="a")
    for _ in range(4):
        worker = bench.worker(max_dispatches=3)
        with contextlib.suppress(Crash):
            worker.run_until_idle()
        bench.crash(worker)
        bench.clock.advance(10)
    assert bench.state(uuid) == "dead"
