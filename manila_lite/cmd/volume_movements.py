# SPDX-License-Identifier: Apache-2.0
"""What an API does when a volume is attached, detached, copied to an image, or moved elsewhere."""

from __future__ import annotations

import datetime
import functools
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import volume_states as states
from manila_lite.cmd import volume_lookup
from manila_lite.cmd.dispatch import Prepared
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.volume_requests import (
    begin,
    refuse_attached,
    refuse_in_migration,
    request,
    set_status,
    wrong_status,
)
from manila_lite.db import operations, volume_attachments, volume_creation
from manila_lite.db.guards import living
from manila_lite.db.models import volumes
from manila_lite.db.records import Record
from manila_lite.db.writes import execute_writes
from manila_lite.volume.flows.casting import lane_of

_TAKEN = (states.AVAILABLE, states.RESERVED)
_BETWEEN = (states.ATTACHING, states.DETACHING)


def reserve(connection: Connection, name_or_id: str, now: datetime.datetime) -> Record:
    """Put a volume into 'attaching', and return it: what begins now finds it so.

    A second attachment is for volumes that several may have.
    """
    volume = volume_lookup.volume(connection, name_or_id)
    again = (states.IN_USE,) if volume["multiattach"] else ()
    begun = volume_creation.begin_on_volume(
        connection, volume["id"], states.ATTACHING, now, (*_TAKEN, *again)
    )
    if not begun:
        raise wrong_status("volume", volume["id"], volume["status"], "another attachment")
    return volume_lookup.volume(connection, volume["id"])


def is_busy(connection: Connection, volume: Record) -> bool:
    """Whether something is under way on a volume, or due.

    It began with the volume as nobody's: a snapshot, say, that changes which image is the active
    one. Whoever was given the volume meanwhile would write to the wrong one.
    """
    host = (volume["host"] or "").partition("#")[0]
    return bool(operations.open_lanes(connection, host, [lane_of(volume["id"])]))


def release(connection: Connection, volume: Record, now: datetime.datetime) -> None:
    """Take a reservation back."""
    execute_writes(connection, [volume_attachments.settled(volume["id"], now)])


def attach(
    connection: Connection,
    volume: Record,
    attachment_id: str,
    now: datetime.datetime,
    *,
    mode: str,
    **columns: Any,
) -> None:
    """Record that somebody has a volume that was reserved.

    columns: instance_uuid, attached_host, mountpoint. What is recorded connects nothing.
    """
    writes = volume_attachments.attached(volume, attachment_id, now, mode=mode, **columns)
    execute_writes(connection, [writes])


def detach(
    connection: Connection, name_or_id: str, attachment: str | None, now: datetime.datetime
) -> Record:
    """Record that somebody has a volume no longer; return the volume as it is then.

    One that nobody has got, because the attachment was broken off, is available again as well.
    """
    volume = volume_lookup.volume(connection, name_or_id)
    if volume["status"] in _BETWEEN and not volume["volume_attachment"]:
        release(connection, volume, now)
        return volume_lookup.volume(connection, volume["id"])
    doomed = volume_lookup.attachment(volume, attachment)
    writes = volume_attachments.detached(volume["id"], doomed["id"], now)
    execute_writes(connection, [writes])
    return volume_lookup.volume(connection, volume["id"])


def upload(
    connection: Connection, name_or_id: str, image: dict[str, Any], now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a volume into 'uploading'. image: id, disk_format, container_format of a queued one."""
    volume = volume_lookup.volume(connection, name_or_id)
    require_uploadable(volume)
    begin(connection, volume, states.UPLOADING, now)
    arguments = {"volume_id": volume["id"], "image_meta": image}
    undo = functools.partial(set_status, volumes, volume["id"], states.UPLOADING, volume["status"])
    return volume, Prepared([request("copy_volume_to_image", volume["host"], **arguments)], undo)


def require_uploadable(volume: Record) -> None:
    """Raise Refused where the volume's data may change while they are read."""
    refuse_attached(volume)
    refuse_in_migration(volume)
    if volume["status"] != states.AVAILABLE:
        raise wrong_status("volume", volume["id"], volume["status"], "an upload")


def migrate(
    connection: Connection, name_or_id: str, host: str, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Say that a volume is on its way to another pool: migration_status 'starting'."""
    volume = volume_lookup.volume(connection, name_or_id)
    refuse_attached(volume)
    refuse_in_migration(volume)
    if volume["host"] == host:
        raise Refused(reason=f"volume {volume['id']} is there already")
    if volume["status"] != states.AVAILABLE:
        raise wrong_status("volume", volume["id"], volume["status"], "a migration")
    _set_migration(volume, states.MIGRATION_STARTING, connection)
    arguments = {
        "volume_id": volume["id"],
        "host": {"host": host, "cluster_name": None, "capabilities": {}},
        "force_host_copy": False,
    }
    undo = functools.partial(_set_migration, volume, volume["migration_status"])
    return volume, Prepared([request("migrate_volume", volume["host"], **arguments)], undo)


def _set_migration(volume: Record, status: str | None, connection: Connection) -> None:
    query = volumes.update().where(volumes.c.id == volume["id"], living(volumes))
    connection.execute(query.values(migration_status=status, previous_status=volume["status"]))
