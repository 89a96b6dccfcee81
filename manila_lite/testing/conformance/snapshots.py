# SPDX-License-Identifier: Apache-2.0
"""Scenarios of snapshots, and of what shares can do with them."""

from __future__ import annotations

from typing import ClassVar

import sqlalchemy as sa

from manila_lite import states
from manila_lite.db import models
from manila_lite.db.records import Record
from manila_lite.testing.conformance import makers
from manila_lite.testing.conformance.shares import OfShare
from manila_lite.testing.conformance.site import Site

_SNAPSHOTS, _FROM, _REVERT, _MOUNT = (
    "snapshot_support",
    "create_share_from_snapshot_support",
    "revert_to_snapshot_support",
    "mount_snapshot_support",
)


class OfSnapshot(OfShare):
    """A scenario about the snapshot of a share; both are there beforehand."""

    claims: ClassVar[tuple[str, ...]] = (_SNAPSHOTS,)
    snapshot: Record

    def prepare(self) -> None:
        super().prepare()
        self.snapshot = makers.make_snapshot(self.site, self.share, self.pretend)

    @property
    def resource(self) -> tuple[sa.Table, str, str]:
        return makers.SNAPSHOTS, self.snapshot["instance_id"], self.snapshot["snapshot_id"]

    def clean_up(self) -> None:
        makers.delete_snapshot(self.site, self.snapshot)
        super().clean_up()

    def snapshot_to(self, status: str) -> None:
        self.site.update(makers.SNAPSHOTS, self.snapshot["instance_id"], status=status)


class CreateSnapshot(OfSnapshot):
    name = "create_snapshot"
    methods = ("create_snapshot",)
    error = states.ERROR

    def prepare(self) -> None:
        OfShare.prepare(self)
        self.snapshot = makers.insert_snapshot(self.site, self.share)

    def begin(self) -> str:
        ids = {"share_id": self.share["share_id"], "snapshot_id": self.snapshot["snapshot_id"]}
        return self.cast("create_snapshot", **ids)

    def check(self) -> None:
        assert self.status() == states.AVAILABLE, f"the snapshot is {self.status()}"


class DeleteSnapshot(OfSnapshot):
    name = "delete_snapshot"
    methods = ("delete_snapshot",)
    error = states.ERROR_DELETING

    def begin(self) -> str:
        self.snapshot_to(states.DELETING)
        return self.cast("delete_snapshot", snapshot_id=self.snapshot["snapshot_id"])

    def check(self) -> None:
        row = self.site.row(makers.SNAPSHOTS, self.snapshot["instance_id"])
        assert row["deleted"] == row["id"], "the snapshot is not deleted"


class CreateShareFromSnapshot(OfSnapshot):
    name = "create_share_from_snapshot"
    methods = ("create_share_from_snapshot",)
    claims = (_SNAPSHOTS, _FROM)
    error = states.ERROR
    copy: Record

    def prepare(self) -> None:
        super().prepare()
        of = self.snapshot["snapshot_id"]
        self.copy = makers.insert_share(self.site, snapshot_id=of)

    @property
    def resource(self) -> tuple[sa.Table, str, str]:
        return makers.INSTANCES, self.copy["instance_id"], self.copy["share_id"]

    def begin(self) -> str:
        of = self.snapshot["snapshot_id"]
        return makers.cast_creation(self.site, self.copy, snapshot_id=of)

    def check(self) -> None:
        assert self.status() == states.AVAILABLE, f"the new share is {self.status()}"
        exports = makers.exports_of(self.site, self.copy)
        assert exports, "the new share has no export location"
        both = set(exports) & set(makers.exports_of(self.site, self.share))
        assert not both, f"it is exported as the share that it was made from: {sorted(both)}"

    def clean_up(self) -> None:
        makers.delete_share(self.site, self.copy)
        super().clean_up()


class RevertToSnapshot(OfSnapshot):
    name = "revert_to_snapshot"
    methods = ("revert_to_snapshot",)
    claims = (_SNAPSHOTS, _REVERT)
    error = states.REVERTING_ERROR

    @property
    def resource(self) -> tuple[sa.Table, str, str]:
        return makers.INSTANCES, self.share["instance_id"], self.share["share_id"]

    def begin(self) -> str:
        self.to(states.REVERTING)
        self.snapshot_to(states.RESTORING)
        return self.cast("revert_to_snapshot", snapshot_id=self.snapshot["snapshot_id"])

    def check(self) -> None:
        self.assert_available()
        snapshot = self.site.row(makers.SNAPSHOTS, self.snapshot["instance_id"])
        assert snapshot["status"] == states.AVAILABLE, f"the snapshot is {snapshot['status']}"


