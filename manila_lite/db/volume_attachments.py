# SPDX-License-Identifier: Apache-2.0
"""Attachments of volumes: who has a volume, where, and since when.

What a volume itself says of it (status, attach_status) is written in the same transaction and
decided by the rows of its attachments as they are then, not by what the caller has read: calls
that attach and detach do not wait for each other.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import volume_states as states
from manila_lite.db.guards import living, one_of
from manila_lite.db.models import volume_attachment, volumes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write

_a = volume_attachment.c
_v = volumes.c

_SELECT = sa.select(volume_attachment).where(living(volume_attachment))
_OF_VOLUMES = _SELECT.where(_a.volume_id.in_(sa.bindparam("ids", expanding=True))).order_by(
    _a.created_at, _a.id
)
_BY_ID = _SELECT.where(_a.id == sa.bindparam("id"))

# Kept as text; a connector or the way to a volume is a mapping everywhere else.
_JSON = ("connector", "connection_info")
_COLUMNS = (
    "instance_uuid", "attached_host", "mountpoint", "attach_mode", "attach_status", "attach_time",
    *_JSON,
)  # fmt: skip

_INSERT = volume_attachment.insert().values(
    id=sa.bindparam("b_id"),
    volume_id=sa.bindparam("b_volume_id"),
    created_at=sa.bindparam("b_now"),
    updated_at=sa.bindparam("b_now"),
    deleted=False,
    **{name: sa.bindparam(f"b_{name}") for name in _COLUMNS},
)
_DETACH = (
    volume_attachment.update()
    .where(_a.id == sa.bindparam("b_id"), living(volume_attachment))
    .values(
        attach_status=states.ATTACH_DETACHED,
        detach_time=sa.bindparam("b_now"),
        updated_at=sa.bindparam("b_now"),
        deleted=True,
        deleted_at=sa.bindparam("b_now"),
    )
)

# (an attachment's status, the volume's status and attach_status while there is such a one), the
# first that is met decides.
_PRECEDENCE: Final = (
    (states.ATTACH_ATTACHED, states.IN_USE),
    (states.ATTACH_ATTACHING, states.ATTACHING),
    (states.ATTACH_RESERVED, states.RESERVED),
)
#: Statuses of a volume that say nothing but who has it. Where something else is under way (an
#: upload ...), that operation looks at the attachments when it ends.
_ABOUT_ATTACHMENTS: Final = frozenset(
    {states.AVAILABLE, states.RESERVED, states.ATTACHING, states.IN_USE, states.DETACHING}
)


def _there_is(attach_status: str) -> sa.ColumnElement[bool]:
    return sa.exists(
        sa.select(_a.id).where(
            _a.volume_id == sa.bindparam("b_volume_id"),
            living(volume_attachment),
            _a.attach_status == attach_status,
        )
    )


def _settle(column: str, values: Mapping[str, str], otherwise: str) -> sa.Update:
    """Give a column of the volume the value that its attachments ask for."""
    whens = [(_there_is(attach_status), value) for attach_status, value in values.items()]
    changes = {column: sa.case(*whens, else_=otherwise), "updated_at": sa.bindparam("b_now")}
    this = (_v.id == sa.bindparam("b_volume_id"), living(volumes))
    return volumes.update().where(*this).values(changes)


_SETTLE_STATUS = _settle("status", dict(_PRECEDENCE), states.AVAILABLE).where(
    one_of(_v.status, _ABOUT_ATTACHMENTS)
)
_SETTLE_ATTACH_STATUS = _settle(
    "attach_status", {status: status for status, _ in _PRECEDENCE}, states.ATTACH_DETACHED
)


def of_volumes(connection: Connection, volume_ids: Sequence[str]) -> dict[str, list[Record]]:
    """Return {volume id: its attachments, the oldest first}."""
    found: dict[str, list[Record]] = {}
    for row in connection.execute(_OF_VOLUMES, {"ids": list(volume_ids)}):
        found.setdefault(row.volume_id, []).append(_as_attachment(row))
    return found


def get_attachment(connection: Connection, attachment_id: str) -> Record | None:
    """Return an attachment by id; None when it is over or unknown."""
    row = connection.execute(_BY_ID, {"id": attachment_id}).first()
    return None if row is None else _as_attachment(row)


def _as_attachment(row: Any) -> Record:
    record = Record.of(row)
    for name in _JSON:
        record[name] = json.loads(record[name]) if record[name] else None
    return record


def new_attachment(
    volume_id: str,
    now: datetime.datetime,
    *,
    attachment_id: str | None = None,
    status: str = states.ATTACH_RESERVED,
    **columns: Any,
) -> list[Write]:
    """Insert an attachment that is reserved or being made, and let the volume say so.

    columns: instance_uuid, attached_host, mountpoint, attach_mode, and the mappings connector and
    connection_info.
    """
    row = _row(volume_id, attachment_id, now, {**columns, "attach_status": status})
    return [Write(_INSERT, row), *settled(volume_id, now)]


def attached(
    volume: Mapping[str, Any],
    attachment_id: str,
    now: datetime.datetime,
    *,
    mode: str = "rw",
    **columns: Any,
) -> list[Write]:
    """Say that the volume is attached and in use; the attachment is made where it is new.

    volume: a complete record. mode: 'rw' or 'ro'. columns: as for :func:`new_attachment`. Raises
    InvalidStatusTransition where the volume's status does not lead to in-use.
    """
    if volume["status"] != states.IN_USE:
        states.check_volume_transition(volume["status"], states.IN_USE)
    columns |= {
        "attach_mode": mode,
        "attach_status": states.ATTACH_ATTACHED,
        "attach_time": now,
    }
    known = {attachment["id"] for attachment in volume["volume_attachment"]}
    if attachment_id in known:
        writes = updated(attachment_id, now, **columns)
    else:
        writes = [Write(_INSERT, _row(volume["id"], attachment_id, now, columns))]
    return [*writes, *settled(volume["id"], now)]


def updated(attachment_id: str, now: datetime.datetime, **columns: Any) -> list[Write]:
    """Set columns of an attachment that is not over; the volume is not told."""
    values = {name: _written(name, value) for name, value in columns.items()}
    statement = volume_attachment.update().where(_a.id == attachment_id, living(volume_attachment))
    return [Write(statement.values(**values, updated_at=now))]


def detached(volume_id: str, attachment_id: str, now: datetime.datetime) -> list[Write]:
    """End an attachment; with the last one the volume is available again.

    Harmless where the attachment is over already or never was.
    """
    return [Write(_DETACH, {"b_id": attachment_id, "b_now": now}), *settled(volume_id, now)]


def settled(volume_id: str, now: datetime.datetime) -> list[Write]:
    """Make a volume say what its attachments say.

    The status stays where it speaks of something else than attachments.
    """
    this = {"b_volume_id": volume_id, "b_now": now}
    return [Write(_SETTLE_STATUS, this), Write(_SETTLE_ATTACH_STATUS, this)]


def _row(
    volume_id: str, attachment_id: str | None, now: datetime.datetime, columns: Mapping[str, Any]
) -> dict[str, Any]:
    unknown = set(columns) - set(_COLUMNS)
    if unknown:
        raise TypeError(f"an attachment has no {', '.join(sorted(unknown))}")
    return {
        "b_id": attachment_id or str(uuid.uuid4()),
        "b_volume_id": volume_id,
        "b_now": now,
        **{f"b_{name}": _written(name, columns.get(name)) for name in _COLUMNS},
    }


def _written(name: str, value: Any) -> Any:
    return json.dumps(value) if name in _JSON and value is not None else value
