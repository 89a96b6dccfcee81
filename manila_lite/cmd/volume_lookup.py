# SPDX-License-Identifier: Apache-2.0
"""Finding the volumes, snapshots of volumes and attachments that people name."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.lookup import find_id
from manila_lite.db import volume_snapshots, volume_types, volumes
from manila_lite.db.models import snapshots as snapshot_table
from manila_lite.db.models import volumes as volume_table
from manila_lite.db.records import Record


def volume(connection: Connection, name_or_id: str) -> Record:
    """The complete volume of this id, beginning of an id, or name.

    Raises VolumeNotFound; Refused when several volumes fit.
    """
    found = find_id(connection, volume_table, name_or_id, "volume")
    record = volumes.get_volume(connection, found) if found else None
    if record is None:
        raise exception.VolumeNotFound(volume_id=name_or_id)
    return record


def snapshot(connection: Connection, name_or_id: str) -> Record:
    """The snapshot of this id, beginning of an id, or name, with its volume.

    Raises SnapshotNotFound; Refused when several snapshots fit.
    """
    found = find_id(connection, snapshot_table, name_or_id, "snapshot")
    record = volume_snapshots.get_snapshot(connection, found) if found else None
    if record is None:
        raise exception.SnapshotNotFound(snapshot_id=name_or_id)
    return record


def volume_type(connection: Connection, name_or_id: str | None) -> Record | None:
    """The volume type of that name or id; None where none is asked for."""
    if name_or_id is None:
        return None
    found = volume_types.get_type(connection, name_or_id)
    if found is None:
        raise exception.VolumeTypeNotFound(volume_type_id=name_or_id)
    return found


def attachment(volume: Record, wanted: str | None) -> Record:
    """The volume's attachment that begins with this id, else its only one.

    Raises VolumeAttachmentNotFound; Refused when there are several and none is named.
    """
    found = [one for one in volume["volume_attachment"] if one["id"].startswith(wanted or "")]
    if not found:
        raise exception.VolumeAttachmentNotFound(filter=wanted or f"of volume {volume['id']}")
    if len(found) > 1:
        known = ", ".join(one["id"] for one in found)
        raise Refused(
            reason=f"volume {volume['id']} has several, choose with --attachment: {known}"
        )
    first: Record = found[0]
    return first
