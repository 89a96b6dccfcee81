# SPDX-License-Identifier: Apache-2.0
"""The scripted driver: delays, failures and the journal of calls."""

import os

import pytest

from manila_lite import exception
from manila_lite.testing import drivers, models
from manila_lite.testing.clock import ManualClock


def scripted(cls=drivers.ScriptedDriver, **options):
    clock = ManualClock()

    def build(configuration):
        return cls(configuration=configuration, clock=clock)

    return models.driver(build, drivers.OPTS, **options), clock


def test_each_call_takes_as_long_as_its_option_says():
    driver, clock = scripted(scripted_delay=2.0, scripted_delays={"delete_share": "0.5"})

    driver.create_share(None, models.share())
    assert clock.monotonic() == 2.0
    driver.delete_share(None, models.share())
    assert clock.monotonic() == 2.5


def test_the_slow_driver_takes_half_a_second_unless_told_otherwise():
    slow, clock = scripted(drivers.SlowDriver)
    slow.create_share(None, models.share())
    assert clock.monotonic() == 0.5

    told, clock = scripted(drivers.SlowDriver, scripted_delay=3.0)
    told.create_share(None, models.share())
    assert clock.monotonic() == 3.0


def test_a_failure_is_raised_as_often_as_it_was_told():
    driver, _ = scripted(scripted_failures={"create_share": "BackendBusy*2"})
    share = models.share()

    for _ in range(2):
        with pytest.raises(exception.BackendBusy):
            driver.create_share(None, share)
    assert driver.create_share(None, share)


def test_the_journal_counts_calls_across_drivers(tmp_path):
    journal, share = tmp_path / "calls", models.share()
    for _ in range(2):
        driver, _ = scripted(
            scripted_journal=str(journal), scripted_failures={"delete_share": "InvalidShare*1"}
        )
        driver.create_share(None, share)
    with pytest.raises(exception.InvalidShare):
        driver.delete_share(None, share)
    later, _ = scripted(
        scripted_journal=str(journal), scripted_failures={"delete_share": "InvalidShare*1"}
    )
    later.delete_share(None, share)

    calls = drivers.CallJournal(str(journal))
    assert len(calls.entries(method="create_share", id=share["id"], phase="end")) == 2
    assert len(calls.entries(method="delete_share", phase="begin")) == 2
    assert len(calls.entries(method="delete_share", phase="end")) == 1
    assert {entry["pid"] for entry in calls.entries()} == {os.getpid()}


def test_no_call_leaves_no_journal(tmp_path):
    assert drivers.CallJournal(str(tmp_path / "calls")).entries() == []
