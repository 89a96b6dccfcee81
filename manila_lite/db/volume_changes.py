# SPDX-License-Identifier: Apache-2.0
"""Volumes: writing, as data.

``volume`` is a complete record of :mod:`manila_lite.db.volumes`. Its status is what the operation
found; what each write does where the row meanwhile says something else is told in
:mod:`manila_lite.db.guards`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from manila_lite import volume_states as states
from manila_lite.db import volume_attachments, volume_metadata
from manila_lite.db.guards import living, status_write
from manila_lite.db.models import volumes
from manila_lite.db.texts import short
from manila_lite.db.volumes import resting_status
from manila_lite.db.writes import Write

#: What a driver may say of a volume, beside metadata and admin_metadata.
MODEL_COLUMNS: Final = frozenset(
    {
        "bootable", "migration_status", "multiattach", "provider_auth", "provider_geometry",
        "provider_id", "provider_location", "replication_driver_data",
        "replication_extended_status", "replication_status", "size",
    }
)  # fmt: skip

_v = volumes.c
_THIS = (_v.id == sa.bindparam("b_id"), living(volumes))

_RESIZE = (
    volumes.update()
    .where(*_THIS)
    .values(size=sa.bindparam("b_size"), updated_at=sa.bindparam("b_now"))
)
# The storage is gone: whatever status stands there, the row goes too.
_DELETE = (
    volumes.update()
    .where(*_THIS)
    .values(
        status=states.DELETED,
        deleted=True,
        deleted_at=sa.bindparam("b_now"),
        updated_at=sa.bindparam("b_now"),
        terminated_at=sa.func.coalesce(_v.terminated_at, sa.bindparam("b_now")),
        migration_status=None,
    )
)


def move(volume_id: str, old: str, new: str, now: datetime.datetime, **columns: Any) -> list[Write]:
    """Take a volume from one status to the next; columns are set beside it.

    Raises InvalidStatusTransition. Changes nothing where the row meanwhile shows the
    transitional status of another operation, or where somebody has got hold of the volume.
    """
    return [
        status_write(
            volumes,
            states.check_volume_transition,
            volume_id,
            old,
            new,
            now,
            columns,
            states.may_be_overwritten,
        )
    ]


def updated(
    volume: Mapping[str, Any], model_update: Mapping[str, Any] | None, now: datetime.datetime
) -> list[Write]:
    """Keep what a driver says of a volume; its status is not touched."""
    columns = model_columns(model_update)
    writes = _metadata(volume, model_update, now)
    if columns:
        statement = volumes.update().where(_v.id == volume["id"], living(volumes))
        writes.append(Write(statement.values(**columns, updated_at=now)))
    return writes


def created(
    volume: Mapping[str, Any],
    model_update: Mapping[str, Any] | None,
    now: datetime.datetime,
    **columns: Any,
) -> list[Write]:
    """Make a new volume available, with what the driver says of it and with other columns."""
    columns = {**model_columns(model_update), "launched_at": now, **columns}
    return [
        *move(volume["id"], volume["status"], states.AVAILABLE, now, **columns),
        *_metadata(volume, model_update, now),
    ]


def extended(volume: Mapping[str, Any], new_size: int, now: datetime.datetime) -> list[Write]:
    """Make a volume new_size GiB large, and what its attachments make of it."""
    return [
        *rested(volume, now),
        Write(_RESIZE, {"b_id": volume["id"], "b_size": int(new_size), "b_now": now}),
    ]


def rested(volume: Mapping[str, Any], now: datetime.datetime, **columns: Any) -> list[Write]:
    """Put a volume on which nothing is under way any more into available or in-use."""
    return move(volume["id"], volume["status"], resting_status(volume), now, **columns)


def failed(volume: Mapping[str, Any], old: str, now: datetime.datetime) -> list[Write]:
    """Put a volume whose operation failed into the status that goes with it.

    old: the operation's own transitional status, whatever the row says now.
    """
    new = states.failed_volume_status(old, resting_status(volume))
    return move(volume["id"], old, new, now)


def deleted(volume: Mapping[str, Any], now: datetime.datetime) -> list[Write]:
    """Mark a volume as deleted, with its metadata and attachments."""
    writes = [Write(_DELETE, {"b_id": volume["id"], "b_now": now})]
    writes += volume_metadata.deleted_of_volume(volume, now)
    for attachment in volume["volume_attachment"]:
        writes += volume_attachments.detached(volume["id"], attachment["id"], now)
    return writes


def model_columns(model_update: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the columns of a driver's model update that a volume has; the rest is not ours."""
    return {name: value for name, value in (model_update or {}).items() if name in MODEL_COLUMNS}


def _metadata(
    volume: Mapping[str, Any], model_update: Mapping[str, Any] | None, now: datetime.datetime
) -> list[Write]:
    writes: list[Write] = []
    for kind in ("metadata", "admin_metadata"):
        pairs = (model_update or {}).get(kind) or {}
        texts = {str(short(key, 255)): short(value, 255) for key, value in pairs.items()}
        writes += volume_metadata.set_on_volume(volume, kind, texts, now)
    return writes


def imaged(
    volume: Mapping[str, Any], image: Mapping[str, Any], now: datetime.datetime
) -> list[Write]:
    """Keep what the image said from which a volume was made: texts by key, as Cinder keeps them.

    The volume becomes bootable.
    """
    statement = volumes.update().where(_v.id == volume["id"], living(volumes))
    return [
        Write(statement.values(bootable=True, updated_at=now)),
        *volume_metadata.set_on_volume(volume, "volume_glance_metadata", image, now),
    ]
