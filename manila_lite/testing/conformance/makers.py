# SPDX-License-Identifier: Apache-2.0
"""Shares, snapshots and rules, made as an API and the service make them."""

from __future__ import annotations

import uuid
from typing import Any

from manila_lite import states
from manila_lite.db import creation, models, shares
from manila_lite.db.records import Record
from manila_lite.testing.conformance.site import NETWORK, PROJECT, TYPE, USER, Site

INSTANCES, SNAPSHOTS = models.share_instances, models.share_snapshot_instances


def insert_share(site: Site, size: int | None = None, **options: Any) -> Record:
    """Insert the rows of a share in 'creating'; return share_id and instance_id."""
    with site.database.writer() as connection:
        made = creation.new_share(
            connection,
            site.clock.now(),
            host=f"{site.host}#{site.pool}",
            size=site.settings.sizes[0] if size is None else size,
            share_proto=site.share_proto,
            project_id=PROJECT,
            user_id=USER,
            share_type={"id": TYPE},
            **options,
        )
    if site.has_share_servers:
        site.update(INSTANCES, made["instance_id"], share_network_id=NETWORK)
    return made


def cast_creation(site: Site, share: Record, **arguments: Any) -> str:
    """Cast the creation of a share whose rows are there."""
    return site.cast(
        "create_share_instance",
        share_instance_id=share["instance_id"],
        request_spec={"share_id": share["share_id"]},
        filter_properties={},
        **arguments,
    )


def make_share(site: Site, pretend: bool = False, size: int | None = None) -> Record:
    """Make a share; with ``pretend`` the rows of an available one only."""
    share = insert_share(site, size)
    if pretend:
        now = site.clock.now()
        available = {"status": states.AVAILABLE, "launched_at": now, "progress": "100%"}
        site.update(INSTANCES, share["instance_id"], **available)
        return share
    row = site.finish(cast_creation(site, share))
    assert row["state"] == "succeeded", f"a share could not be made: {row['error']}"
    return share


def delete_share(site: Site, share: Record) -> None:
    """Delete a share, unless it is deleted."""
    row = site.row(INSTANCES, share["instance_id"])
    if row["deleted"] == "False":
        site.update(INSTANCES, share["instance_id"], status=states.DELETING)
        site.do("delete_share_instance", share_instance_id=share["instance_id"])


def insert_snapshot(site: Site, share: Record, **options: Any) -> Record:
    """Insert the rows of a snapshot in 'creating'; return snapshot_id and instance_id."""
    with site.database.writer() as connection:
        instance = shares.get_instance(connection, share["instance_id"])
        assert instance is not None
        made = creation.new_snapshot(connection, site.clock.now(), instance, **options)
    return made


def make_snapshot(site: Site, share: Record, pretend: bool = False) -> Record:
    """Make a snapshot; with ``pretend`` the rows of an available one only."""
    snapshot = insert_snapshot(site, share)
    if pretend:
        available = {"status": states.AVAILABLE, "progress": "100%"}
        site.update(SNAPSHOTS, snapshot["instance_id"], **available)
        return snapshot
    arguments = {"share_id": share["share_id"], "snapshot_id": snapshot["snapshot_id"]}
    site.do("create_snapshot", **arguments)
    return snapshot


def delete_snapshot(site: Site, snapshot: Record) -> None:
    """Delete a snapshot, unless it is deleted."""
    if site.row(SNAPSHOTS, snapshot["instance_id"])["deleted"] == "False":
        site.update(SNAPSHOTS, snapshot["instance_id"], status=states.DELETING)
        site.do("delete_snapshot", snapshot_id=snapshot["snapshot_id"])


def exports_of(site: Site, share: Record) -> list[str]:
    """The paths by which a share is exported, sorted."""
    table = models.share_instance_export_locations
    found = site.rows(table, share_instance_id=share["instance_id"], deleted=0)
    return sorted(row["path"] for row in found)


def provider_location(site: Site, snapshot: Record) -> str | None:
    """What the driver calls the snapshot."""
    location = site.row(SNAPSHOTS, snapshot["instance_id"])["provider_location"]
    return None if location is None else str(location)


def add_rule(site: Site, share: Record, kind: str, to: str, level: str = "rw") -> str:
    """Insert an access rule of a share that is to be applied; return its id."""
    rule = str(uuid.uuid4())
    now = {"created_at": site.clock.now(), "deleted": "False"}
    site.insert(
        models.share_access_map,
        id=rule,
        share_id=share["share_id"],
        access_type=kind,
        access_to=to,
        access_level=level,
        **now,
    )
    site.insert(
        models.share_instance_access_map,
        id=str(uuid.uuid4()),
        share_instance_id=share["instance_id"],
        access_id=rule,
        state=states.ACCESS_QUEUED_TO_APPLY,
        **now,
    )
    return rule


def add_snapshot_rule(site: Site, snapshot: Record, kind: str, to: str) -> str:
    """Insert an access rule of a snapshot that is to be applied; return its id."""
    rule = str(uuid.uuid4())
    now = {"created_at": site.clock.now(), "deleted": "False"}
    site.insert(
        models.share_snapshot_access_map,
        id=rule,
        share_snapshot_id=snapshot["snapshot_id"],
        access_type=kind,
        access_to=to,
        **now,
    )
    site.insert(
        models.share_snapshot_instance_access_map,
        id=str(uuid.uuid4()),
        share_snapshot_instance_id=snapshot["instance_id"],
        access_id=rule,
        state=states.ACCESS_QUEUED_TO_APPLY,
        **now,
    )
    return rule


def access_for(site: Site) -> list[tuple[str, str]]:
    """(type, to) of the access rules that suit the shares' protocol, or that were asked for."""
    if site.settings.access:
        return list(site.settings.access)
    usual = {"NFS": ("ip", "192.0.2.10"), "CIFS": ("user", "conformance")}
    known = usual.get(site.share_proto)
    return [] if known is None else [known]
