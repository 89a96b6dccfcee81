# SPDX-License-Identifier: Apache-2.0
"""Scenarios of share groups. Every driver has them: the interface brings simple ones along."""

from __future__ import annotations

from typing import ClassVar

import sqlalchemy as sa

from manila_lite import states
from manila_lite.db import group_creation, models, share_groups
from manila_lite.db.records import Record
from manila_lite.testing.conformance import makers
from manila_lite.testing.conformance.scenarios import Scenario
from manila_lite.testing.conformance.site import NETWORK, PROJECT, USER, Site

_OWNER = {"project_id": PROJECT, "user_id": USER}
_GROUPS, _GROUP_SNAPSHOTS = models.share_groups, models.share_group_snapshots


def insert_group(site: Site, source_id: str | None = None) -> str:
    """Insert a share group in 'creating'; return its id."""
    with site.database.writer() as connection:
        host = f"{site.host}#{site.pool}"
        group_id = group_creation.new_group(
            connection, site.clock.now(), host=host, source_id=source_id, **_OWNER
        )
    if site.has_share_servers:
        site.update(_GROUPS, group_id, share_network_id=NETWORK)
    return group_id


def make_group(site: Site) -> str:
    """Make a group without shares."""
    group_id = insert_group(site)
    site.do("create_share_group", share_group_id=group_id)
    return group_id


def add_share(site: Site, group_id: str) -> Record:
    """Make a share in a group."""
    share = makers.insert_share(site)
    with site.database.writer() as connection:
        group_creation.put_in_group(connection, share["share_id"], group_id)
    if site.has_share_servers:
        server = site.row(_GROUPS, group_id)["share_server_id"]
        site.update(makers.INSTANCES, share["instance_id"], share_server_id=server)
    row = site.finish(makers.cast_creation(site, share))
    assert row["state"] == "succeeded", f"a share of a group could not be made: {row['error']}"
    return share


def insert_snapshot(site: Site, group_id: str) -> str:
    """Insert a group snapshot in 'creating', with its members; return its id."""
    with site.database.writer() as connection:
        instances = share_groups.shares_of_group(connection, group_id)
        return group_creation.new_group_snapshot(
            connection, site.clock.now(), {"id": group_id}, instances, **_OWNER
        )


def make_snapshot(site: Site, group_id: str) -> str:
    """Make a group snapshot."""
    snapshot_id = insert_snapshot(site, group_id)
    site.do("create_share_group_snapshot", share_group_snapshot_id=snapshot_id)
    return snapshot_id


def delete(site: Site, table: sa.Table, row_id: str, method: str, argument: str) -> None:
    """Delete a group or a group snapshot, unless it is deleted."""
    if site.row(table, row_id)["deleted"] == "False":
        site.update(table, row_id, status=states.DELETING)
        site.do(method, **{argument: row_id})


class OfGroup(Scenario):
    """A scenario about a share group."""

    can_be_unsupported = False
    error = states.ERROR
    group: str

    @classmethod
    def unclaimed(cls, site: Site) -> str | None:
        return next((claim for claim in cls.claims if not site.supports(claim)), None)

    def prepare(self) -> None:
        self.group = make_group(self.site)

    @property
    def resource(self) -> tuple[sa.Table, str, str]:
        return _GROUPS, self.group, self.group

    def clean_up(self) -> None:
        for row in self.site.rows(models.shares, share_group_id=self.group, deleted="False"):
            (instance,) = self.site.rows(makers.INSTANCES, share_id=row["id"])
            share = Record(share_id=row["id"], instance_id=instance["id"])
            makers.delete_share(self.site, share)
        delete(self.site, _GROUPS, self.group, "delete_share_group", "share_group_id")


class CreateGroup(OfGroup):
    name = "create_share_group"
    methods = ("create_share_group",)

    def prepare(self) -> None:
        self.group = insert_group(self.site)

    def begin(self) -> str:
        return self.cast("create_share_group", share_group_id=self.group)

    def check(self) -> None:
        assert self.status() == states.AVAILABLE, f"the group is {self.status()}"


