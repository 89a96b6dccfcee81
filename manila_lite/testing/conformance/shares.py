# SPDX-License-Identifier: Apache-2.0
"""Scenarios of shares: making, sizes, access, managing and deleting them."""

from __future__ import annotations

import sqlalchemy as sa

from manila_lite import states
from manila_lite.db import export_locations, models
from manila_lite.db.records import Record
from manila_lite.db.writes import execute_writes
from manila_lite.testing.conformance import makers
from manila_lite.testing.conformance.scenarios import Scenario
from manila_lite.testing.conformance.site import Site


class OfShare(Scenario):
    """A scenario about one share that is there beforehand."""

    share: Record

    def prepare(self) -> None:
        self.share = makers.make_share(self.site, self.pretend)

    @property
    def resource(self) -> tuple[sa.Table, str, str]:
        return makers.INSTANCES, self.share["instance_id"], self.share["share_id"]

    def clean_up(self) -> None:
        makers.delete_share(self.site, self.share)

    def to(self, status: str) -> None:
        self.site.update(makers.INSTANCES, self.share["instance_id"], status=status)

    def size(self) -> int:
        return int(self.site.row(models.shares, self.share["share_id"])["size"])

    def assert_available(self) -> None:
        assert self.status() == states.AVAILABLE, f"the share is {self.status()}"


class CreateShare(OfShare):
    name = "create_share"
    methods = ("create_share",)
    error = states.ERROR
    can_be_unsupported = False

    def prepare(self) -> None:
        self.share = makers.insert_share(self.site)

    def begin(self) -> str:
        self.to(states.CREATING)
        return makers.cast_creation(self.site, self.share)

    def check(self) -> None:
        self.assert_available()
        assert makers.exports_of(self.site, self.share), "the share has no export location"


class DeleteShare(OfShare):
    name = "delete_share"
    methods = ("delete_share",)
    error = states.ERROR_DELETING
    can_be_unsupported = False

    def begin(self) -> str:
        self.to(states.DELETING)
        return self.cast("delete_share_instance", share_instance_id=self.share["instance_id"])

    def check(self) -> None:
        row = self.site.row(makers.INSTANCES, self.share["instance_id"])
        assert row["deleted"] == row["id"], "the share is not deleted"


class EnsureShare(OfShare):
    """A start of the service; the share stays available, whatever comes of it."""

    name = "ensure_share"
    methods = ("ensure_shares", "ensure_share")
    error = states.AVAILABLE
    can_be_unsupported = False

    def begin(self) -> str:
        self.before = makers.exports_of(self.site, self.share)
        return self.cast("ensure_driver_resources", skip_backend_info_check=True)

    def check(self) -> None:
        self.assert_available()
        now = makers.exports_of(self.site, self.share)
        assert now == self.before, f"the export locations were {self.before} and are {now}"

    def told(self) -> bool:
        return True


class ExtendShare(OfShare):
    name = "extend_share"
    methods = ("extend_share",)
    error = states.EXTENDING_ERROR

    def begin(self) -> str:
        self.to(states.EXTENDING)
        new_size = self.site.settings.sizes[1]
        return self.cast("extend_share", share_id=self.share["share_id"], new_size=new_size)

    def check(self) -> None:
        self.assert_available()
        assert self.size() == self.site.settings.sizes[1]


class ShrinkShare(OfShare):
    name = "shrink_share"
    methods = ("shrink_share",)
    error = states.SHRINKING_ERROR

    def prepare(self) -> None:
        self.share = makers.make_share(self.site, self.pretend, self.site.settings.sizes[1])

    def begin(self) -> str:
        self.to(states.SHRINKING)
        new_size = self.site.settings.sizes[0]
        return self.cast("shrink_share", share_id=self.share["share_id"], new_size=new_size)

    def check(self) -> None:
        self.assert_available()
        assert self.size() == self.site.settings.sizes[0]


