# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.engine.commits import CommitterStopped, FenceLost
from manila_lite.engine.outcomes import (
    AGAIN,
    DEFAULT_SCHEDULE,
    ERRORS,
    Cancelled,
    Drained,
    Schedule,
    Suspended,
)


@pytest.mark.parametrize(
    ("elapsed", "delay"), [(0, 1), (9.9, 1), (10, 2), (19, 2), (20, 5), (60, 10), (7200, 10)]
)
def test_the_default_schedule_grows_from_1_to_10_seconds(elapsed, delay):
    assert DEFAULT_SCHEDULE.delay(elapsed) == delay


def test_a_schedule_that_begins_later_uses_its_first_interval_until_then():
    assert Schedule(((5, 3), (10, 4))).delay(0) == 3


def test_the_engines_signals_are_no_errors_that_a_flow_or_a_driver_could_catch():
    for signal in (Suspended, Drained, Cancelled, FenceLost, CommitterStopped):
        assert not issubclass(signal, ERRORS)


def test_again_can_be_read_in_a_log():
    assert repr(AGAIN) == "AGAIN"
