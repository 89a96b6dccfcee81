# SPDX-License-Identifier: Apache-2.0
"""create_volume: make a volume, empty, from a snapshot, from another volume, or from an image.

A new volume shows where it lies only when it is complete. Until then whatever is on the storage
belongs to an unfinished creation, and may be removed.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping
from typing import Any

from manila_lite import exception, volume_states
from manila_lite.db import volume_changes, volume_metadata
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation
from manila_lite.volume.flows import common, images, online, telling
from manila_lite.volume.flows.casting import SOURCE_LANE, flow
from manila_lite.volume.hosts import with_pool

_OWN = (volume_states.CREATING, volume_states.DOWNLOADING)
# What an operation that waits behind this one has in mind with the snapshot.
_LATER = (volume_states.DELETING, volume_states.RESTORING)


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the data of a new volume come from; all None: it is empty."""

    snapshot_id: str | None = None
    source_volid: str | None = None
    image_id: str | None = None

    @classmethod
    def of(cls, volume: Record, request_spec: Mapping[str, Any] | None) -> Source:
        """Read the request first: the row does not know of images."""
        spec = request_spec or {}
        return cls(
            spec.get("snapshot_id") or volume["snapshot_id"],
            spec.get("source_volid") or volume["source_volid"],
            spec.get("image_id"),
        )


