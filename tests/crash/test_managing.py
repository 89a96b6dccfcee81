# SPDX-License-Identifier: Apache-2.0
"""The daemon dies while it manages, unmanages and reverts, and brings all of that to its end."""

import concurrent.futures

import pytest

from manila_lite import states
from manila_lite.db import creation, models
from tests.crash.count import NOTHING_WRONG
from tests.crash.site import SIZE
from tests.fixtures.daemon import poll

POINTS = [
    "claim.after_commit", "intent.after_commit", "effect.before",
    "effect.after", "finish.before_commit", "finish.after_commit",
]  # fmt: skip
SMALL_STEPS = {"claim_batch": 1, "interrupted_operation_policy": "retry"}
FOUND = SIZE + 1  # GiB of what is managed


class Managing:
    """One operation of each kind, on shares of their own."""

    def __init__(self, site):
        self.site = site
        self.owner = {"project_id": site.project_id, "user_id": "user"}
        self.expected = {}

    def ask(self):
        asked = self.site.database.run(self._make)
        return self.site.record(asked)

    def _make(self, connection):
        site, now = self.site, self.site._clock.now()
        new = creation.new_share(
            connection, now, host=site.pool, size=0, share_proto="NFS", **self.owner,
            status=states.MANAGE_STARTING,
        )  # fmt: skip
        leaving, parent, described = (site.available_share(connection) for _ in range(3))
        reverted = site.available_share(connection)
        taken, dropped = (self._snapshot(connection, parent, s) for s in (
            states.MANAGE_STARTING, states.UNMANAGE_STARTING))  # fmt: skip
        source = self._snapshot(connection, reverted, states.RESTORING)
        self._set(connection, models.share_instances, leaving, states.UNMANAGE_STARTING)
        self._set(connection, models.share_instances, reverted, states.REVERTING)
        shares, snapshots = models.share_instances, models.share_snapshot_instances
        self.expected = {
            (shares, new["instance_id"]): "available",
            (shares, leaving["instance_id"]): "deleted",
            (shares, reverted["instance_id"]): "available",
            (snapshots, taken["instance_id"]): "available",
            (snapshots, dropped["instance_id"]): "deleted",
            (snapshots, source["instance_id"]): "available",
        }
        options = {"driver_options": {"size": str(FOUND)}}
        return [
            ("manage_share", {"share_id": new["share_id"], **options}),
            ("unmanage_share", {"share_id": leaving["share_id"]}),
            ("manage_snapshot", {"snapshot_id": taken["snapshot_id"], **options}),
            ("unmanage_snapshot", {"snapshot_id": dropped["snapshot_id"]}),
            ("revert_to_snapshot", {"snapshot_id": source["snapshot_id"], "reservations": None}),
            (
                "update_share_from_metadata",
                {"share_id": described["share_id"], "metadata": {"policy": "hot"}},
            ),
        ]

    def _snapshot(self, connection, share, status):
        instance = {
            "id": share["instance_id"], "share_id": share["share_id"], "size": SIZE,
            "share_proto": "NFS", "share_type_id": None, **self.owner,
        }  # fmt: skip
        begun = states.CREATING if status != states.MANAGE_STARTING else status
        made = creation.new_snapshot(connection, self.site._clock.now(), instance, status=begun)
        self._set(connection, models.share_snapshot_instances, made, status)
        return made

    @staticmethod
    def _set(connection, table, made, status):
        connection.execute(
            table.update().where(table.c.id == made["instance_id"]).values(status=status)
        )


def die_and_recover(site, name, passed):
    managing = Managing(site)
    count = managing.ask()
    site.die_at(name, passed)
    poll(lambda: site.finished() >= count and not site.open(), f"the end after {name}:{passed}")
    return managing


@pytest.mark.parametrize("name", POINTS)
def test_what_is_being_managed_comes_to_its_end_after_a_kill(name, sites, urls):
    # A first step's intent is written with the claim: few operations have another one.
    later = 1 if name.startswith("intent") else 4
    made = [
        (sites(urls(kind), ours=SMALL_STEPS), passed)
        for kind, passed in (("sqlite", 1), ("postgresql", later))
    ]
    with concurrent.futures.ThreadPoolExecutor(len(made)) as pool:
        futures = [pool.submit(die_and_recover, site, name, passed) for site, passed in made]
    for managing in [future.result() for future in futures]:
        assert managing.site.statuses(managing.expected) == managing.expected
        assert managing.site.count() == NOTHING_WRONG