class DeleteGroup(OfGroup):
    name = "delete_share_group"
    methods = ("delete_share_group",)

    def begin(self) -> str:
        self.site.update(_GROUPS, self.group, status=states.DELETING)
        return self.cast("delete_share_group", share_group_id=self.group)

    def check(self) -> None:
        row = self.site.row(_GROUPS, self.group)
        assert row["deleted"] == row["id"], "the group is not deleted"


class OfGroupSnapshot(OfGroup):
    """A scenario about the snapshot of a group of two shares."""

    claims: ClassVar[tuple[str, ...]] = ("snapshot_support",)
    snapshot: str

    def prepare(self) -> None:
        super().prepare()
        for _ in range(2):
            add_share(self.site, self.group)
        self.snapshot = make_snapshot(self.site, self.group)

    @property
    def resource(self) -> tuple[sa.Table, str, str]:
        return _GROUP_SNAPSHOTS, self.snapshot, self.group

    def clean_up(self) -> None:
        argument = "share_group_snapshot_id"
        method = "delete_share_group_snapshot"
        delete(self.site, _GROUP_SNAPSHOTS, self.snapshot, method, argument)
        super().clean_up()


class CreateGroupSnapshot(OfGroupSnapshot):
    name = "create_share_group_snapshot"
    methods = ("create_share_group_snapshot",)

    def prepare(self) -> None:
        OfGroup.prepare(self)
        for _ in range(2):
            add_share(self.site, self.group)
        self.snapshot = insert_snapshot(self.site, self.group)

    def begin(self) -> str:
        return self.cast("create_share_group_snapshot", share_group_snapshot_id=self.snapshot)

    def check(self) -> None:
        key = {"share_group_snapshot_id": self.snapshot}
        members = [row["status"] for row in self.site.rows(makers.SNAPSHOTS, **key)]
        assert (self.status(), members) == (states.AVAILABLE, [states.AVAILABLE] * 2)


class DeleteGroupSnapshot(OfGroupSnapshot):
    name = "delete_share_group_snapshot"
    methods = ("delete_share_group_snapshot",)

    def begin(self) -> str:
        self.site.update(_GROUP_SNAPSHOTS, self.snapshot, status=states.DELETING)
        return self.cast("delete_share_group_snapshot", share_group_snapshot_id=self.snapshot)

    def check(self) -> None:
        row = self.site.row(_GROUP_SNAPSHOTS, self.snapshot)
        assert row["deleted"] == row["id"], "the group snapshot is not deleted"


class CreateGroupFromSnapshot(OfGroupSnapshot):
    name = "create_share_group_from_share_group_snapshot"
    methods = ("create_share_group_from_share_group_snapshot",)
    claims = ("snapshot_support", "create_share_from_snapshot_support")
    copy: str

    def prepare(self) -> None:
        super().prepare()
        site = self.site
        self.copy = insert_group(site, self.snapshot)
        with site.database.writer() as connection:
            snapshot = share_groups.get_group_snapshot(connection, self.snapshot)
            assert snapshot is not None
            group_creation.new_shares_of_snapshot(
                connection, site.clock.now(), self.copy, snapshot, _OWNER
            )
        if site.has_share_servers:
            for share in self.shares():
                site.update(makers.INSTANCES, share["id"], share_network_id=NETWORK)

    def shares(self) -> list[Record]:
        with self.site.database.reader() as connection:
            return share_groups.shares_of_group(connection, self.copy)

    @property
    def resource(self) -> tuple[sa.Table, str, str]:
        return _GROUPS, self.copy, self.copy

    def begin(self) -> str:
        return self.cast("create_share_group", share_group_id=self.copy)

    def check(self) -> None:
        found = [share["status"] for share in self.shares()]
        assert (self.status(), found) == (states.AVAILABLE, [states.AVAILABLE] * 2)

    def clean_up(self) -> None:
        original, self.group = self.group, self.copy
        OfGroup.clean_up(self)
        self.group = original
        super().clean_up()


SCENARIOS: tuple[type[Scenario], ...] = (
    CreateGroup,
    CreateGroupSnapshot,
    CreateGroupFromSnapshot,
    DeleteGroupSnapshot,
    DeleteGroup,
)
