# SPDX-License-Identifier: Apache-2.0
"""The daemon dies at named points of the engine, with work on many volumes under way."""

import re

import pytest

from manila_lite.engine import crashpoints
from tests.crash.volumes import casts
from tests.fixtures.daemon import poll

# One pass of each kind is one claim and one commit: so that a later pass is reached.
SMALL_STEPS = {"claim_batch": 1, "operation_threads": 4}
SIGKILLED = re.compile(rb"killed by signal (-9|SIGKILL)")
LATER = 5
# No message is acknowledged without a broker, and no operation on a detached volume waits.
POINTS = [name for name in crashpoints.NAMES if not name.startswith(("acknowledge", "wait"))]
MIXED = [
    casts.create, casts.clone_of_a_chain, casts.from_snapshot, casts.from_image,
    casts.extend_a_chain, casts.snapshot, casts.delete_middle_snapshot, casts.revert, casts.upload,
    casts.migrate, casts.delete,
]  # fmt: skip


def die_at(site, name, passed):
    """Start the daemon and have it die there; nothing of it runs afterwards."""
    before = len(SIGKILLED.findall(site.daemon.log.read_bytes()))
    site.start(**{crashpoints.VARIABLE: f"{name}:{passed}"})
    poll(
        lambda: len(SIGKILLED.findall(site.daemon.log.read_bytes())) > before,
        f"death at {name}:{passed}",
        60,
    )
    site.daemon.kill()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("name", POINTS)
def test_after_a_death_there_rows_files_and_data_agree_and_all_work_is_done(
    name, kind, volume_sites, urls
):
    site = volume_sites(urls(kind), ours=SMALL_STEPS)
    site.start()
    site.daemon.wait_ready()
    prepared = [cast(site) for cast in MIXED]
    site.daemon.kill()
    asked = [ask() for ask in prepared]
    # Without a broker, the daemon journals only what it starts itself.
    for passed in (1,) if name.startswith("journal") else (1, LATER):
        die_at(site, name, passed)
    site.start()
    site.wait_settled()
    site.check()
    states = {site.daemon.operation(uuid)["state"] for uuid in asked}
    assert states == {"succeeded"}
