# SPDX-License-Identifier: Apache-2.0
"""Two workers serve one back end: one queue, one database, one storage."""

import pytest

from tests.crash.count import NOTHING_WRONG
from tests.fixtures.daemon import poll

CASTS = 80
THREADS = 8
CALL_SECONDS = 0.5
LEASE = 2


@pytest.fixture
def pair(sites, urls, rabbitmq):
    """Two daemons of the same host; the first one has the casts."""
    options = {
        "broker": rabbitmq,
        "ours": {"operation_threads": THREADS, "lease_seconds": LEASE},
        "backend": {"scripted_delay": CALL_SECONDS},
    }
    first = sites(urls("postgresql"), **options)
    name = first.daemon.host.partition("@")[0]
    second = sites(urls("postgresql"), host=name, calls=first.calls.path, **options)
    first.ask(first.creations(CASTS))
    return first, second


def callers(site):
    """How many processes called the driver."""
    return len({entry["pid"] for entry in site.calls.entries(phase="end")})


def test_the_other_one_takes_over_whichever_of_two_workers_is_killed(pair):
    first, second = pair
    for site in pair:
        site.start()
    for site in pair:
        site.daemon.wait_ready()
    poll(lambda: callers(first) == 2, "work of both")
    first.kill()
    poll(lambda: first.finished() >= CASTS // 3, "a third of the work")
    # The one that comes back finds the other one's work when that is killed in its turn.
    first.start()
    first.daemon.wait_ready()
    second.kill()
    poll(first.settled, "the end of all operations")
    first.deaths += second.deaths
    assert first.count() == NOTHING_WRONG


def test_a_worker_that_was_paused_beyond_its_lease_does_nothing_of_what_others_have_done(pair):
    first, second = pair
    first.start()
    poll(lambda: len(first.under_way()) == THREADS, "a call in each thread")
    # Now, while all are in the middle of a call and no step is between its intent and its call.
    first.daemon.pause()
    second.start()
    poll(first.settled, "the end of all operations by the other worker", 60)
    first.daemon.resume()
    poll(lambda: b"was declared lost while it lived" in first.daemon.log.read_bytes(),
         "the notice that it had been given up")  # fmt: skip
    late = first.creations(THREADS)
    first.ask(late)
    poll(first.settled, "the end of what came later")
    assert first.count() == NOTHING_WRONG


def test_a_daemon_whose_parent_alone_is_killed_gives_way_to_the_next_one(pair):
    first, second = pair
    first.start()
    poll(lambda: len(first.under_way()) == THREADS, "a call in each thread")
    first.daemon.kill_parent()
    second.start()
    poll(first.settled, "the end of all operations")
    assert first.count() == NOTHING_WRONG
