# SPDX-License-Identifier: Apache-2.0
"""The daemon dies in the midst of operations on share groups, and brings them to their end."""

import concurrent.futures

import pytest

from manila_lite import states
from manila_lite.db import group_creation, models, share_groups
from tests.fixtures.daemon import poll

POINTS = [
    "claim.after_commit", "intent.after_commit", "effect.before",
    "effect.after", "wait.after_commit", "finish.before_commit", "finish.after_commit",
]  # fmt: skip
SMALL_STEPS = {"claim_batch": 1}
MEMBERS = 2


class Groups:
    """One operation of each kind, on groups of two shares."""

    def __init__(self, site):
        self.site = site
        self.owner = {"project_id": site.project_id, "user_id": "user"}
        self.expected = {}

    def ask(self):
        asked = self.site.database.run(self._make)
        return self.site.record(asked)

    def _make(self, connection):
        new, doomed = (self._group(connection) for _ in range(2))
        taken = self._snapshot(connection, self._group(connection, MEMBERS))
        removed = self._snapshot(connection, self._group(connection, MEMBERS), states.DELETING)
        source = self._snapshot(connection, self._group(connection, MEMBERS), states.AVAILABLE)
        copy = self._copy(connection, source)
        self._set(connection, models.share_groups, doomed, states.DELETING)
        self._set(connection, models.share_groups, new, states.CREATING)
        groups, snapshots = models.share_groups, models.share_group_snapshots
        self.expected = {
            (groups, new): "available", (groups, copy): "available", (groups, doomed): "deleted",
            (snapshots, taken): "available", (snapshots, removed): "deleted",
        }  # fmt: skip
        self.copy = copy
        return [
            ("create_share_group", {"share_group_id": copy}),
            ("create_share_group", {"share_group_id": new}),
            ("create_share_group_snapshot", {"share_group_snapshot_id": taken}),
            ("delete_share_group_snapshot", {"share_group_snapshot_id": removed}),
            ("delete_share_group", {"share_group_id": doomed}),
        ]

    def _group(self, connection, members=0, status=states.AVAILABLE, **options):
        group_id = group_creation.new_group(
            connection, self.site._clock.now(), host=self.site.pool, **self.owner, **options
        )
        self._set(connection, models.share_groups, group_id, status)
        for _ in range(members):
            share = self.site.available_share(connection)
            group_creation.put_in_group(connection, share["share_id"], group_id)
        return group_id

    def _snapshot(self, connection, group_id, status=states.CREATING):
        snapshot_id = group_creation.new_group_snapshot(
            connection, self.site._clock.now(), {"id": group_id},
            share_groups.shares_of_group(connection, group_id), **self.owner,
        )  # fmt: skip
        self._set(connection, models.share_group_snapshots, snapshot_id, status)
        return snapshot_id

    def _copy(self, connection, snapshot_id):
        group_id = self._group(connection, status=states.CREATING, source_id=snapshot_id)
        snapshot = share_groups.get_group_snapshot(connection, snapshot_id)
        now = self.site._clock.now()
        group_creation.new_shares_of_snapshot(connection, now, group_id, snapshot, self.owner)
        return group_id

    @staticmethod
    def _set(connection, table, key, status):
        connection.execute(table.update().where(table.c.id == key).values(status=status))

    def copies(self):
        """(status, number of export locations) of the shares that were made with the group."""
        with self.site.database.reader() as connection:
            shares = share_groups.shares_of_group(connection, self.copy)
        return [(share["status"], len(share["export_locations"])) for share in shares]


def die_and_recover(site, name, passed):
    groups = Groups(site)
    count = groups.ask()
    site.die_at(name, passed)
    poll(lambda: site.finished() >= count and not site.open(), f"the end after {name}:{passed}")
    return groups


@pytest.mark.parametrize("name", POINTS)
def test_operations_on_groups_come_to_their_end_after_a_kill(name, sites, urls):
    ways = [1] if name.startswith("wait") else [1, 4]
    made = {
        passed: sites(urls("sqlite"), ours={**SMALL_STEPS, "interrupted_operation_policy": "retry"})
        for passed in ways
    }
    with concurrent.futures.ThreadPoolExecutor(len(made)) as pool:
        futures = [pool.submit(die_and_recover, site, name, way) for way, site in made.items()]
    for groups in [future.result() for future in futures]:
        assert groups.site.statuses(groups.expected) == groups.expected
        assert groups.copies() == [("available", 1)] * MEMBERS