class _ChangeSnapshotAccess(OfSnapshot):
    methods = ("snapshot_update_access",)
    claims = (_SNAPSHOTS, _MOUNT)
    error = states.ACCESS_ERROR
    retried = False

    @classmethod
    def inapplicable(cls, site: Site) -> str | None:
        if makers.access_for(site):
            return None
        return f"no access rule is known that suits {site.share_proto}: give --access TYPE:TO"

    def prepare(self) -> None:
        super().prepare()
        kind, to = (makers.access_for(self.site) or [("ip", "192.0.2.10")])[0]
        self.rule = makers.add_snapshot_rule(self.site, self.snapshot, kind, to)

    def begin(self) -> str:
        return self.cast(
            "snapshot_update_access", snapshot_instance_id=self.snapshot["instance_id"]
        )

    def status(self) -> str:
        return "".join(sorted(set(self.states().values())))

    def states(self) -> dict[str, str]:
        key = {"share_snapshot_instance_id": self.snapshot["instance_id"], "deleted": "False"}
        found = self.site.rows(models.share_snapshot_instance_access_map, **key)
        return {row["access_id"]: row["state"] for row in found}


class AllowSnapshotAccess(_ChangeSnapshotAccess):
    name = "snapshot_update_access, allow"

    def check(self) -> None:
        assert self.states() == {self.rule: states.ACCESS_ACTIVE}


class DenySnapshotAccess(_ChangeSnapshotAccess):
    name = "snapshot_update_access, deny"
    can_be_unsupported = False

    def prepare(self) -> None:
        super().prepare()
        self.site.do("snapshot_update_access", snapshot_instance_id=self.snapshot["instance_id"])
        table = models.share_snapshot_instance_access_map
        for row in self.site.rows(table):
            self.site.update(table, row["id"], state=states.ACCESS_QUEUED_TO_DENY)

    def check(self) -> None:
        assert self.states() == {}


class ManageSnapshot(OfSnapshot):
    """A snapshot that was unmanaged is taken over again, under a new id."""

    name = "manage_existing_snapshot"
    methods = ("manage_existing_snapshot", "manage_existing_snapshot_with_server")
    error = states.MANAGE_ERROR

    @classmethod
    def unclaimed(cls, site: Site) -> str | None:
        missing = super().unclaimed(site)
        if missing is None and not any(site.redefines(method) for method in cls.methods):
            return cls.methods[0]
        return missing

    @classmethod
    def inapplicable(cls, site: Site) -> str | None:
        if site.has_share_servers:
            return "snapshots on share servers are managed with their server"
        return None

    def prepare(self) -> None:
        super().prepare()
        location = "conformance:/nothing"
        if not self.pretend:
            location = makers.provider_location(self.site, self.snapshot) or location
            self.snapshot_to(states.UNMANAGE_STARTING)
            self.site.do("unmanage_snapshot", snapshot_id=self.snapshot["snapshot_id"])
        self.snapshot = insert_managed(self.site, self.share, location)

    def begin(self) -> str:
        return self.cast("manage_snapshot", **_arguments(self.site, self.snapshot))

    def check(self) -> None:
        assert self.status() == states.AVAILABLE, f"the snapshot is {self.status()}"


class UnmanageSnapshot(OfSnapshot):
    """The snapshot stays on the storage: it is taken over again to be deleted."""

    name = "unmanage_snapshot"
    methods = ("unmanage_snapshot", "unmanage_snapshot_with_server")
    error = states.UNMANAGE_ERROR
    # The interface's own lets go without a word.
    can_be_unsupported = False

    @classmethod
    def unclaimed(cls, site: Site) -> str | None:
        return ManageSnapshot.unclaimed(site)

    @classmethod
    def inapplicable(cls, site: Site) -> str | None:
        return ManageSnapshot.inapplicable(site)

    def begin(self) -> str:
        self.location = makers.provider_location(self.site, self.snapshot)
        self.snapshot_to(states.UNMANAGE_STARTING)
        return self.cast("unmanage_snapshot", snapshot_id=self.snapshot["snapshot_id"])

    def check(self) -> None:
        row = self.site.row(makers.SNAPSHOTS, self.snapshot["instance_id"])
        assert row["deleted"] == row["id"], "the snapshot is still there"

    def clean_up(self) -> None:
        if self.site.row(makers.SNAPSHOTS, self.snapshot["instance_id"])["deleted"] != "False":
            self.snapshot = insert_managed(self.site, self.share, self.location)
            self.site.do("manage_snapshot", **_arguments(self.site, self.snapshot))
        super().clean_up()


def insert_managed(site: Site, share: Record, location: str | None) -> Record:
    """Insert the rows of a snapshot that is to be managed."""
    status = states.MANAGE_STARTING
    return makers.insert_snapshot(site, share, status=status, provider_location=location)


def _arguments(site: Site, snapshot: Record) -> dict[str, object]:
    return {"snapshot_id": snapshot["snapshot_id"], "driver_options": {}}


SCENARIOS: tuple[type[OfSnapshot], ...] = (
    CreateSnapshot,
    CreateShareFromSnapshot,
    RevertToSnapshot,
    AllowSnapshotAccess,
    DenySnapshotAccess,
    ManageSnapshot,
    UnmanageSnapshot,
    DeleteSnapshot,
)
