# SPDX-License-Identifier: Apache-2.0
"""The machine's clock, as far as it differs from the library's."""

import time

from manila_lite.clock import SystemClock


def test_time_in_which_the_machine_was_suspended_counts(monkeypatch):
    seconds = {time.CLOCK_BOOTTIME: 500.0, time.CLOCK_MONOTONIC: 100.0}
    monkeypatch.setattr(time, "clock_gettime", seconds.__getitem__)
    monkeypatch.setattr(time, "monotonic", lambda: seconds[time.CLOCK_MONOTONIC])

    assert SystemClock().monotonic() == 500.0
