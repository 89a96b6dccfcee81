# SPDX-License-Identifier: Apache-2.0
"""Messages for users: the rows of ``messages``.

The numbers of actions and details are Manila's; its API turns them into sentences.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models import messages
from manila_lite.db.records import Record
from manila_lite.db.writes import Write

LEVEL_ERROR: Final = "ERROR"
TIME_TO_LIVE: Final = 30 * 24 * 3600.0  # seconds, as Manila's message_ttl

RESOURCE_SHARE: Final = "SHARE"
RESOURCE_SNAPSHOT: Final = "SHARE_SNAPSHOT"
RESOURCE_GROUP: Final = "SHARE_GROUP"
RESOURCE_SECURITY_SERVICE: Final = "SECURITY_SERVICE"
RESOURCE_SUBNET: Final = "SHARE_NETWORK_SUBNET"
RESOURCE_REPLICA: Final = "SHARE_REPLICA"
RESOURCE_BACKUP: Final = "SHARE_BACKUP"

ACTION_CREATE: Final = "002"
ACTION_DELETE_ACCESS_RULES: Final = "003"
ACTION_PROMOTE: Final = "004"
ACTION_UPDATE: Final = "005"
ACTION_REVERT_TO_SNAPSHOT: Final = "006"
ACTION_DELETE: Final = "007"
ACTION_EXTEND: Final = "008"
ACTION_SHRINK: Final = "009"
ACTION_UPDATE_ACCESS_RULES: Final = "010"
ACTION_ADD_UPDATE_SECURITY_SERVICE: Final = "011"
ACTION_TRANSFER_ACCEPT: Final = "026"
ACTION_UPDATE_METADATA: Final = "027"
ACTION_RESTORE_BACKUP: Final = "028"

DETAIL_UNKNOWN_ERROR: Final = "001"
DETAIL_UNEXPECTED_NETWORK: Final = "003"
DETAIL_NO_SHARE_SERVER: Final = "004"
DETAIL_NO_ACTIVE_AVAILABLE_REPLICA: Final = "005"
DETAIL_NO_ACTIVE_REPLICA: Final = "006"
DETAIL_DRIVER_FAILED_EXTEND: Final = "015"
DETAIL_DRIVER_FAILED_CREATING_FROM_SNAP: Final = "017"
DETAIL_DRIVER_REFUSED_SHRINK: Final = "018"
DETAIL_DRIVER_FAILED_SHRINK: Final = "019"
DETAIL_SECURITY_SERVICE_FAILED_AUTH: Final = "023"
DETAIL_MISSING_SECURITY_SERVICE: Final = "025"
DETAIL_DRIVER_FAILED_TRANSFER_ACCEPT: Final = "026"
DETAIL_PORT_LIMIT_EXCEEDED: Final = "027"
DETAIL_UPDATE_METADATA_SUCCESS: Final = "029"
DETAIL_UPDATE_METADATA_FAILURE: Final = "030"
DETAIL_TARGETED_RESTORE_UNSUPPORTED: Final = "032"
DETAIL_SUBNET_FULL: Final = "033"

_m = messages.c
_INSERT = messages.insert().values(
    id=sa.bindparam("id"),
    project_id=sa.bindparam("project_id"),
    request_id=sa.bindparam("request_id"),
    resource_type=sa.bindparam("resource_type"),
    resource_id=sa.bindparam("resource_id"),
    action_id=sa.bindparam("action_id"),
    detail_id=sa.bindparam("detail_id"),
    message_level=sa.bindparam("message_level"),
    created_at=sa.bindparam("now"),
    updated_at=sa.bindparam("now"),
    expires_at=sa.bindparam("expires_at"),
    deleted="False",
)
_OF_RESOURCE = (
    sa.select(messages)
    .where(_m.resource_id == sa.bindparam("resource_id"), _m.deleted == "False")
    .order_by(_m.created_at, _m.id)
)
_PURGE = messages.delete().where(_m.expires_at < sa.bindparam("now"))


def message(
    project_id: str | None,
    resource_type: str,
    resource_id: str,
    action_id: str,
    now: datetime.datetime,
    *,
    detail_id: str = DETAIL_UNKNOWN_ERROR,
    request_id: str | None = None,
    level: str = LEVEL_ERROR,
    time_to_live: float = TIME_TO_LIVE,
) -> list[Write]:
    """Tell the users of a project what became of a resource; forgotten after time_to_live seconds.

    Without a project there is nobody to tell, and no write.
    """
    if project_id is None:
        return []
    row: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "project_id": project_id,
        "request_id": request_id,
        "resource_type": resource_type,
        "resource_id": resource_id,
        "action_id": action_id,
        "detail_id": detail_id,
        "message_level": level,
        "now": now,
        "expires_at": now + datetime.timedelta(seconds=time_to_live),
    }
    return [Write(_INSERT, row)]


def list_messages(connection: Connection, resource_id: str) -> list[Record]:
    """Return the messages about a resource, oldest first."""
    return Record.all(connection.execute(_OF_RESOURCE, {"resource_id": resource_id}))


def purge(now: datetime.datetime) -> list[Write]:
    """Remove messages whose time is over."""
    return [Write(_PURGE, {"now": now})]
