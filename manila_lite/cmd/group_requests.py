# SPDX-License-Identifier: Apache-2.0
"""What an API does about share groups between a request and its cast.

As :mod:`manila_lite.cmd.requests`: each function runs inside a transaction, and Refused means that
nothing was written.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.cmd import group_lookup
from manila_lite.cmd.dispatch import Prepared, Request
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.limits import require_room
from manila_lite.db import group_creation, quotas, share_groups
from manila_lite.db import models as tables
from manila_lite.db.records import Record

if TYPE_CHECKING:
    from manila_lite.context import RequestContext


@dataclasses.dataclass(frozen=True)
class GroupWish:
    """What somebody wants; host in full, empty with a snapshot; id made beforehand."""

    group_id: str
    host: str = ""
    name: str | None = None
    description: str | None = None
    share_type: Record | None = None
    snapshot: str | None = None


def create_group(
    connection: Connection, context: RequestContext, wish: GroupWish, now: datetime.datetime
) -> Prepared:
    """Make the row of a new group in 'creating', and those of its shares if it has a source."""
    owner = {"project_id": context.project_id or "", "user_id": context.user_id or ""}
    source = _source(connection, wish.snapshot) if wish.snapshot else None
    require_room(connection, owner["project_id"], _room(source))
    types = [wish.share_type["id"]] if wish.share_type else []
    host = wish.host
    if source is not None:
        types = [mapping["share_type_id"] for mapping in source["share_group"]["share_types"]]
        host = source["share_group"]["host"]
    group_creation.new_group(
        connection,
        now,
        host=host,
        name=wish.name,
        description=wish.description,
        share_type_ids=types,
        source_id=source["id"] if source else None,
        group_id=wish.group_id,
        **owner,
    )
    if source is not None:
        group_creation.new_shares_of_snapshot(connection, now, wish.group_id, source, owner)
    undo = functools.partial(_to_error, wish.group_id)
    arguments = {"share_group_id": wish.group_id}
    return Prepared([Request("create_share_group", host, arguments)], undo)


def _source(connection: Connection, name_or_id: str) -> Record:
    snapshot = group_lookup.group_snapshot(connection, name_or_id)
    if snapshot["status"] != states.AVAILABLE:
        raise _wrong_status("group snapshot", snapshot, "a group to be made from it")
    for member in snapshot["share_group_snapshot_members"]:
        if member["share"] is None:
            raise Refused(reason=f"a share of group snapshot {snapshot['id']} is gone")
        if member["share"]["create_share_from_snapshot_support"] is False:
            share_id = member["share"]["share_id"]
            raise Refused(reason=f"no shares can be made from snapshots of share {share_id}")
    return snapshot


def _room(source: Record | None) -> dict[str, int]:
    members = source["share_group_snapshot_members"] if source is not None else []
    wanted = {quotas.GROUPS: 1}
    if members:
        wanted[quotas.SHARES] = len(members)
        wanted[quotas.GIGABYTES] = sum(member["size"] or 0 for member in members)
    return wanted


def _to_error(group_id: str, connection: Connection) -> None:
    _set_status(tables.share_groups, group_id, states.CREATING, states.ERROR, connection)
    for share in share_groups.shares_of_group(connection, group_id):
        table = tables.share_instances
        _set_status(table, share["id"], states.CREATING, states.ERROR, connection)


def delete_group(
    connection: Connection, name_or_id: str, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a group that is empty into 'deleting'."""
    group = group_lookup.group(connection, name_or_id)
    snapshots = share_groups.count_snapshots(connection, group["id"])
    for count, what in ((len(group["shares"]), "shares"), (snapshots, "snapshots")):
        if count:
            raise Refused(reason=f"group {group['id']} has {count} {what}; delete them first")
    return group, _deletion(connection, tables.share_groups, group, group["host"], now)


