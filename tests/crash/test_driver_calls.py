# SPDX-License-Identifier: Apache-2.0
"""The daemon dies, or is told to stop, in the middle of every call of the driver."""

import functools

import pytest

from tests.crash.count import NOTHING_WRONG
from tests.fixtures.daemon import poll

CALLS = {
    "create_share", "create_share_from_snapshot", "extend_share", "shrink_share",
    "create_snapshot", "delete_snapshot", "update_access", "delete_share",
}  # fmt: skip
WITHOUT_PROBE = CALLS - {"create_share", "create_share_from_snapshot"}
FOR_EVER = 3600  # seconds
WITH_BROKER = {"sqlite": False, "postgresql": True, "mariadb": True}  # with a broker?


def on(*kinds):
    """Run the test on these kinds of databases."""
    return pytest.mark.parametrize("kind", kinds)


def one_of_each(site, connection):
    shares = [site.available_share(connection) for _ in range(5)]
    snapshot = site.available_snapshot(connection, shares[0])
    doomed = site.available_snapshot(connection, shares[1])
    return [
        site.create(connection),
        site.create(connection, snapshot),
        site.extend(connection, shares[2]),
        site.shrink(connection, shares[3]),
        site.snapshot(connection, shares[0]),
        site.delete_snapshot(connection, doomed),
        site.delete(connection, site.available_share(connection, rules=1)),
        site.delete(connection, shares[4]),
    ]


@pytest.fixture
def in_every_call(sites, urls, rabbitmq, kind):
    """A daemon that is in the middle of one call of each kind."""
    site = sites(
        urls(kind),
        broker=rabbitmq if WITH_BROKER[kind] else None,
        default={"graceful_shutdown_timeout": 2},
        ours={"interrupted_operation_policy": "retry"},
        backend={"scripted_delay": FOR_EVER},
    )
    site.ask(functools.partial(one_of_each, site))
    site.start()
    poll(lambda: {method for method, _ in site.under_way()} == CALLS, "a call of each kind")
    site.daemon.configure("scripted_delay", 0)
    return site


def begun_and_ended(site):
    """{method: (calls that began, calls that came to their end)}."""
    return {
        method: tuple(len(site.calls.entries(method=method, phase=p)) for p in ("begin", "end"))
        for method in CALLS
    }


@on("sqlite", "postgresql", "mariadb")
def test_calls_that_a_kill_interrupted_are_made_again_and_come_to_their_end(in_every_call):
    in_every_call.kill()
    in_every_call.start()
    poll(in_every_call.settled, "the end of all operations")
    assert in_every_call.count() == NOTHING_WRONG
    # The deletion that died while it denied access has its own call of delete_share.
    once_more = dict.fromkeys(CALLS, (2, 1)) | {"delete_share": (3, 2)}
    assert begun_and_ended(in_every_call) == once_more


@on("postgresql")
def test_calls_that_outlast_the_drain_are_made_again_after_an_orderly_stop(in_every_call):
    assert in_every_call.terminate() == 0
    in_every_call.start()
    poll(in_every_call.settled, "the end of all operations")
    assert in_every_call.count() == NOTHING_WRONG


@on("mariadb")
def test_where_the_policy_is_error_the_user_is_told_what_cannot_be_known(in_every_call):
    in_every_call.daemon.configure("interrupted_operation_policy", "error")
    in_every_call.kill()
    in_every_call.start()
    poll(in_every_call.settled, "the end of all operations")
    found = in_every_call.count()
    assert len(found.failed) == len(WITHOUT_PROBE)
    assert all("cannot be told whether it took effect" in text for text in found.failed)
    found.failed = []
    assert found == NOTHING_WRONG
