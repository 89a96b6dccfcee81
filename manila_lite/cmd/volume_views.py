# SPDX-License-Identifier: Apache-2.0
"""Volumes and their snapshots as they are shown; the keys of ``--json`` do not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manila_lite.cmd.app import App
    from manila_lite.cmd.dispatch import Sent

_ATTACHMENT = ("id", "instance_uuid", "attached_host", "mountpoint", "attach_mode", "attach_status")


def view(volume: Mapping[str, Any]) -> dict[str, Any]:
    """A volume. What its driver keeps to get at it (provider_auth) is not shown."""
    kind = volume["volume_type"]
    return {
        "id": volume["id"],
        "name": volume["display_name"],
        "description": volume["display_description"],
        "size": volume["size"],
        "status": volume["status"],
        "host": volume["host"],
        "provider_location": volume["provider_location"],
        "file_name": volume["name"],
        "attachments": [
            {key: attachment[key] for key in _ATTACHMENT}
            for attachment in volume["volume_attachment"]
        ],
        "bootable": bool(volume["bootable"]),
        "multiattach": bool(volume["multiattach"]),
        "volume_type": None if kind is None else kind["name"],
        "snapshot_id": volume["snapshot_id"],
        "source_volid": volume["source_volid"],
        "migration_status": volume["migration_status"],
        "availability_zone": volume["availability_zone"],
        "project_id": volume["project_id"],
        "user_id": volume["user_id"],
        "metadata": dict(volume["metadata"]),
        "created_at": volume["created_at"],
    }


def view_snapshot(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """A snapshot of a volume."""
    keys = ("id", "volume_id", "volume_size", "status", "progress", "project_id", "user_id")
    return {
        **{key: snapshot[key] for key in keys},
        "name": snapshot["display_name"],
        "description": snapshot["display_description"],
        "metadata": dict(snapshot["metadata"]),
        "created_at": snapshot["created_at"],
    }


def show_volume(app: App, volume_id: str, sent: Sequence[Sent] = (), **more: Any) -> None:
    """Print a volume as it is now, with the operation that was asked for, and more keys."""
    from manila_lite.cmd import volume_lookup

    found = view(app.read(lambda c: volume_lookup.volume(c, volume_id)))
    operation = {"operation": sent[0].uuid} if sent else {}
    app.output.record({**found, **more, **operation})
