# SPDX-License-Identifier: Apache-2.0
"""The service killed at each command of a set-up or a removal of a share server."""

import functools
import os
import signal
import subprocess

import pytest

from manila_lite import process
from manila_lite.testing import kills
from tests.fixtures.namespaces import info
from tests.functional.exports.rules import ip
from tests.functional.namespaces.helpers import assert_nothing_left, assert_up, share_on

FEWEST = 12
every_kill = functools.partial(kills.every_kill, changes=kills.COMMANDS)


@pytest.fixture
def network():
    return info("10.9.0.10")


@pytest.fixture
def server(driver, network):
    """What is known of it: nothing has been made yet."""
    details = {"server_id": network[0]["server_id"]}
    namespace = f"manila-lite-{details['server_id']}"
    return {"id": details["server_id"], "backend_details": {**details, "namespace": namespace}}


def tear_down(driver, server):
    driver.teardown_server(server_details=server["backend_details"], security_services=[])


def test_a_set_up_that_was_killed_is_finished_by_the_next(site, driver, network, server):
    points = 0
    for _ in every_kill(lambda: driver.setup_server(network, metadata={})):
        points += 1
        details = driver.setup_server(network, metadata={})
        assert details["namespace"] == server["backend_details"]["namespace"]
        assert_up(site, server)
        tear_down(driver, server)
        assert_nothing_left(site, server)
    assert points > FEWEST
    assert_up(site, server)


def test_a_set_up_that_was_killed_is_cleared_up(site, driver, network, server):
    points = 0
    for _ in every_kill(lambda: driver.setup_server(network, metadata={})):
        points += 1
        tear_down(driver, server)
        assert_nothing_left(site, server)
    assert points > FEWEST


@pytest.mark.parametrize("held", ["dbus-daemon", "nsenter"])
@pytest.mark.parametrize("again", ["set up", "tear down"])
def test_a_process_that_starts_while_the_service_dies(site, driver, network, server, held, again):
    def die_starting(*command, **settings):
        if command[0] == held:
            subprocess.Popen(command, env={**os.environ, **settings.get("env", {})})
            os.kill(os.getpid(), signal.SIGKILL)
        return process.execute(*command, **settings)

    def set_up():
        driver.set_execute(die_starting)
        driver.setup_server(network, metadata={})

    assert kills.killed_before(10_000, set_up)
    if again == "set up":
        driver.setup_server(network, metadata={})
        assert_up(site, server)
    tear_down(driver, server)
    assert_nothing_left(site, server)


def test_a_removal_that_was_killed_is_finished_by_the_next(site, driver, network, server):
    points = 0
    driver.setup_server(network, metadata={})
    share, _ = share_on(driver, server, ip("10.9.0.100"))
    for _ in every_kill(lambda: tear_down(driver, server)):
        points += 1
        tear_down(driver, server)
        assert_nothing_left(site, server)
        driver.setup_server(network, metadata={})
        driver.ensure_share(None, share, share_server=server)
    assert points > 5
    assert_nothing_left(site, server)
