# SPDX-License-Identifier: Apache-2.0
"""What an API does between a request and its cast: checks, rows, the status that says "begun".

Each function runs on a connection inside a transaction and returns what is to be sent; dispatch.py
commits and sends. Refused and its like mean that nothing was written.
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
from manila_lite.cmd import group_requests, lookup, server_lookup
from manila_lite.cmd.dispatch import Prepared, Request
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.limits import require_room
from manila_lite.cmd.specs import filter_properties, request_spec
from manila_lite.db import backups, creation, group_creation, quotas, shares, types
from manila_lite.db.models import share_instances, share_snapshot_instances
from manila_lite.db.records import Record

if TYPE_CHECKING:
    from manila_lite.context import RequestContext

LARGEST = 2**31 - 1  # GiB: what the column holds
NAME_LENGTH = 255

_MIGRATION_OVER = (None, "migration_success", "migration_error", "migration_cancelled")


@dataclasses.dataclass(frozen=True)
class ShareWish:
    """What somebody wants; size in GiB, host in full, ids made beforehand."""

    share_id: str
    host: str
    size: int
    share_proto: str
    name: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    share_type: Record | None = None
    snapshot: str | None = None
    zone: str | None = None
    share_group: str | None = None
    share_network: str | None = None


def create_share(
    connection: Connection, context: RequestContext, wish: ShareWish, now: datetime.datetime
) -> Prepared:
    """Make the rows of a new share in 'creating'."""
    source = _source(connection, wish) if wish.snapshot else None
    host = source["share"]["host"] if source else wish.host
    group = _group_of(connection, wish, host if source else None) if wish.share_group else None
    if group is not None:
        host = group["host"]
    room = {quotas.SHARES: 1, quotas.GIGABYTES: wish.size}
    require_room(connection, context.project_id or "", room, wish.size)
    made = creation.new_share(
        connection,
        now,
        host=host,
        size=wish.size,
        share_proto=wish.share_proto,
        project_id=context.project_id or "",
        user_id=context.user_id or "",
        share_type=wish.share_type,
        name=wish.name,
        description=wish.description,
        metadata=wish.metadata,
        snapshot_id=source["id"] if source else None,
        zone_id=None,
        supports=supports(wish.share_type),
        share_id=wish.share_id,
        share_network_id=_network_of(connection, wish, source, group),
    )
    if group is not None:
        group_creation.put_in_group(connection, made["share_id"], group["id"])
    spec = _spec_of(connection, made["share_id"], wish.share_type, host if source else None)
    arguments = {
        "share_instance_id": made["instance_id"],
        "request_spec": spec,
        "filter_properties": filter_properties(spec, host),
        "snapshot_id": source["id"] if source else None,
    }
    request = Request("create_share_instance", host, arguments)
    undo = functools.partial(
        set_status, share_instances, made["instance_id"], states.CREATING, states.ERROR
    )
    return Prepared([request], undo)


def _network_of(
    connection: Connection, wish: ShareWish, source: Record | None, group: Record | None
) -> str | None:
    """The network that is asked for; else that of the group, or of the snapshot's share."""
    if wish.share_network is not None:
        return str(server_lookup.network(connection, wish.share_network)["id"])
    found = group["share_network_id"] if group else None
    if found is None and source is not None:
        found = (source["share"]["instance"] or {}).get("share_network_id")
    return None if found is None else str(found)


def _group_of(connection: Connection, wish: ShareWish, source_host: str | None) -> Record:
    assert wish.share_group is not None
    type_id = wish.share_type["id"] if wish.share_type is not None else None
    return group_requests.group_for_share(connection, wish.share_group, type_id, source_host)


def _spec_of(
    connection: Connection, share_id: str, share_type: Record | None, snapshot_host: str | None
) -> dict[str, Any]:
    share = shares.get_share(connection, share_id)
    assert share is not None
    instance = share["instances"][0]
    shares.complete(connection, [instance])
    share["metadata"] = instance["metadata"]
    # A scheduler sees an instance that has no host yet.
    return request_spec(share, {**instance, "host": ""}, share_type, snapshot_host)


