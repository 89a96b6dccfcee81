# SPDX-License-Identifier: Apache-2.0
"""The daemon dies at every named point, with everything under way, and loses nothing by it."""

import concurrent.futures

import pytest

from manila_lite.engine import crashpoints
from tests.crash.count import NOTHING_WRONG
from tests.fixtures.daemon import poll

# One pass of each kind is one message, one claim, one commit: so that a later pass is reached.
SMALL_STEPS = {"rpc_prefetch": 1, "rpc_batch_size": 1, "claim_batch": 1}
BUSY = {
    # Waits of two kinds: tries that are repeated, and copies that go on in the background.
    "scripted_failures": "create_share:BackendBusy*3,delete_share:BackendBusy*3,"
    "extend_share:BackendBusy*2",
}
AT_ONCE = "driver initial_interval=0.05 backoff_coefficient=1 maximum_interval=0.05 " \
    "maximum_attempts=20"  # fmt: skip
BY_MESSAGES = ("journal", "acknowledge")
LATER = 7


def ways(name):
    """(kind of database, with a broker?, pass) for a crash point."""
    found = [("postgresql", True, 1), ("postgresql", True, LATER)]
    if name.partition(".")[0] not in BY_MESSAGES:
        found += [("sqlite", False, 1), ("sqlite", False, LATER)]
    elif name.startswith("journal"):
        # Without a broker, the daemon journals nothing but what it starts itself.
        found += [("sqlite", False, 1)]
    if name.endswith("after_commit"):
        found += [("mariadb", True, LATER)]
    return found


def die_and_recover(site, name, passed):
    """Return what went wrong, and whether the daemon did die at the point."""
    site.ask(site.mixed)
    site.die_at(name, passed)
    poll(site.settled, f"the end of all operations after {name}:{passed}")
    return site.count()


@pytest.mark.parametrize("name", crashpoints.NAMES)
def test_a_daemon_that_dies_there_brings_everything_to_its_end_after_a_restart(
    name, sites, urls, rabbitmq
):
    runs = {
        (kind, passed): sites(
            urls(kind),
            broker=rabbitmq if with_broker else None,
            ours={**SMALL_STEPS, "retry_policy": AT_ONCE},
            backend=BUSY,
        )
        for kind, with_broker, passed in ways(name)
    }
    with concurrent.futures.ThreadPoolExecutor(len(runs)) as pool:
        futures = {
            way: pool.submit(die_and_recover, site, name, way[1]) for way, site in runs.items()
        }
    assert {way: future.result() for way, future in futures.items()} == dict.fromkeys(
        runs, NOTHING_WRONG
    )