class _ChangeAccess(OfShare):
    """The access type that suits the protocol, or --access; all of them at once."""

    methods = ("update_access", "allow_access", "deny_access")
    error = states.ACCESS_ERROR
    # A rule in error is not sent again: it can be denied, and made anew.
    retried = False
    can_be_unsupported = False

    @classmethod
    def inapplicable(cls, site: Site) -> str | None:
        if makers.access_for(site):
            return None
        return f"no access rule is known that suits {site.share_proto}: give --access TYPE:TO"

    def prepare(self) -> None:
        super().prepare()
        self.rules = [
            makers.add_rule(self.site, self.share, kind, to)
            for kind, to in makers.access_for(self.site)
        ]

    def begin(self) -> str:
        return self.cast("update_access", share_instance_id=self.share["instance_id"])

    def states(self) -> dict[str, str]:
        found = self.site.rows(
            models.share_instance_access_map,
            share_instance_id=self.share["instance_id"],
            deleted="False",
        )
        return {row["access_id"]: row["state"] for row in found}

    def status(self) -> str:
        return str(self.site.row(*self.resource[:2])["access_rules_status"])

    def assert_state(self, *rules: str) -> None:
        wanted = dict.fromkeys(rules, states.ACCESS_ACTIVE)
        assert self.states() == wanted, f"the access rules are {self.states()}"
        assert self.status() == states.ACCESS_ACTIVE


class AllowAccess(_ChangeAccess):
    name = "update_access, allow"

    def check(self) -> None:
        self.assert_state(*self.rules)


class DenyAccess(_ChangeAccess):
    name = "update_access, deny"

    def prepare(self) -> None:
        super().prepare()
        self.site.do("update_access", share_instance_id=self.share["instance_id"])
        for row in self.site.rows(models.share_instance_access_map):
            self.site.update(
                models.share_instance_access_map, row["id"], state=states.ACCESS_QUEUED_TO_DENY
            )

    def check(self) -> None:
        self.assert_state()


class UnmanageShare(OfShare):
    """The share stays on the storage: it is taken over again to be deleted."""

    name = "unmanage"
    methods = ("unmanage", "unmanage_with_server")
    error = states.UNMANAGE_ERROR
    # The interface's own lets go without a word.
    can_be_unsupported = False

    @classmethod
    def unclaimed(cls, site: Site) -> str | None:
        return ManageShare.unclaimed(site)

    @classmethod
    def inapplicable(cls, site: Site) -> str | None:
        return _without_servers(site)

    def prepare(self) -> None:
        super().prepare()
        self.export = (makers.exports_of(self.site, self.share) or ["conformance:/nothing"])[0]

    def begin(self) -> str:
        self.to(states.UNMANAGE_STARTING)
        return self.cast("unmanage_share", share_id=self.share["share_id"])

    def check(self) -> None:
        row = self.site.row(makers.INSTANCES, self.share["instance_id"])
        assert row["deleted"] == row["id"], "the share is still there"

    def clean_up(self) -> None:
        if self.site.row(makers.INSTANCES, self.share["instance_id"])["deleted"] != "False":
            self.share = insert_managed(self.site, self.export)
            self.site.do("manage_share", **manage_arguments(self.site, self.share))
        super().clean_up()


class ManageShare(OfShare):
    """A share that was unmanaged is taken over again, under a new id."""

    name = "manage_existing"
    methods = ("manage_existing", "manage_existing_with_server")
    error = states.MANAGE_ERROR

    @classmethod
    def inapplicable(cls, site: Site) -> str | None:
        return _without_servers(site)

    def prepare(self) -> None:
        super().prepare()
        export = "conformance:/nothing"
        if not self.pretend:
            export = makers.exports_of(self.site, self.share)[0]
            self.to(states.UNMANAGE_STARTING)
            self.site.do("unmanage_share", share_id=self.share["share_id"])
        self.share = insert_managed(self.site, export)

    def begin(self) -> str:
        return self.cast("manage_share", **manage_arguments(self.site, self.share))

    def check(self) -> None:
        self.assert_available()
        assert self.size() > 0, "the driver found no size"
        assert makers.exports_of(self.site, self.share), "the share has no export location"


def _without_servers(site: Site) -> str | None:
    return (
        "shares on share servers are managed with their server"
        if (site.has_share_servers)
        else None
    )


def insert_managed(site: Site, export: str) -> Record:
    """Insert the rows of a share that is to be managed, with the export that is known."""
    share = makers.insert_share(site, 0, status=states.MANAGE_STARTING)
    with site.database.writer() as connection:
        now = site.clock.now()
        execute_writes(connection, [export_locations.add(share["instance_id"], export, now)])
    return share


def manage_arguments(site: Site, share: Record) -> dict[str, object]:
    """The arguments of the cast that manages a share."""
    options = dict(site.settings.manage_options)
    return {"share_id": share["share_id"], "driver_options": options}


SCENARIOS: tuple[type[Scenario], ...] = (
    CreateShare,
    EnsureShare,
    ExtendShare,
    ShrinkShare,
    AllowAccess,
    DenyAccess,
    ManageShare,
    UnmanageShare,
    DeleteShare,
)
