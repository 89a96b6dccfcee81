# SPDX-License-Identifier: Apache-2.0
"""What Cinder's API does between a request about a volume and its cast: checks, rows, statuses.

Each function runs on a connection inside a transaction and returns what is to be sent; dispatch.py
commits and sends. Refused and its like mean that nothing was written.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import volume_states as states
from manila_lite.cmd import volume_lookup
from manila_lite.cmd.dispatch import Prepared, Request
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.recipients import VOLUMES
from manila_lite.db import volume_creation, volume_snapshots
from manila_lite.db.guards import living
from manila_lite.db.models import snapshots, volumes
from manila_lite.db.records import Record

if TYPE_CHECKING:
    from manila_lite.context import RequestContext


@dataclasses.dataclass(frozen=True)
class VolumeWish:
    """What somebody wants; size in GiB (None: its source's), host in full, the id made beforehand.

    snapshot, source: names or ids of what it is filled with. image: an image's id.
    """

    volume_id: str
    host: str
    size: int | None = None
    name: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    volume_type: str | None = None
    snapshot: str | None = None
    source: str | None = None
    image: str | None = None
    zone: str | None = None
    multiattach: bool = False


@dataclasses.dataclass(frozen=True)
class _Source:
    """Where the data come from, and what follows from it."""

    size: int | None = None
    volume: Record | None = None
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)


def create_volume(
    connection: Connection, context: RequestContext, wish: VolumeWish, now: datetime.datetime
) -> Prepared:
    """Make the row of a new volume in 'creating'."""
    source = _source(connection, wish)
    size = _size(wish, source)
    like = source.volume
    kind = volume_lookup.volume_type(connection, wish.volume_type)
    host = like["host"] if like else wish.host
    volume_creation.new_volume(
        connection,
        now,
        volume_id=wish.volume_id,
        host=host,
        size=size,
        project_id=context.project_id or "",
        user_id=context.user_id or "",
        volume_type=kind or (like and like["volume_type"]),
        name=wish.name,
        description=wish.description,
        metadata=wish.metadata,
        zone=wish.zone,
        multiattach=wish.multiattach,
        **source.columns,
    )
    arguments = {
        "volume_id": wish.volume_id,
        "request_spec": _request_spec(wish, size, source),
        "filter_properties": {},
        "allow_reschedule": False,
    }
    undo = functools.partial(set_status, volumes, wish.volume_id, states.CREATING, states.ERROR)
    return Prepared([request("create_volume", host, **arguments)], undo)


def _source(connection: Connection, wish: VolumeWish) -> _Source:
    given = [value for value in (wish.snapshot, wish.source, wish.image) if value]
    if len(given) > 1:
        raise Refused(reason="a volume is made from a snapshot, a volume or an image, not several")
    if wish.snapshot:
        snapshot = volume_lookup.snapshot(connection, wish.snapshot)
        if snapshot["status"] != states.AVAILABLE or snapshot["volume"] is None:
            raise wrong_status("snapshot", snapshot["id"], snapshot["status"], "a volume from it")
        columns = {"snapshot_id": snapshot["id"]}
        return _Source(snapshot["volume_size"], snapshot["volume"], columns)
    if wish.source:
        volume = volume_lookup.volume(connection, wish.source)
        if volume["status"] != states.AVAILABLE:
            raise wrong_status("volume", volume["id"], volume["status"], "a clone of it")
        return _Source(volume["size"], volume, {"source_volid": volume["id"]})
    return _Source()


def _size(wish: VolumeWish, source: _Source) -> int:
    size = wish.size or source.size
    if size is None:
        raise Refused(reason="an empty volume, or one from an image, needs a --size in GiB")
    if source.size is not None and size < source.size:
        raise Refused(reason=f"{size} GiB is less than the source's size of {source.size} GiB")
    return size


def _request_spec(wish: VolumeWish, size: int, source: _Source) -> dict[str, Any]:
    """What is asked for, under the names of Cinder's RequestSpec."""
    return {
        "volume_id": wish.volume_id,
        "volume_properties": {"size": size, "display_name": wish.name},
        "snapshot_id": source.columns.get("snapshot_id"),
        "source_volid": source.columns.get("source_volid"),
        "image_id": wish.image,
    }


def delete_volume(
    connection: Connection, name_or_id: str, force: bool, cascade: bool, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a volume into 'deleting', with cascade its snapshots as well."""
    volume = volume_lookup.volume(connection, name_or_id)
    refuse_attached(volume)
    refuse_in_migration(volume)
    theirs = volume_snapshots.list_of_volume(connection, volume["id"])
    if theirs and not cascade:
        raise Refused(
            reason=f"volume {volume['id']} has {len(theirs)} snapshots; delete them first, or all "
            "together with --cascade"
        )
    begin(connection, volume, states.DELETING, now, force)
    for snapshot in theirs:
        _begin_snapshot(connection, snapshot, states.DELETING, now, force)
    arguments = {"volume_id": volume["id"], "unmanage_only": False, "cascade": cascade}
    undo = functools.partial(_restore, volume, theirs, states.DELETING)
    return volume, Prepared([request("delete_volume", volume["host"], **arguments)], undo)


def extend_volume(
    connection: Connection, name_or_id: str, new_size: int, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a volume into 'extending'; new_size in GiB."""
    volume = volume_lookup.volume(connection, name_or_id)
    if new_size <= volume["size"]:
        raise Refused(reason=f"the volume has {volume['size']} GiB already; extend needs more")
    refuse_attached(volume)
    refuse_in_migration(volume)
    begin(connection, volume, states.EXTENDING, now)
    arguments = {"volume_id": volume["id"], "new_size": new_size, "reservations": None}
    undo = functools.partial(_restore, volume, [], states.EXTENDING)
    return volume, Prepared([request("extend_volume", volume["host"], **arguments)], undo)


def create_snapshot(
    connection: Connection,
    context: RequestContext,
    name_or_id: str,
    snapshot_id: str,
    now: datetime.datetime,
    name: str | None = None,
    description: str | None = None,
) -> Prepared:
    """Make the row of a new snapshot in 'creating'. A volume that is in use needs Nova for it."""
    volume = volume_lookup.volume(connection, name_or_id)
    if volume["status"] not in (states.AVAILABLE, states.IN_USE):
        raise wrong_status("volume", volume["id"], volume["status"], "a snapshot")
    refuse_in_migration(volume)
    volume_creation.new_snapshot(
        connection,
        now,
        volume,
        snapshot_id=snapshot_id,
        name=name,
        description=description,
        project_id=context.project_id,
        user_id=context.user_id,
    )
    undo = functools.partial(set_status, snapshots, snapshot_id, states.CREATING, states.ERROR)
    arguments = {"snapshot_id": snapshot_id}
    return Prepared([request("create_snapshot", volume["host"], **arguments)], undo)


def delete_snapshot(
    connection: Connection, name_or_id: str, force: bool, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a snapshot into 'deleting'."""
    snapshot = volume_lookup.snapshot(connection, name_or_id)
    volume = snapshot["volume"]
    if volume is None:
        raise Refused(reason=f"the volume of snapshot {snapshot['id']} is deleted")
    refuse_in_migration(volume)
    _begin_snapshot(connection, snapshot, states.DELETING, now, force)
    undo = functools.partial(
        set_status, snapshots, snapshot["id"], states.DELETING, snapshot["status"]
    )
    arguments = {"snapshot_id": snapshot["id"], "unmanage_only": False}
    return snapshot, Prepared([request("delete_snapshot", volume["host"], **arguments)], undo)


def revert(
    connection: Connection, name_or_id: str, snapshot: str | None, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a volume into 'reverting' and its youngest snapshot into 'restoring'.

    As in Cinder only the youngest can be gone back to: those in between would be lost.
    """
    volume = volume_lookup.volume(connection, name_or_id)
    youngest = _youngest(connection, volume, snapshot)
    if youngest["volume_size"] != volume["size"]:
        raise Refused(reason=f"the volume has grown since snapshot {youngest['id']} was taken")
    refuse_attached(volume)
    refuse_in_migration(volume)
    begin(connection, volume, states.REVERTING, now)
    _begin_snapshot(connection, youngest, states.RESTORING, now)
    undo = functools.partial(_undo_revert, volume, youngest)
    arguments = {"volume_id": volume["id"], "snapshot_id": youngest["id"]}
    return volume, Prepared([request("revert_to_snapshot", volume["host"], **arguments)], undo)


def _youngest(connection: Connection, volume: Record, wanted: str | None) -> Record:
    theirs = volume_snapshots.list_of_volume(connection, volume["id"])
    if not theirs:
        raise Refused(reason=f"volume {volume['id']} has no snapshot")
    if wanted is not None:
        named = volume_lookup.snapshot(connection, wanted)
        if named["id"] != theirs[-1]["id"]:
            raise Refused(
                reason=f"{wanted!r} is not the youngest snapshot of the volume; that is "
                f"{theirs[-1]['id']}"
            )
    return theirs[-1]


def _undo_revert(volume: Record, snapshot: Record, connection: Connection) -> None:
    _restore(volume, [], states.REVERTING, connection)
    set_status(snapshots, snapshot["id"], states.RESTORING, snapshot["status"], connection)


def look_at(
    connection: Connection, names: Sequence[str], *, repair: bool, dry_run: bool
) -> tuple[list[Record], Prepared]:
    """Have the images of volumes looked at by the services that have them, or mended.

    No API casts this: it goes through the journal.
    """
    found = [volume_lookup.volume(connection, name) for name in names]
    how = {"repair": repair, "dry_run": dry_run}
    asked = [
        dataclasses.replace(
            request("_check_volume", volume["host"], volume_id=volume["id"], **how),
            journaled=True,
        )
        for volume in found
    ]
    return found, Prepared(asked)


# -- what all of them do -----------------------------------------------------------------------


def request(method: str, host: str, /, **arguments: Any) -> Request:
    """A request to the service of volumes."""
    return Request(method, host, arguments, recipient=VOLUMES)


def begin(
    connection: Connection,
    volume: Record,
    status: str,
    now: datetime.datetime,
    force: bool = False,
) -> None:
    """Put a volume into a transitional status; raise Refused where that is not possible."""
    if volume_creation.begin_on_volume(connection, volume["id"], status, now):
        return
    if not force:
        raise wrong_status("volume", volume["id"], volume["status"], status)
    set_status(volumes, volume["id"], None, status, connection)


def _begin_snapshot(
    connection: Connection,
    snapshot: Record,
    status: str,
    now: datetime.datetime,
    force: bool = False,
) -> None:
    if volume_creation.begin_on_snapshot(connection, snapshot["id"], status, now):
        return
    if not force:
        raise wrong_status("snapshot", snapshot["id"], snapshot["status"], status)
    set_status(snapshots, snapshot["id"], None, status, connection)


def wrong_status(kind: str, resource_id: str, status: str, wanted: str) -> Refused:
    """What is asked for does not go with the status that something has."""
    return Refused(reason=f"{kind} {resource_id} is '{status}', which does not allow {wanted}")


def refuse_attached(volume: Record) -> None:
    """Raise Refused where somebody has the volume."""
    if volume["volume_attachment"] or volume["status"] == states.IN_USE:
        raise Refused(reason=f"volume {volume['id']} is attached; detach it first")


def refuse_in_migration(volume: Record) -> None:
    """Raise Refused while the volume is on its way to another place."""
    if volume["migration_status"] not in states.MIGRATION_OVER:
        raise Refused(
            reason=f"volume {volume['id']} is in a migration ({volume['migration_status']})"
        )


def _restore(
    volume: Record, their_snapshots: list[Record], begun: str, connection: Connection
) -> None:
    set_status(volumes, volume["id"], begun, volume["status"], connection)
    for snapshot in their_snapshots:
        set_status(snapshots, snapshot["id"], begun, snapshot["status"], connection)


def set_status(
    table: sa.Table, row_id: str, old: str | None, new: str, connection: Connection
) -> None:
    """Change a status; where ``old`` is given, only if it is that still."""
    query = table.update().where(table.c.id == row_id, living(table))
    if old is not None:
        query = query.where(table.c.status == old)
    connection.execute(query.values(status=new))
