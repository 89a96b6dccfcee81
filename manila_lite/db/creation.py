# SPDX-License-Identifier: Apache-2.0
"""The rows that an API makes before it casts: for the command line, which has no API.

The caller records the operation in the same transaction, so that there is never a row in
'creating' that nobody will create.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import quotas
from manila_lite.db.models import (
    share_instances,
    share_metadata,
    share_snapshot_instances,
    share_snapshots,
    shares,
)
from manila_lite.db.records import Record


def new_share(
    connection: Connection,
    now: datetime.datetime,
    *,
    host: str,
    size: int,
    share_proto: str,
    project_id: str,
    user_id: str,
    share_type: Mapping[str, Any] | None = None,
    name: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, str] | None = None,
    snapshot_id: str | None = None,
    zone_id: str | None = None,
    supports: Mapping[str, bool] | None = None,
    share_id: str | None = None,
    status: str = states.CREATING,
    share_network_id: str | None = None,
) -> Record:
    """Insert a share of size GiB and its instance in 'creating'; return {share_id, instance_id}.

    host: 'host@backend#pool'. supports: the share's *_support columns, as its type has them.
    The usages of project and user grow by one share and its size. status: manage_starting makes
    one that exists; it is counted when its size is known.
    """
    share_id = share_id or str(uuid.uuid4())
    instance_id = str(uuid.uuid4())
    type_id = share_type["id"] if share_type is not None else None
    connection.execute(
        shares.insert(),
        {
            "id": share_id,
            "user_id": user_id,
            "project_id": project_id,
            "size": int(size),
            "display_name": name,
            "display_description": description,
            "snapshot_id": snapshot_id,
            "share_proto": share_proto,
            "is_public": False,
            "created_at": now,
            "deleted": "False",
            **(supports or {}),
        },
    )
    connection.execute(
        share_instances.insert(),
        {
            "id": instance_id,
            "share_id": share_id,
            "host": host,
            "status": status,
            "scheduled_at": now,
            "share_network_id": share_network_id,
            "access_rules_status": states.ACCESS_ACTIVE,
            "cast_rules_to_readonly": False,
            "share_type_id": type_id,
            "availability_zone_id": zone_id,
            "created_at": now,
            "updated_at": now,
            "deleted": "False",
        },
    )
    for key, value in (metadata or {}).items():
        row = {"share_id": share_id, "key": key, "value": value, "created_at": now, "deleted": 0}
        connection.execute(share_metadata.insert(), row)
    if status == states.CREATING:
        owner = {"project_id": project_id, "user_id": user_id}
        deltas = {quotas.SHARES: 1, quotas.GIGABYTES: int(size)}
        quotas.add_usage(connection, owner, type_id, deltas, now)
    return Record(share_id=share_id, instance_id=instance_id)


def new_snapshot(
    connection: Connection,
    now: datetime.datetime,
    instance: Mapping[str, Any],
    *,
    name: str | None = None,
    description: str | None = None,
    project_id: str | None = None,
    user_id: str | None = None,
    snapshot_id: str | None = None,
    status: str = states.CREATING,
    provider_location: str | None = None,
) -> Record:
    """Insert a snapshot of a share instance (a record of db.shares) in 'creating'.

    Returns {snapshot_id, instance_id}. The usages grow by one snapshot and the share's size.
    status: manage_starting makes one that exists at provider_location; it is counted later.
    """
    snapshot_id = snapshot_id or str(uuid.uuid4())
    instance_id = str(uuid.uuid4())
    owner = {
        "project_id": project_id or instance["project_id"],
        "user_id": user_id or instance["user_id"],
    }
    connection.execute(
        share_snapshots.insert(),
        {
            "id": snapshot_id,
            "share_id": instance["share_id"],
            "size": instance["size"],
            "share_size": instance["size"],
            "share_proto": instance["share_proto"],
            "display_name": name,
            "display_description": description,
            "created_at": now,
            "deleted": "False",
            **owner,
        },
    )
    connection.execute(
        share_snapshot_instances.insert(),
        {
            "id": instance_id,
            "snapshot_id": snapshot_id,
            "share_instance_id": instance["id"],
            "status": status,
            "progress": "0%",
            "provider_location": provider_location,
            "size": instance["size"],
            "share_proto": instance["share_proto"],
            "created_at": now,
            "updated_at": now,
            "deleted": "False",
            **owner,
        },
    )
    if status == states.CREATING:
        deltas = {quotas.SNAPSHOTS: 1, quotas.SNAPSHOT_GIGABYTES: int(instance["size"] or 0)}
        quotas.add_usage(connection, owner, instance["share_type_id"], deltas, now)
    return Record(snapshot_id=snapshot_id, instance_id=instance_id)


def _begin(table: sa.Table) -> sa.Update:
    c = table.c
    return (
        table.update()
        .where(
            c.id == sa.bindparam("b_id"),
            c.deleted == "False",
            c.status.in_(sa.bindparam("b_from", expanding=True)),
        )
        .values(status=sa.bindparam("b_status"), updated_at=sa.bindparam("b_now"))
    )


_BEGIN_SHARE = _begin(share_instances)
_BEGIN_SNAPSHOT = _begin(share_snapshot_instances)


def begin_on_share(
    connection: Connection, instance_id: str, status: str, now: datetime.datetime
) -> bool:
    """Put an instance into a transitional status, as the API does before it casts.

    False, and no change, when another operation is under way or the status does not lead there.
    """
    sources = [old for old, new in states.SHARE_TRANSITIONS.items() if status in new]
    return _begun(connection, _BEGIN_SHARE, instance_id, status, sources, now)


def begin_on_snapshot(
    connection: Connection, instance_id: str, status: str, now: datetime.datetime
) -> bool:
    """Put a snapshot instance into a transitional status; False where that is not possible."""
    sources = [old for old, new in states.SNAPSHOT_TRANSITIONS.items() if status in new]
    return _begun(connection, _BEGIN_SNAPSHOT, instance_id, status, sources, now)


def _begun(
    connection: Connection,
    statement: sa.Update,
    row_id: str,
    status: str,
    sources: list[str],
    now: datetime.datetime,
) -> bool:
    parameters = {
        "b_id": row_id,
        "b_status": status,
        "b_from": [old for old in sources if old in states.STEADY],
        "b_now": now,
    }
    return connection.execute(statement, parameters).rowcount == 1
