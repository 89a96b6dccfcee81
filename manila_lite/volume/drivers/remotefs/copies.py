# SPDX-License-Identifier: Apache-2.0
"""Copies of what a volume or a snapshot shows: other volumes, and images."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

from manila_lite import exception
from manila_lite.image import convert
from manila_lite.volume.drivers.remotefs.snapshots_blocking import BlockingSnapshotMethods
from manila_lite.volume.qcow2.chain import RAW
from manila_lite.volume.qcow2.names import TEMPORARY_SNAPSHOT

LOG = logging.getLogger(__name__)

_CAN_CLONE = ("available", "backing-up", "downloading")


@dataclasses.dataclass
class NewVolume:
    """A clone while it is made: it lies where its source lies."""

    provider_location: str
    size: int
    id: str
    name: str
    status: str
    volume_type: Any
    metadata: Any
    admin_metadata: Any = None

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)


@dataclasses.dataclass
class TemporarySnapshot:
    """A snapshot that keeps a volume's data still while they are copied. No row has it."""

    volume_name: str
    volume_size: int
    name: str
    volume_id: str
    id: str
    volume: Any
    status: str = "available"

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)


class CopyMethods(BlockingSnapshotMethods):
    """What is copied is the image under an overlay, which nobody writes to."""

    def _create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> dict[str, Any]:
        """Make a volume with a snapshot's data; return provider_location.

        Raises InvalidSnapshot for a snapshot that is not available.
        """
        self._validate_state(
            snapshot.status,
            ["available"],
            obj_description="snapshot",
            invalid_exc=exception.InvalidSnapshot,
        )
        self._ensure_shares_mounted()
        volume.provider_location = self._find_share(volume)
        # The record is what _copy_volume_from_snapshot goes by.
        if snapshot.id not in self._settled(snapshot.volume).files:
            raise exception.SnapshotNotFound(snapshot_id=snapshot.id)
        self._do_create_volume(volume)
        self._copy_volume_from_snapshot(snapshot, volume, volume.size)
        return {"provider_location": volume.provider_location}

    def _copy_volume_from_snapshot(self, snapshot: Any, volume: Any, volume_size: int) -> None:
        """Write a snapshot's data into the volume's base image; volume_size is in GiB."""
        raise NotImplementedError

    def _create_cloned_volume(self, volume: Any, src_vref: Any) -> dict[str, Any]:
        """Make a volume with another one's data, on the same share; return provider_location.

        A snapshot of the source is made for it, and deleted afterwards in any case. One that an
        earlier attempt has left is deleted first: it shows what the source was then.
        """
        self._validate_state(src_vref.status, [*_CAN_CLONE], obj_description="source volume")
        LOG.info("Volume %s is cloned as %s", src_vref.id, volume.id)
        snapshot = temporary_snapshot(volume, src_vref)
        self._delete_snapshot(snapshot)
        self._create_snapshot(snapshot)
        try:
            self._copy_volume_from_snapshot(snapshot, _new_volume(volume, src_vref), volume.size)
        finally:
            self._delete_snapshot(snapshot)
        return {"provider_location": src_vref.provider_location}

    def _copy_volume_to_image(
        self, context: Any, volume: Any, image_service: Any, image_meta: Any
    ) -> None:
        """Upload what the volume shows, put together first unless one raw file has it all."""
        found = self._settled(volume)
        active = found.chain[0]
        path = found.directory.path(active.name)
        if active.file_format == RAW:
            self._upload(context, image_service, image_meta, path)
            return
        # What the chain rests on has been looked at, and goes by the formats in its headers.
        self._straighten(found)
        prefix = f"{volume.id}.temp_image.{image_meta['id']}"
        with convert.temporary_file(prefix=prefix, suffix=".img") as flat:
            convert.convert_image(
                path,
                flat,
                RAW,
                src_format=active.file_format,
                run_as_root=self._execute_as_root,
            )
            self._upload(context, image_service, image_meta, flat)

    def _upload(self, context: Any, image_service: Any, image_meta: Any, path: str) -> None:
        convert.upload_volume(
            context, image_service, image_meta, path, run_as_root=self._execute_as_root
        )


def _new_volume(volume: Any, src_vref: Any) -> NewVolume:
    return NewVolume(
        provider_location=src_vref.provider_location,
        size=src_vref.size,
        id=volume.id,
        name=volume.name,
        status=src_vref.status,
        volume_type=src_vref.volume_type,
        metadata=src_vref.metadata,
    )


def temporary_snapshot(volume: Any, src_vref: Any) -> TemporarySnapshot:
    """The snapshot by which src_vref is cloned."""
    return TemporarySnapshot(
        volume_name=volume.name,
        volume_size=src_vref.size,
        name=f"clone-snap-{src_vref.id}",
        volume_id=src_vref.id,
        id=f"{TEMPORARY_SNAPSHOT}{src_vref.id}",
        volume=src_vref,
    )