def _source(connection: Connection, wish: ShareWish) -> Record:
    """The snapshot that a share is made from, with ``share``, if that is possible."""
    assert wish.snapshot is not None
    snapshot = lookup.snapshot(connection, wish.snapshot)
    share = lookup.share(connection, snapshot["share_id"])
    if snapshot["status"] != states.AVAILABLE:
        raise Refused(reason=f"snapshot {snapshot['id']} is {snapshot['status']}, not available")
    if wish.size < snapshot["size"]:
        raise Refused(
            reason=f"{wish.size} GiB is less than the snapshot's size of {snapshot['size']} GiB"
        )
    if wish.share_proto != share["share_proto"]:
        raise Refused(reason=f"the snapshot is of a share for {share['share_proto']}")
    if share["create_share_from_snapshot_support"] is False:
        raise Refused(reason="no shares can be made from this share's snapshots")
    snapshot["share"] = share
    return snapshot


def supports(share_type: Mapping[str, Any] | None) -> dict[str, bool]:
    """The share's *_support columns, as its type's extra specs have them."""
    if share_type is None:
        return {"snapshot_support": True, "create_share_from_snapshot_support": True}
    return types.supports(share_type)


def delete_share(
    connection: Connection,
    name_or_id: str,
    force: bool,
    now: datetime.datetime,
    share_group: str | None = None,
) -> tuple[Record, Prepared]:
    """Put all instances of a share into 'deleting'. share_group: what the user says it is in."""
    share = lookup.share(connection, name_or_id)
    count = lookup.snapshots_of(connection, share["id"])
    if count:
        raise Refused(reason=f"share {share['id']} has {count} snapshots; delete them first")
    count = 0 if force else backups.count_of_share(connection, share["id"])
    if count:
        raise Refused(reason=f"share {share['id']} has {count} backups; delete them first")
    group_requests.require_group_of_share(connection, share, share_group)
    requests = []
    old = {instance["id"]: instance["status"] for instance in share["instances"]}
    for instance in share["instances"]:
        begin_share(connection, share, instance, states.DELETING, now, force)
        arguments = {
            "share_instance_id": instance["id"],
            "force": force,
            "deferred_delete": False,
        }
        requests.append(Request("delete_share_instance", instance["host"] or "", arguments))
    return share, Prepared(requests, functools.partial(restore_shares, old, states.DELETING))


