# SPDX-License-Identifier: Apache-2.0
"""An operation that kills the process whenever it runs, as a driver's native library may."""

import re
from pathlib import Path

from tests.crash.count import NOTHING_WRONG
from tests.crash.drivers import POISON
from tests.fixtures.daemon import poll

NEIGHBOURS = 40
STARTS = 3


def test_an_operation_that_kills_the_daemon_is_parked_and_takes_no_other_with_it(sites, urls):
    site = sites(urls("sqlite"), ours={"max_dispatches": STARTS}, backend={"scripted_delay": 0.1})
    site.ask(site.creations(NEIGHBOURS // 2))
    (poison,) = site.ask(site.creations(1))
    site.ask(site.creations(NEIGHBOURS // 2))
    Path(site.calls.path + POISON).write_text(poison.driver_id)
    site.start()
    # Its parent starts the process again and again, after a pause of 5 s at times.
    poll(site.settled, "the end of all operations", 60)
    found = site.count()
    assert [re.sub(r"dead: .*", "dead", text) for text in found.failed] == [
        f"create_share_instance {poison.resource_id}: dead"
    ]
    found.failed = []
    assert found == NOTHING_WRONG
