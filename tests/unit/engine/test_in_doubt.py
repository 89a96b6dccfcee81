# SPDX-License-Identifier: Apache-2.0
"""Steps in doubt: the probe is asked, again and again if need be, before anything is repeated."""

import pytest

from manila_lite import exception
from manila_lite.engine import AGAIN, Done
from tests.support.engine import Bench, Crash, applying


def _crash_in_effect(bench: Bench, **settings) -> str:
    """Cast and let the worker die while the effect takes place; return the operation."""
    worker = bench.worker(**settings)
    found = worker.cast("make", key="a")
    worker.claim()
    normal, bench.back_end.before = bench.back_end.before, _raise_crash
    with pytest.raises(Crash):
        worker.run_one()
    bench.back_end.before = normal
    bench.crash(worker)
    return found


def _raise_crash(name):
    raise Crash


def _fail_once(which, error):
    left = [error]

    def before(name):
        if name == which and left:
            raise left.pop()

    return before


def _probing_flow(bench: Bench, answer, retry=None):
    """A flow of one step whose probe calls answer()."""
    results = []

    @bench.flow
    def make(op, key):
        results.append(op.step("effect", op.env.do, "effect", 1, probe=answer, retry=retry))

    return results


def test_a_probe_that_says_done_stands_for_the_step(bench: Bench):
    results = _probing_flow(bench, lambda: Done({"id": 5}))
    uuid = _crash_in_effect(bench)
    bench.worker().run_until_idle()

    assert bench.back_end.calls == []
    assert results == [{"id": 5}]
    assert bench.state(uuid) == "succeeded"


def test_a_probe_that_says_again_lets_the_step_run(bench: Bench):
    results = _probing_flow(bench, lambda: AGAIN)
    uuid = _crash_in_effect(bench)
    bench.worker().run_until_idle()

    assert bench.back_end.calls == ["effect"]
    assert results == [1]
    assert bench.state(uuid) == "succeeded"


def test_a_probe_that_raises_a_final_error_fails_the_operation(bench: Bench):
    def answer():
        raise exception.ManilaException("half made and not to be mended")

    _probing_flow(bench, answer, retry="driver")
    uuid = _crash_in_effect(bench)
    bench.worker().run_until_idle()

    assert bench.back_end.calls == []
    assert bench.state(uuid) == "failed"
    assert "half made" in bench.row(uuid)["error"]


@pytest.mark.parametrize(
    "error", [exception.BackendBusy(reason="starting"), TimeoutError("no answer")]
)
def test_a_probe_that_cannot_tell_yet_is_asked_again_before_anything_is_repeated(
    bench: Bench, error
):
    asked = []

    def answer():
        asked.append(bench.clock.monotonic())
        if len(asked) < 3:
            raise error
        return Done("found")

    results = _probing_flow(bench, answer, retry="driver")
    uuid = _crash_in_effect(bench)
    worker = bench.worker()
    for _ in range(10):
        worker.run_until_idle()
        bench.clock.advance(30)

    assert bench.back_end.calls == []
    assert results == ["found"]
    assert len(asked) == 3
    assert bench.state(uuid) == "succeeded"


def test_a_probe_that_never_can_tell_ends_with_the_retry_policy(bench: Bench):
    asked = []

    def answer():
        asked.append(bench.clock.monotonic())
        raise exception.BackendBusy(reason="for ever")

    @bench.flow
    def make(op, key):
        op.step("effect", op.env.do, "effect", probe=answer, retry=_three_tries())

    uuid = _crash_in_effect(bench)
    worker = bench.worker()
    for _ in range(20):
        worker.run_until_idle()
        bench.clock.advance(100)

    assert bench.state(uuid) == "failed"
    assert bench.back_end.calls == []
    assert len(asked) <= 3


def test_without_a_probe_the_policy_retry_runs_the_step_again(bench: Bench):
    @bench.flow
    def make(op, key):
        op.step("effect", op.env.do, "effect")

    uuid = _crash_in_effect(bench)
    bench.worker(interrupted_operation_policy="retry").run_until_idle()

    assert bench.back_end.calls == ["effect"]
    assert bench.state(uuid) == "succeeded"


def test_without_a_probe_the_policy_error_fails_the_operation_with_the_hooks_writes(bench: Bench):
    @bench.flow(on_failure=lambda op, error, key: [applying(f"error {key}")])
    def make(op, key):
        op.step("effect", op.env.do, "effect")

    uuid = _crash_in_effect(bench)
    bench.worker(interrupted_operation_policy="error").run_until_idle()

    assert bench.back_end.calls == []
    assert bench.state(uuid) == "failed"
    assert "effect" in bench.row(uuid)["error"]
    assert bench.applied() == ["error a"]


@pytest.mark.parametrize("policy", ["retry", "error"])
def test_a_probe_goes_before_the_policy(bench: Bench, policy):
    _probing_flow(bench, lambda: Done("found"))
    uuid = _crash_in_effect(bench)
    bench.worker(interrupted_operation_policy=policy).run_until_idle()

    assert bench.back_end.calls == []
    assert bench.state(uuid) == "succeeded"


def test_a_driver_that_timed_out_is_probed_before_it_is_called_again(bench: Bench):
    _probing_flow(bench, lambda: Done("it was made"), retry="driver")
    bench.back_end.fail_with(TimeoutError("no answer"))
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()
    bench.clock.advance(60)
    worker.run_until_idle()

    assert bench.back_end.calls == []
    assert bench.state(uuid) == "succeeded"


def test_a_transient_error_is_repeated_without_a_probe(bench: Bench):
    asked = []
    _probing_flow(bench, lambda: asked.append(1), retry="driver")
    bench.back_end.fail_with(exception.BackendBusy(reason="later"))
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()
    bench.clock.advance(60)
    worker.run_until_idle()

    assert asked == []
    assert bench.back_end.calls == ["effect"]
    assert bench.state(uuid) == "succeeded"


def test_a_step_given_up_in_doubt_is_probed_when_somebody_asks_for_a_retry(bench: Bench):
    _probing_flow(bench, lambda: Done("it was made"))
    bench.back_end.fail_with(TimeoutError("no answer"))
    worker = bench.worker()
    uuid = worker.cast("make", key="a")
    worker.run_until_idle()
    assert bench.state(uuid) == "failed"

    assert bench.retry(uuid)
    worker.run_until_idle()

    assert bench.back_end.calls == []
    assert bench.state(uuid) == "succeeded"


def _three_tries():
    import tenacity

    from manila_lite.engine import RetryPolicy

    return RetryPolicy("three", tenacity.wait_fixed(5), tenacity.stop_after_attempt(3))
