# SPDX-License-Identifier: Apache-2.0
"""The daemon dies at every moment of every call of the driver, and the work gets done."""

import itertools

import pytest

from tests.crash.volumes.casts import CASTS


@pytest.fixture
def site(volume_sites, urls):
    site = volume_sites(urls("sqlite"))
    site.start()
    site.daemon.wait_ready()
    return site


def die_at_each(site, cast, moment):
    """Have the daemon die at the first moment of the call, the second ...; return how many."""
    for number in itertools.count(1):
        ask = cast(site)
        site.order(CASTS[cast], number, moment)
        uuid = ask()
        site.wait_settled()
        site.check()
        operation = site.daemon.operation(uuid)
        assert operation["state"] == "succeeded", operation["error"]
        if not site.has_died():
            return number - 1
        site.forget()


@pytest.mark.parametrize("cast", CASTS, ids=lambda cast: cast.__name__)
def test_a_daemon_that_dies_right_before_any_change_or_command_ends_the_work_and_loses_no_byte(
    site, cast
):
    assert die_at_each(site, cast, "before") > 0


@pytest.mark.parametrize("cast", CASTS, ids=lambda cast: cast.__name__)
def test_a_daemon_that_dies_while_its_command_goes_on_ends_the_work_and_loses_no_byte(site, cast):
    assert die_at_each(site, cast, "during") >= 0