def resize_share(
    connection: Connection, name_or_id: str, new_size: int, grow: bool, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a share into 'extending' or 'shrinking'; new_size in GiB."""
    share = lookup.share(connection, name_or_id)
    if grow and new_size <= share["size"]:
        raise Refused(reason=f"the share has {share['size']} GiB already; extend needs more")
    if not grow and new_size >= share["size"]:
        raise Refused(reason=f"the share has only {share['size']} GiB; shrink needs less")
    refuse_in_migration(share)
    if grow:
        growth = {quotas.GIGABYTES: new_size - share["size"]}
        require_room(connection, share["project_id"], growth, new_size)
    status = states.EXTENDING if grow else states.SHRINKING
    instance = only_instance(share)
    begin_share(connection, share, instance, status, now)
    arguments: dict[str, Any] = {"share_id": share["id"], "new_size": new_size}
    if grow:
        arguments["reservations"] = []
    method = "extend_share" if grow else "shrink_share"
    undo = functools.partial(restore_shares, {instance["id"]: instance["status"]}, status)
    return share, Prepared([Request(method, instance["host"], arguments)], undo)


def create_snapshot(
    connection: Connection,
    context: RequestContext,
    name_or_id: str,
    snapshot_id: str,
    now: datetime.datetime,
    name: str | None = None,
    description: str | None = None,
) -> tuple[Record, Prepared]:
    """Make the rows of a new snapshot in 'creating'."""
    share = lookup.share(connection, name_or_id)
    if share["status"] != states.AVAILABLE:
        raise wrong_status("share", share["id"], share["status"], "a snapshot")
    if share["snapshot_support"] is False:
        raise Refused(reason=f"share {share['id']} has no snapshot support")
    refuse_in_migration(share)
    instance = only_instance(share)
    room = {quotas.SNAPSHOTS: 1, quotas.SNAPSHOT_GIGABYTES: share["size"]}
    require_room(connection, context.project_id or "", room)
    made = creation.new_snapshot(
        connection,
        now,
        instance,
        name=name,
        description=description,
        project_id=context.project_id,
        user_id=context.user_id,
        snapshot_id=snapshot_id,
    )
    arguments = {"share_id": share["id"], "snapshot_id": made["snapshot_id"]}
    undo = functools.partial(
        set_status, share_snapshot_instances, made["instance_id"], states.CREATING, states.ERROR
    )
    return share, Prepared([Request("create_snapshot", instance["host"], arguments)], undo)


def delete_snapshot(
    connection: Connection, name_or_id: str, force: bool, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a snapshot into 'deleting'."""
    snapshot = lookup.snapshot(connection, name_or_id)
    share = lookup.share(connection, snapshot["share_id"])
    if len(snapshot["instances"]) != 1:
        raise Refused(reason=f"snapshot {snapshot['id']} belongs to a replicated share")
    instance = snapshot["instances"][0]
    if not creation.begin_on_snapshot(connection, instance["id"], states.DELETING, now):
        if not force:
            raise wrong_status("snapshot", snapshot["id"], snapshot["status"], "deleting")
        set_status(share_snapshot_instances, instance["id"], None, states.DELETING, connection)
    arguments = {"snapshot_id": snapshot["id"], "force": force, "deferred_delete": False}
    request = Request("delete_snapshot", share["instances"][0]["host"], arguments)
    undo = functools.partial(
        set_status, share_snapshot_instances, instance["id"], states.DELETING, snapshot["status"]
    )
    return snapshot, Prepared([request], undo)


def begin_share(
    connection: Connection,
    share: Record,
    instance: Record,
    status: str,
    now: datetime.datetime,
    force: bool = False,
) -> None:
    """Put an instance into a transitional status; with force whatever its status is.

    Raises Refused where the status does not lead there.
    """
    if creation.begin_on_share(connection, instance["id"], status, now):
        return
    if not force:
        raise wrong_status("share", share["id"], instance["status"], status)
    set_status(share_instances, instance["id"], None, status, connection)


def wrong_status(kind: str, resource_id: str, status: str, wanted: str) -> Refused:
    """The refusal of what the status of a share or snapshot does not allow."""
    return Refused(reason=f"{kind} {resource_id} is '{status}', which does not allow {wanted}")


def only_instance(share: Record) -> Record:
    """Return the instance of a share. Raises Refused where it has several."""
    if len(share["instances"]) != 1:
        raise Refused(reason=f"share {share['id']} has replicas or is migrating")
    instance: Record = share["instances"][0]
    return instance


def refuse_in_migration(share: Record) -> None:
    """Raise Refused while a share is being migrated."""
    if share["task_state"] not in _MIGRATION_OVER:
        raise Refused(reason=f"share {share['id']} is in a migration ({share['task_state']})")


def refuse_in_group(share: Record) -> None:
    """Raise Refused for a share that belongs to a group."""
    if share["share_group_id"]:
        raise Refused(reason=f"share {share['id']} belongs to group {share['share_group_id']}")


def restore_shares(old: Mapping[str, str], begun: str, connection: Connection) -> None:
    """Give instances that are still in the status ``begun`` the old ones back."""
    for instance_id, status in old.items():
        set_status(share_instances, instance_id, begun, status, connection)


def set_status(
    table: sa.Table, row_id: str, old: str | None, new: str, connection: Connection
) -> None:
    """Change a status; where ``old`` is given, only if it is that still."""
    query = table.update().where(table.c.id == row_id, table.c.deleted == "False")
    if old is not None:
        query = query.where(table.c.status == old)
    connection.execute(query.values(status=new))
