# SPDX-License-Identifier: Apache-2.0
"""The rows of share groups and group snapshots that an API makes before it casts.

As :mod:`manila_lite.db.creation`: for the command line, in the transaction of the operation.
Usages of groups and of their snapshots belong to the API in Manila, at deletion too; a service
never changes them.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import creation, quotas
from manila_lite.db.models import (
    share_group_share_type_mappings,
    share_group_snapshots,
    share_groups,
    share_snapshot_instances,
    shares,
)

# What a share made from another one's snapshot takes from it.
_INHERITED = (
    "snapshot_support",
    "create_share_from_snapshot_support",
    "revert_to_snapshot_support",
    "mount_snapshot_support",
)
_BEGIN_FROM = (states.AVAILABLE, states.ERROR, states.ERROR_DELETING)


def new_group(
    connection: Connection,
    now: datetime.datetime,
    *,
    host: str,
    project_id: str,
    user_id: str,
    name: str | None = None,
    description: str | None = None,
    share_type_ids: Iterable[str] = (),
    source_id: str | None = None,
    group_id: str | None = None,
) -> str:
    """Insert a share group in 'creating' and return its id.

    host: 'host@backend#pool'. share_type_ids: types of the shares that it may hold. source_id:
    the group snapshot that it is made from. The user's usage grows by one group.
    """
    group_id = group_id or str(uuid.uuid4())
    owner = {"project_id": project_id, "user_id": user_id}
    row = {
        "id": group_id,
        "host": host,
        "name": name,
        "description": description,
        "status": states.CREATING,
        "source_share_group_snapshot_id": source_id,
        "created_at": now,
        "updated_at": now,
        "deleted": "False",
        **owner,
    }
    connection.execute(share_groups.insert(), row)
    for share_type_id in share_type_ids:
        mapping = {
            "id": str(uuid.uuid4()),
            "share_group_id": group_id,
            "share_type_id": share_type_id,
            "created_at": now,
            "deleted": "False",
        }
        connection.execute(share_group_share_type_mappings.insert(), mapping)
    quotas.add_usage(connection, owner, None, {quotas.GROUPS: 1}, now)
    return group_id


def new_shares_of_snapshot(
    connection: Connection,
    now: datetime.datetime,
    group_id: str,
    snapshot: Mapping[str, Any],
    owner: Mapping[str, str],
) -> list[str]:
    """Insert a share in 'creating' for each member of a group snapshot; return their ids.

    snapshot: a record of db.share_groups.get_group_snapshot(). The group makes the shares; nothing
    is cast for them.
    """
    made = []
    for member in snapshot["share_group_snapshot_members"]:
        share = member["share"]
        share_id = creation.new_share(
            connection,
            now,
            host=share["host"],
            size=member["size"],
            share_proto=member["share_proto"],
            project_id=owner["project_id"],
            user_id=owner["user_id"],
            share_type={"id": share["share_type_id"]} if share["share_type_id"] else None,
            name=share["display_name"],
            supports={key: share[key] for key in _INHERITED},
        )["share_id"]
        put_in_group(connection, share_id, group_id, member["id"])
        made.append(share_id)
    return made


def put_in_group(
    connection: Connection, share_id: str, group_id: str, member_id: str | None = None
) -> None:
    """Make a new share one of a group; member_id: what it is made from, in a group snapshot."""
    values = {"share_group_id": group_id, "source_share_group_snapshot_member_id": member_id}
    connection.execute(shares.update().where(shares.c.id == share_id).values(values))


def new_group_snapshot(
    connection: Connection,
    now: datetime.datetime,
    group: Mapping[str, Any],
    instances: Iterable[Mapping[str, Any]],
    *,
    project_id: str,
    user_id: str,
    name: str | None = None,
    description: str | None = None,
    snapshot_id: str | None = None,
) -> str:
    """Insert a snapshot of a group in 'creating', with a member for each share instance.

    Returns its id. The user's usage grows by one group snapshot.
    """
    snapshot_id = snapshot_id or str(uuid.uuid4())
    common = {
        "project_id": project_id,
        "user_id": user_id,
        "status": states.CREATING,
        "created_at": now,
        "updated_at": now,
        "deleted": "False",
    }
    row = {
        "id": snapshot_id,
        "share_group_id": group["id"],
        "name": name,
        "description": description,
        **common,
    }
    connection.execute(share_group_snapshots.insert(), row)
    for instance in instances:
        member = {
            "id": str(uuid.uuid4()),
            "share_group_snapshot_id": snapshot_id,
            "share_instance_id": instance["id"],
            "size": instance["size"],
            "share_proto": instance["share_proto"],
            "progress": "0%",
            **common,
        }
        connection.execute(share_snapshot_instances.insert(), member)
    owner = {"project_id": project_id, "user_id": user_id}
    quotas.add_usage(connection, owner, None, {quotas.GROUP_SNAPSHOTS: 1}, now)
    return snapshot_id


def begin_deletion(
    connection: Connection,
    table: sa.Table,
    row: Mapping[str, Any],
    resource: str,
    now: datetime.datetime,
) -> bool:
    """Put a group or a group snapshot into 'deleting', and count one less of ``resource``.

    False, and no change, when its status does not lead there.
    """
    c = table.c
    statement = (
        table.update()
        .where(c.id == row["id"], c.deleted == "False", c.status.in_(_BEGIN_FROM))
        .values(status=states.DELETING, updated_at=now)
    )
    if connection.execute(statement).rowcount != 1:
        return False
    quotas.add_usage(connection, row, None, {resource: -1}, now)
    return True
