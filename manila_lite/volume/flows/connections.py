# SPDX-License-Identifier: Apache-2.0
"""How a host gets at a volume: calls, which run beside the lanes, and a cast.

A volume's active image must not change between the moment when a host is told of it and the one
when the host opens it. So whoever asks for a connection waits until nothing is under way in the
volume's lane. What comes after him finds the volume reserved or attached: an API says so before it
asks.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import exception, volume_states
from manila_lite.context import RequestContext
from manila_lite.db import operations, volume_attachments, volume_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write, execute_writes
from manila_lite.engine import Operation
from manila_lite.engine.registry import CALL
from manila_lite.volume.environment import VolumeEnvironment
from manila_lite.volume.flows import common
from manila_lite.volume.flows.casting import LANE, flow, lane_of

LOG = log.getLogger(__name__)

_LANE: Final = "call"  # calls have none
_LOOK_SECONDS: Final = 0.5


class VolumeBusy(exception.InvalidVolume):
    message = "Volume %(volume_id)s is being worked on; try again later."


# -- what calls have in common -----------------------------------------------------------------


def _volume(environment: VolumeEnvironment, volume_id: str) -> Record:
    found = environment.volumes.get(volume_id)
    if found is None:
        raise exception.VolumeNotFound(volume_id=volume_id)
    return found


def _write(environment: VolumeEnvironment, *writes: Iterable[Write]) -> None:
    bundle = [write for part in writes for write in part]
    if bundle:
        environment.db.run(lambda connection: execute_writes(connection, [bundle]))


def wait_for_lane(environment: VolumeEnvironment, volume_id: str) -> None:
    """Return when nothing is under way on the volume. Raises VolumeBusy after connection_wait."""
    until = environment.clock.monotonic() + environment.conf.connection_wait
    while _is_busy(environment, volume_id):
        if environment.clock.monotonic() >= until:
            raise VolumeBusy(volume_id=volume_id)
        environment.clock.wait(threading.Event(), _LOOK_SECONDS)


def _is_busy(environment: VolumeEnvironment, volume_id: str) -> bool:
    lane = lane_of(volume_id)

    def look(connection: Connection) -> bool:
        return bool(operations.open_lanes(connection, environment.host, [lane]))

    return environment.db.run(look, write=False)


# -- connections -------------------------------------------------------------------------------


@flow("initialize_connection", version="3.0", lane=_LANE, kind=CALL)
def initialize_connection(
    environment: VolumeEnvironment,
    context: RequestContext,
    volume_id: str,
    connector: dict[str, Any],
) -> dict[str, Any]:
    """Let a host have the volume; return what it needs to find it."""
    wait_for_lane(environment, volume_id)
    return _connect(environment, context, _volume(environment, volume_id), connector)


def _connect(
    environment: VolumeEnvironment,
    context: RequestContext,
    volume: Record,
    connector: Mapping[str, Any],
) -> dict[str, Any]:
    driver = environment.driver
    driver.validate_connector(connector)
    update = driver.create_export(context.elevated(), volume, connector)
    _write(environment, volume_changes.updated(volume, update, environment.clock.now()))
    volume.update(update or {})
    try:
        found = driver.initialize_connection(volume, connector)
    except Exception:
        driver.remove_export(context.elevated(), volume)
        raise
    return _with_access(environment, volume, found)


def _with_access(
    environment: VolumeEnvironment, volume: Record, found: Mapping[str, Any]
) -> dict[str, Any]:
    """Add what the service knows, and not the driver: Nova reads it there."""
    admin = volume["admin_metadata"]
    read_only = "ro" if admin.get("readonly") == "True" else "rw"
    data = {
        "encrypted": volume["encryption_key_id"] is not None,
        **(found.get("data") or {}),
        "access_mode": admin.get("attached_mode") or read_only,
        "qos_specs": None,
    }
    if environment.configuration.safe_get("report_discard_supported"):
        data.setdefault("discard", True)
    return {**found, "data": data}


@flow("terminate_connection", version="3.0", lane=_LANE, kind=CALL)
def terminate_connection(
    environment: VolumeEnvironment,
    context: RequestContext,
    volume_id: str,
    connector: dict[str, Any] | None,
    force: bool = False,
) -> None:
    """A host lets the volume go. connector None: all hosts do."""
    environment.driver.terminate_connection(_volume(environment, volume_id), connector, force=force)


@flow(
    "remove_export",
    version="3.0",
    lane=LANE,
    resource=("volume", "volume_id"),
)
def remove_export(op: Operation, volume_id: str) -> None:
    """No host has the volume any more."""
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return common.skip(op, "the volume is deleted")
    op.step("remove export", op.env.driver.remove_export, op.context, volume, retry=common.DRIVER)
    op.finish()


# -- attachments, as an API before 3.27 has them -----------------------------------------------


@flow("attach_volume", version="3.0", lane=_LANE, kind=CALL)
def attach_volume(
    environment: VolumeEnvironment,
    context: RequestContext,
    volume_id: str,
    instance_uuid: str | None,
    host_name: str | None,
    mountpoint: str | None,
    mode: str | None,
) -> dict[str, Any]:
    """Note that a guest, or a host, has the volume; return the attachment."""
    volume, mode = _volume(environment, volume_id), mode or "rw"
    present = _attachment_of(volume, instance_uuid, host_name)
    if present is None:
        _refuse_second(volume)
        _refuse_writing(volume, mode)
        present = _reserved(volume)
    now = environment.clock.now()
    attachment_id = present["id"] if present is not None else str(uuid.uuid4())
    environment.driver.attach_volume(context, volume, instance_uuid, host_name, mountpoint)
    _write(
        environment,
        volume_attachments.attached(
            volume, attachment_id, now, mode=mode, instance_uuid=instance_uuid,
            attached_host=host_name, mountpoint=mountpoint,
        ),
        _attached_mode(volume, mode, now),
    )  # fmt: skip
    return {"id": attachment_id, "volume_id": volume_id, "instance_uuid": instance_uuid}


def _attachment_of(
    volume: Record, instance_uuid: str | None, host_name: str | None
) -> Record | None:
    """The attachment that there is already: attaching twice is no error."""
    for attachment in volume["volume_attachment"]:
        same_guest = instance_uuid and attachment["instance_uuid"] == instance_uuid
        same_host = not instance_uuid and attachment["attached_host"] == host_name
        if attachment["attach_status"] == volume_states.ATTACH_ATTACHED and (
            same_guest or same_host
        ):
            found: Record = attachment
            return found
    return None


def _reserved(volume: Record) -> Record | None:
    waiting = (volume_states.ATTACH_RESERVED, volume_states.ATTACH_ATTACHING)
    found = [a for a in volume["volume_attachment"] if a["attach_status"] in waiting]
    return found[0] if found else None


def _refuse_second(volume: Record) -> None:
    if volume["status"] == volume_states.IN_USE and not volume["multiattach"]:
        raise exception.InvalidVolume(
            reason="it is attached already, and cannot be attached several times"
        )


def _refuse_writing(volume: Record, mode: str) -> None:
    admin = volume["admin_metadata"]
    if admin.get("readonly") == "True" and mode != "ro":
        raise exception.InvalidVolume(reason="it is read-only")
    wanted = admin.get("attached_mode")
    if volume["status"] == volume_states.ATTACHING and wanted not in (None, "", mode):
        raise exception.InvalidVolume(reason="it is being attached in another mode")


def _attached_mode(volume: Record, mode: str, now: Any) -> list[Write]:
    return volume_changes.updated(volume, {"admin_metadata": {"attached_mode": mode}}, now)


@flow("detach_volume", version="3.0", lane=_LANE, kind=CALL)
def detach_volume(
    environment: VolumeEnvironment,
    context: RequestContext,
    volume_id: str,
    attachment_id: str | None = None,
) -> None:
    """Note that a guest, or a host, has the volume no more."""
    volume = _volume(environment, volume_id)
    attachment = _chosen(volume, attachment_id)
    if attachment is not None:
        environment.driver.detach_volume(context, volume, attachment)
        environment.driver.remove_export(context.elevated(), volume)
    # Without one nothing is held: the status is brought in line all the same.
    ended = attachment["id"] if attachment is not None else attachment_id or ""
    _write(environment, volume_attachments.detached(volume_id, ended, environment.clock.now()))


def _chosen(volume: Record, attachment_id: str | None) -> Record | None:
    """The attachment that is meant; None where it is over already."""
    attachments: Sequence[Record] = volume["volume_attachment"]
    if attachment_id is not None:
        return next((a for a in attachments if a["id"] == attachment_id), None)
    if len(attachments) > 1:
        raise exception.InvalidVolume(
            reason="it is attached several times, and the request does not say which one is over"
        )
    return attachments[0] if attachments else None


# -- attachments, as an API from 3.27 on has them ----------------------------------------------


@flow("attachment_update", version="3.9", lane=_LANE, kind=CALL)
def attachment_update(
    environment: VolumeEnvironment,
    context: RequestContext,
    volume_id: str,
    connector: dict[str, Any],
    attachment_id: str,
) -> dict[str, Any]:
    """Connect a host for an attachment that is reserved; return what the host needs.

    The volume is attached from now on, for all that anybody can know: Nova opens it next.
    """
    wait_for_lane(environment, volume_id)
    volume = _volume(environment, volume_id)
    attachment = _chosen(volume, attachment_id)
    if attachment is None:
        raise exception.VolumeAttachmentNotFound(filter=f"attachment_id = {attachment_id}")
    mode = _mode(attachment, connector)
    _refuse_writing(volume, mode)
    found = _connect(environment, context, volume, {**connector, "mode": mode})
    _write(environment, *_connected(environment, volume, attachment_id, connector, mode))
    return found


def _mode(attachment: Record, connector: Mapping[str, Any]) -> str:
    """What the attachment was reserved for goes before what the host says."""
    reserved = attachment["attach_mode"]
    # The text is what Cinder writes where nobody chose one.
    return str(connector.get("mode") or "rw") if reserved in (None, "null") else str(reserved)


def _connected(
    environment: VolumeEnvironment,
    volume: Record,
    attachment_id: str,
    connector: Mapping[str, Any],
    mode: str,
) -> list[list[Write]]:
    now = environment.clock.now()
    return [
        volume_attachments.updated(
            attachment_id,
            now,
            attach_status=volume_states.ATTACH_ATTACHING,
            attached_host=connector.get("host"),
            mountpoint=connector.get("mountpoint"),
            attach_mode=mode,
            connector=dict(connector),
        ),
        _shown_attaching(volume, now),
        _attached_mode(volume, mode, now),
    ]


def _shown_attaching(volume: Record, now: Any) -> list[Write]:
    """A volume that others have already stays in use."""
    old, new = volume["status"], volume_states.ATTACHING
    if old not in (volume_states.RESERVED, volume_states.AVAILABLE):
        return []
    return volume_changes.move(
        volume["id"], old, new, now, attach_status=volume_states.ATTACH_ATTACHING
    )


@flow("attachment_delete", version="3.9", lane=_LANE, kind=CALL)
def attachment_delete(
    environment: VolumeEnvironment,
    context: RequestContext,
    volume_id: str,
    attachment_id: str | None,
) -> None:
    """End an attachment, or all of the volume without an id."""
    volume = _volume(environment, volume_id)
    for attachment in volume["volume_attachment"]:
        if attachment_id in (None, attachment["id"]):
            _end(environment, context, volume, attachment)


def _end(
    environment: VolumeEnvironment, context: RequestContext, volume: Record, attachment: Record
) -> None:
    driver, connector = environment.driver, attachment["connector"]
    if connector:
        # Without one the host was never told of the volume.
        driver.terminate_connection(volume, connector, force=False)
    driver.detach_volume(context, volume, attachment)
    _write(
        environment,
        volume_attachments.detached(volume["id"], attachment["id"], environment.clock.now()),
    )


# -- the rest ----------------------------------------------------------------------------------


@flow("secure_file_operations_enabled", version="3.0", lane=_LANE, kind=CALL)
def secure_file_operations_enabled(
    environment: VolumeEnvironment, context: RequestContext, volume_id: str
) -> bool:
    """Whether the driver works without root on files; Cinder's backup asks it."""
    return bool(environment.driver.secure_file_operations_enabled())


@flow("get_capabilities", version="3.0", lane=_LANE, kind=CALL)
def get_capabilities(
    environment: VolumeEnvironment, context: RequestContext, discover: bool
) -> dict[str, Any]:
    """Return what the driver reports. discover: now, not what it reported last."""
    stats: dict[str, Any] = environment.driver.get_volume_stats(refresh=discover)
    return stats
