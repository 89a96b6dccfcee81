# SPDX-License-Identifier: Apache-2.0
"""copy_volume_to_image, and what volumes remember of the images that they were made from."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final

from manila_lite import exception, volume_states
from manila_lite.db import volume_changes
from manila_lite.db import volumes as volume_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Done, Operation
from manila_lite.image import progress
from manila_lite.volume.flows import common, telling
from manila_lite.volume.flows.casting import LANE, flow

_TOLD_SECONDS: Final = 5.0

#: What Cinder keeps of an image beside its properties.
_KEPT: Final = ("checksum", "container_format", "disk_format", "min_disk", "min_ram", "size")


class NoImageService(exception.BadConfigurationException):
    message = "No image service can be used: %(reason)s"


def service(op: Operation) -> Any:
    """Return the image service. Raises NoImageService where there is none."""
    if op.env.images is None:
        raise NoImageService(reason="none is configured")
    return op.env.images


@contextlib.contextmanager
def shown(op: Operation) -> Iterator[None]:
    """Have the operation show how far the transfers in the block are, every few seconds."""
    told = op.clock.monotonic()

    def report(percent: int) -> None:
        nonlocal told
        if op.clock.monotonic() - told >= _TOLD_SECONDS:
            told = op.clock.monotonic()
            op.tell(f"{percent}%")

    with progress.reported_to(report):
        yield


# -- from an image -----------------------------------------------------------------------------


def describe(op: Operation, image_id: str) -> dict[str, str]:
    """Return what a volume remembers of the image from which it is made, as texts."""
    found = service(op).show(op.context, image_id)
    described = {"image_id": image_id, "image_name": found.get("name")}
    described |= {name: found.get(name) for name in _KEPT}
    described |= dict(found.get("properties") or {})
    return {name: str(value) for name, value in described.items() if value is not None}


# -- to an image -------------------------------------------------------------------------------


def upload_failed(
    op: Operation, error: BaseException, volume_id: str, image_meta: Mapping[str, Any]
) -> list[Write]:
    """Leave the volume as good as it was, and no image that waits for its data for ever."""
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return []
    _remove_image(op, str(image_meta.get("id")))
    return [
        *_at_rest(op, volume),
        *telling.tell_user(
            op, volume, telling.ACTION_COPY_TO_IMAGE, telling.DETAIL_FAILED_TO_UPLOAD
        ),
    ]


def _at_rest(op: Operation, volume: Record) -> list[Write]:
    """The volume's status is what its attachments say, whatever it was before."""
    if volume["status"] != volume_states.UPLOADING:
        return []
    return volume_changes.rested(volume, op.clock.now())


def _remove_image(op: Operation, image_id: str) -> None:
    try:
        images = service(op)
        if images.show(op.context, image_id).get("status") in ("queued", "saving"):
            images.delete(op.context, image_id)
    except Exception as error:
        common.LOG.warning("Image %s stays as it is: %s", image_id, error)


@flow(
    "copy_volume_to_image",
    version="3.0",
    lane=LANE,
    resource=("volume", "volume_id"),
    on_failure=upload_failed,
)
def copy_volume_to_image(op: Operation, volume_id: str, image_meta: dict[str, Any]) -> None:
    """Have the driver upload the volume's data to an image that exists and has none yet.

    image_meta: id, disk_format, container_format.
    """
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return common.skip(op, "the volume is deleted")
    if "id" not in image_meta:
        raise exception.InvalidInput(reason="image_meta names no image")
    common.begin(op, volume, volume_states.UPLOADING)
    op.step(
        "upload",
        _upload,
        op,
        _as_it_was(volume),
        service(op),
        image_meta,
        probe=functools.partial(_was_uploaded, op, str(image_meta["id"])),
        retry=common.DRIVER,
    )
    op.finish(_at_rest(op, volume))


def _upload(op: Operation, volume: Record, images: Any, image_meta: Mapping[str, Any]) -> None:
    with shown(op):
        op.env.driver.copy_volume_to_image(op.context, volume, images, image_meta)


def _as_it_was(volume: Record) -> Record:
    """Drivers go by the status to tell whether a guest has the volume."""
    return volume.merged({"status": volume_rows.resting_status(volume)})


def _was_uploaded(op: Operation, image_id: str) -> Any:
    """The probe of an upload: only a complete image is active."""
    status = service(op).show(op.context, image_id).get("status")
    return Done() if status == "active" else AGAIN