def create_group_snapshot(
    connection: Connection,
    context: RequestContext,
    name_or_id: str,
    snapshot_id: str,
    now: datetime.datetime,
    name: str | None = None,
    description: str | None = None,
) -> Prepared:
    """Make the rows of a new group snapshot in 'creating', one for each share of the group."""
    group = group_lookup.group(connection, name_or_id)
    if group["status"] != states.AVAILABLE:
        raise _wrong_status("group", group, "a snapshot")
    for share in group["shares"]:
        if share["status"] != states.AVAILABLE:
            reason = f"share {share['share_id']} of the group is '{share['status']}', not available"
            raise Refused(reason=reason)
        if share["snapshot_support"] is False:
            raise Refused(reason=f"share {share['share_id']} has no snapshot support")
    require_room(connection, context.project_id or "", {quotas.GROUP_SNAPSHOTS: 1})
    group_creation.new_group_snapshot(
        connection,
        now,
        group,
        group["shares"],
        project_id=context.project_id or "",
        user_id=context.user_id or "",
        name=name,
        description=description,
        snapshot_id=snapshot_id,
    )
    arguments = {"share_group_snapshot_id": snapshot_id}
    undo = functools.partial(
        _set_status, tables.share_group_snapshots, snapshot_id, states.CREATING, states.ERROR
    )
    return Prepared([Request("create_share_group_snapshot", group["host"], arguments)], undo)


def delete_group_snapshot(
    connection: Connection, name_or_id: str, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a group snapshot into 'deleting'."""
    snapshot = group_lookup.group_snapshot(connection, name_or_id)
    host = snapshot["share_group"]["host"]
    return snapshot, _deletion(connection, tables.share_group_snapshots, snapshot, host, now)


def _deletion(
    connection: Connection, table: sa.Table, record: Record, host: str, now: datetime.datetime
) -> Prepared:
    is_group = table is tables.share_groups
    kind, resource = ("group", quotas.GROUPS)
    method, argument = "delete_share_group", "share_group_id"
    if not is_group:
        kind, resource = "group snapshot", quotas.GROUP_SNAPSHOTS
        method, argument = "delete_share_group_snapshot", "share_group_snapshot_id"
    if not group_creation.begin_deletion(connection, table, record, resource, now):
        raise _wrong_status(kind, record, "deleting")
    undo = functools.partial(
        _undo_deletion, table, record["id"], record["status"], record, resource, now
    )
    return Prepared([Request(method, host, {argument: record["id"]})], undo)


def _undo_deletion(
    table: sa.Table,
    row_id: str,
    old: str,
    owner: Record,
    resource: str,
    now: datetime.datetime,
    connection: Connection,
) -> None:
    _set_status(table, row_id, states.DELETING, old, connection)
    quotas.add_usage(connection, owner, None, {resource: 1}, now)


def _wrong_status(kind: str, record: Record, wanted: str) -> Refused:
    return Refused(
        reason=f"{kind} {record['id']} is '{record['status']}', which does not allow {wanted}"
    )


def _set_status(table: sa.Table, row_id: str, old: str, new: str, connection: Connection) -> None:
    c = table.c
    connection.execute(
        table.update().where(c.id == row_id, c.deleted == "False", c.status == old)
        .values(status=new)
    )  # fmt: skip


# -- the shares of a group ---------------------------------------------------------------------


def group_for_share(
    connection: Connection, name_or_id: str, share_type_id: str | None, source_host: str | None
) -> Record:
    """The group that a new share goes into, on whose host it is made.

    source_host: of the snapshot that it is made from. Raises Refused where the group takes no such
    share.
    """
    group = group_lookup.group(connection, name_or_id)
    if group["status"] != states.AVAILABLE:
        raise _wrong_status("group", group, "a new share")
    allowed = [mapping["share_type_id"] for mapping in group["share_types"]]
    if allowed and share_type_id not in allowed:
        raise Refused(
            reason=f"group {group['id']} takes no shares of type {share_type_id}; "
            f"it takes {', '.join(allowed)}"
        )
    if source_host not in (None, group["host"]):
        raise Refused(
            reason=f"the snapshot is on {source_host}, group {group['id']} is on {group['host']}"
        )
    return group


def require_group_of_share(connection: Connection, share: Record, group: str | None) -> None:
    """Raise Refused for the deletion of a share unless the group that it is in is named.

    group: what the user says that it is in, None for no group.
    """
    own = share["share_group_id"]
    if group is None and own:
        raise Refused(
            reason=f"share {share['id']} belongs to group {own}; say so with --share-group"
        )
    if group is not None and group_lookup.group(connection, group)["id"] != own:
        raise Refused(reason=f"share {share['id']} does not belong to group {group}")
    count = share_groups.count_members_of_share(connection, share["id"])
    if count:
        raise Refused(
            reason=f"share {share['id']} is in {count} group snapshots; delete them first"
        )
