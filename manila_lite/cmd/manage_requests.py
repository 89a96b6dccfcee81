# SPDX-License-Identifier: Apache-2.0
"""Managing, unmanaging and reverting: what an API does between a request and its cast.

Each function runs on a connection inside a transaction and returns what is to be sent. Refused and
its like mean that nothing was written.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.cmd import lookup
from manila_lite.cmd.dispatch import Prepared, Request
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.requests import (
    begin_share,
    only_instance,
    refuse_in_group,
    refuse_in_migration,
    restore_shares,
    set_status,
    supports,
    wrong_status,
)
from manila_lite.db import creation, export_locations, shares
from manila_lite.db.models import (
    share_instance_export_locations,
    share_instances,
    share_snapshot_instances,
    share_snapshots,
)
from manila_lite.db.records import Record
from manila_lite.db.writes import execute_writes

if TYPE_CHECKING:
    from manila_lite.context import RequestContext


@dataclasses.dataclass(frozen=True)
class ManageWish:
    """What is to be managed: export_path on a host in full; ids made beforehand."""

    share_id: str
    host: str
    share_proto: str
    export_path: str
    driver_options: Mapping[str, str]
    share_type: Record | None = None
    name: str | None = None
    description: str | None = None


def manage_share(
    connection: Connection, context: RequestContext, wish: ManageWish, now: datetime.datetime
) -> Prepared:
    """Make the rows of a share that exists, in 'manage_starting', with the export that is known."""
    known = _managed_already(connection, wish.host, wish.export_path)
    if known is not None:
        raise Refused(reason=f"{wish.export_path} is share {known} already")
    made = creation.new_share(
        connection,
        now,
        host=wish.host,
        size=0,
        share_proto=wish.share_proto,
        project_id=context.project_id or "",
        user_id=context.user_id or "",
        share_type=wish.share_type,
        name=wish.name,
        description=wish.description,
        supports=supports(wish.share_type),
        share_id=wish.share_id,
        status=states.MANAGE_STARTING,
    )
    instance_id = made["instance_id"]
    execute_writes(connection, [export_locations.add(instance_id, wish.export_path, now)])
    arguments = {"share_id": wish.share_id, "driver_options": dict(wish.driver_options)}
    undo = functools.partial(
        set_status, share_instances, instance_id, states.MANAGE_STARTING, states.MANAGE_ERROR
    )
    return Prepared([Request("manage_share", wish.host, arguments)], undo)


def _managed_already(connection: Connection, host: str, path: str) -> str | None:
    """The id of the share of that back end that has this export location."""
    i, e = share_instances.c, share_instance_export_locations.c
    query = (
        sa.select(i.share_id, i.host)
        .select_from(
            share_instances.join(share_instance_export_locations, e.share_instance_id == i.id)
        )
        .where(i.deleted == "False", e.deleted == 0, e.path == path)
    )
    for row in connection.execute(query):
        if shares.backend_of(row.host) == shares.backend_of(host):
            return str(row.share_id)
    return None


def unmanage_share(
    connection: Connection, name_or_id: str, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a share into 'unmanage_starting'."""
    share = lookup.share(connection, name_or_id)
    count = lookup.snapshots_of(connection, share["id"])
    if count:
        raise Refused(reason=f"share {share['id']} has {count} snapshots; unmanage them first")
    refuse_in_group(share)
    refuse_in_migration(share)
    instance = only_instance(share)
    failed = instance["status"] == states.MANAGE_ERROR
    begun = states.MANAGE_ERROR_UNMANAGE_STARTING if failed else states.UNMANAGE_STARTING
    begin_share(connection, share, instance, begun, now)
    undo = functools.partial(restore_shares, {instance["id"]: instance["status"]}, begun)
    request = Request("unmanage_share", instance["host"], {"share_id": share["id"]})
    return share, Prepared([request], undo)


