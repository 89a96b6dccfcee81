# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: options are read anew, under load."""

from manila_lite.db import workers
from tests.crash.count import NOTHING_WRONG
from tests.crash.site import Background
from tests.fixtures.daemon import poll

BEFORE, DURING = 40, 60
RELOADS = 10


def test_reloading_under_load_loses_no_cast_and_keeps_the_worker(sites, urls, rabbitmq):
    site = sites(
        urls("postgresql"),
        broker=rabbitmq,
        default={"debug": False},
        ours={"operation_threads": 8},
        backend={"scripted_delay": 0.2},
    )
    site.ask(site.creations(BEFORE))
    site.start()
    site.daemon.wait_ready()
    worker = active(site)
    site.daemon.configure("debug", True)
    casting = Background(site, DURING)
    for number in range(1, RELOADS + 1):
        done = site.finished()
        site.daemon.reload()
        poll(lambda done=done: site.finished() > done + 3, f"work after reload {number}")
    casting.join()
    poll(site.settled, "the end of all operations")
    assert site.count() == NOTHING_WRONG
    assert active(site) == worker
    assert b" DEBUG " in site.daemon.log.read_bytes()


def active(site):
    found = site.database.run(lambda c: workers.active(c, site.daemon.host), write=False)
    return [(row["id"], row["pid"]) for row in found]