def source_of_request(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The volume on whose lane a creation runs, or the snapshot that belongs to that volume."""
    spec = arguments.get("request_spec") or {}
    if spec.get("snapshot_id") is not None:
        return {"source_snapshot_id": spec["snapshot_id"]}
    return {"source_id": spec.get("source_volid") or arguments["volume_id"]}


def creation_failed(
    op: Operation,
    error: BaseException,
    volume_id: str,
    request_spec: Mapping[str, Any] | None = None,
    **rest: Any,
) -> list[Write]:
    """Put the volume into error, and take from the storage what there is of it."""
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return []
    # What was there before is nothing that this creation has left.
    if volume["provider_location"] is None and not common.is_named(error, "VolumeExists"):
        _clear_away(op, volume)
    now = op.clock.now()
    old = common.own_status(volume, *_OWN)
    return [
        *volume_changes.move(volume_id, old, volume_states.ERROR, now),
        *telling.tell_user(op, volume, *_told(error, Source.of(volume, request_spec))),
    ]


def _clear_away(op: Operation, volume: Record) -> None:
    try:
        common.discard(op, volume)
    except Exception as error:
        # The deletion of the volume tries it again.
        common.LOG.warning("What is left of volume %s stays for now: %s", volume["id"], error)


def _told(error: BaseException, source: Source) -> tuple[str, str]:
    if source.image_id is None:
        return telling.ACTION_CREATE, telling.DETAIL_DRIVER_FAILED_CREATE
    if common.is_named(error, "ImageTooBig"):
        return telling.ACTION_COPY_FROM_IMAGE, telling.DETAIL_NO_ROOM_FOR_IMAGE
    return telling.ACTION_COPY_FROM_IMAGE, telling.DETAIL_UNKNOWN_ERROR


@flow(
    "create_volume",
    version="3.0",
    lane=SOURCE_LANE,
    lane_fields=source_of_request,
    resource=("volume", "volume_id"),
    on_failure=creation_failed,
)
def create_volume(
    op: Operation,
    volume_id: str,
    request_spec: dict[str, Any] | None = None,
    filter_properties: dict[str, Any] | None = None,
    allow_reschedule: bool = True,
) -> None:
    """Have the driver make the volume; make it available with what the driver says of it.

    request_spec: snapshot_id, source_volid or image_id, where the volume is not to be empty.
    A creation that fails is not sent back to the scheduler: the volume shows the error.
    """
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return common.skip(op, "the volume is deleted")
    if volume["status"] not in (*_OWN, volume_states.ERROR):
        return common.skip(op, f"the volume is {volume['status']}")
    if volume["provider_location"] is not None:
        # Whatever brought it into error: it was handed out, and what it holds is somebody's.
        return common.skip(op, f"the volume is there, on {volume['provider_location']}")
    _begin(op, volume)
    source = Source.of(volume, request_spec)
    if source.snapshot_id is not None:
        made = _from_snapshot(op, volume, source.snapshot_id)
    elif source.source_volid is not None:
        made = _from_volume(op, volume, source.source_volid)
    elif source.image_id is not None:
        made = _from_image(op, volume, source.image_id)
    else:
        made = Made(_create(op, volume, op.env.driver.create_volume, volume))
    op.finish(made.published(volume, op.clock.now(), _place(op, volume, made.update)))


def _place(op: Operation, volume: Record, update: Mapping[str, Any]) -> str:
    """The volume's host, with the pool in which the driver says that it lies.

    Who chose the host may have known no pool: there was no report yet.
    """
    get_pool = getattr(op.env.driver, "get_pool", None)
    pool = get_pool(volume.merged(update)) if get_pool is not None else None
    return with_pool(volume["host"], pool) if pool else str(volume["host"])


@dataclasses.dataclass(frozen=True)
class Made:
    """A volume that is on the storage. update: columns that the driver returned.

    image: what the image said from which the data are, at whatever remove.
    """

    update: Mapping[str, Any]
    image: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    bootable: bool = False

    def published(self, volume: Record, now: datetime.datetime, host: str) -> list[Write]:
        """Make the volume available on that host, and say what is in it."""
        columns: dict[str, Any] = {"bootable": True} if self.bootable else {}
        if host != volume["host"]:
            columns["host"] = host
        return [
            *volume_changes.created(volume, self.update, now, **columns),
            *volume_metadata.set_on_volume(volume, "volume_glance_metadata", self.image, now),
        ]


def _begin(op: Operation, volume: Record) -> None:
    """Show an operator's retry of a failed creation as what it is, and begin with nothing."""
    if volume["status"] != volume_states.ERROR:
        return
    op.step("clear away", common.discard, op, volume, retry=common.DRIVER)
    common.begin(op, volume, volume_states.CREATING)


def _create(
    op: Operation, volume: Record, function: Callable[..., Any], *args: Any
) -> Mapping[str, Any]:
    update = op.step(
        "create", function, *args, probe=common.discarding(op, volume), retry=common.DRIVER
    )
    return dict(update or {})


def _from_snapshot(op: Operation, volume: Record, snapshot_id: str) -> Made:
    snapshot = common.get_snapshot(op, snapshot_id)
    if snapshot is None:
        raise exception.SnapshotNotFound(snapshot_id=snapshot_id)
    _see_source(snapshot["volume"])
    if snapshot["status"] in _LATER:
        snapshot["status"] = volume_states.AVAILABLE
    function = op.env.driver.create_volume_from_snapshot
    return _like(snapshot["volume"], _create(op, volume, function, volume, snapshot))


def _from_volume(op: Operation, volume: Record, source_id: str) -> Made:
    source = common.get_volume(op, source_id)
    if source is None:
        raise exception.VolumeNotFound(volume_id=source_id)
    _see_source(source)
    function = op.env.driver.create_cloned_volume
    return _like(source, _create(op, volume, function, volume, source))


def _see_source(source: Record | None) -> None:
    """Let the driver see the source as it is now, as this runs in the source's own lane."""
    if source is not None:
        source["status"] = online.at_rest(source)


def _like(source: Record | None, update: Mapping[str, Any]) -> Made:
    if source is None:
        return Made(update)
    return Made(update, source["volume_glance_metadata"], bool(source["bootable"]))


def _from_image(op: Operation, volume: Record, image_id: str) -> Made:
    image = op.step("image", images.describe, op, image_id, retry=common.DRIVER)
    update = _create(op, volume, op.env.driver.create_volume, volume)
    # Copied before it is published: the driver needs to know where the volume lies.
    volume.update(update)
    _show_download(op, volume)
    op.step(
        "download",
        _download,
        op,
        volume,
        image_id,
        # The image is written over whatever a try before it has left.
        probe=common.again,
        retry=common.DRIVER,
    )
    return Made(update, image, bootable=True)


def _download(op: Operation, volume: Record, image_id: str) -> None:
    with images.shown(op):
        op.env.driver.copy_image_to_volume(op.context, volume, op.env.images, image_id)


def _show_download(op: Operation, volume: Record) -> None:
    old, new = volume_states.CREATING, volume_states.DOWNLOADING
    if volume["status"] == old:
        op.record("downloading", volume_changes.move(volume["id"], old, new, op.clock.now()))
        volume["status"] = new