def revert_share(
    connection: Connection, name_or_id: str, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a snapshot into 'restoring' and its share into 'reverting'; return the share."""
    snapshot = lookup.snapshot(connection, name_or_id)
    share = lookup.share(connection, snapshot["share_id"])
    if not share["revert_to_snapshot_support"]:
        raise Refused(reason=f"share {share['id']} cannot be reverted to its snapshots")
    refuse_in_migration(share)
    _refuse_older(connection, snapshot)
    instance, of_snapshot = only_instance(share), _only_instance_of(snapshot)
    if snapshot["status"] != states.AVAILABLE:
        raise wrong_status("snapshot", snapshot["id"], snapshot["status"], "a revert")
    if instance["status"] != states.AVAILABLE:
        raise wrong_status("share", share["id"], instance["status"], "a revert")
    begin_share(connection, share, instance, states.REVERTING, now)
    _begin_snapshot(connection, snapshot, of_snapshot, states.RESTORING, now)
    undo = functools.partial(_undo_revert, instance["id"], of_snapshot["id"])
    arguments = {"snapshot_id": snapshot["id"], "reservations": None}
    return share, Prepared([Request("revert_to_snapshot", instance["host"], arguments)], undo)


def _undo_revert(instance_id: str, snapshot_instance_id: str, connection: Connection) -> None:
    set_status(share_instances, instance_id, states.REVERTING, states.AVAILABLE, connection)
    set_status(
        share_snapshot_instances,
        snapshot_instance_id,
        states.RESTORING,
        states.AVAILABLE,
        connection,
    )


def _refuse_older(connection: Connection, snapshot: Record) -> None:
    """Raise Refused for a snapshot that is not the latest one of its share."""
    c = share_snapshots.c
    latest = connection.execute(
        sa.select(c.id)
        .where(c.share_id == snapshot["share_id"], c.deleted == "False")
        .order_by(c.created_at.desc(), c.id)
        .limit(1)
    ).scalar()
    if latest != snapshot["id"]:
        raise Refused(
            reason=f"snapshot {snapshot['id']} is not the latest one of its share; that is {latest}"
        )


def manage_snapshot(
    connection: Connection,
    name_or_id: str,
    snapshot_id: str,
    provider_location: str,
    driver_options: Mapping[str, str],
    now: datetime.datetime,
    name: str | None = None,
    description: str | None = None,
) -> Prepared:
    """Make the rows of a snapshot that exists, in 'manage_starting', in its share's project."""
    share = lookup.share(connection, name_or_id)
    if share["status"] != states.AVAILABLE:
        raise wrong_status("share", share["id"], share["status"], "managing a snapshot")
    refuse_in_migration(share)
    instance = only_instance(share)
    made = creation.new_snapshot(
        connection,
        now,
        instance,
        name=name,
        description=description,
        snapshot_id=snapshot_id,
        status=states.MANAGE_STARTING,
        provider_location=provider_location,
    )
    arguments: dict[str, Any] = {
        "snapshot_id": snapshot_id,
        "driver_options": dict(driver_options),
    }
    undo = functools.partial(
        set_status,
        share_snapshot_instances,
        made["instance_id"],
        states.MANAGE_STARTING,
        states.MANAGE_ERROR,
    )
    return Prepared([Request("manage_snapshot", instance["host"], arguments)], undo)


def unmanage_snapshot(
    connection: Connection, name_or_id: str, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a snapshot into 'unmanage_starting'."""
    snapshot = lookup.snapshot(connection, name_or_id)
    share = lookup.share(connection, snapshot["share_id"])
    instance = _only_instance_of(snapshot)
    _begin_snapshot(connection, snapshot, instance, states.UNMANAGE_STARTING, now)
    undo = functools.partial(
        set_status,
        share_snapshot_instances,
        instance["id"],
        states.UNMANAGE_STARTING,
        snapshot["status"],
    )
    host = only_instance(share)["host"]
    request = Request("unmanage_snapshot", host, {"snapshot_id": snapshot["id"]})
    return snapshot, Prepared([request], undo)


def _begin_snapshot(
    connection: Connection, snapshot: Record, instance: Record, status: str, now: datetime.datetime
) -> None:
    if not creation.begin_on_snapshot(connection, instance["id"], status, now):
        raise wrong_status("snapshot", snapshot["id"], snapshot["status"], status)


def _only_instance_of(snapshot: Record) -> Record:
    if len(snapshot["instances"]) != 1:
        raise Refused(reason=f"snapshot {snapshot['id']} belongs to a replicated share")
    instance: Record = snapshot["instances"][0]
    return instance
