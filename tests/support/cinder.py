# SPDX-License-Identifier: Apache-2.0
"""Cinder's clients, as far as the volume service can tell them from the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manila_lite import no_eventlet
from manila_lite.context import RequestContext

with no_eventlet.hidden():
    import oslo_messaging

SECRET = "CHAP geheim geheim"


def serialized(name: str, version: str = "1.8", **data: Any) -> dict[str, Any]:
    """An object as CinderObjectSerializer writes it."""
    return {
        "versioned_object.name": name,
        "versioned_object.namespace": "cinder",
        "versioned_object.version": version,
        "versioned_object.changes": [],
        "versioned_object.data": data,
    }


def volume(volume_id: str, **columns: Any) -> dict[str, Any]:
    """A volume object, with a secret in it as real ones have."""
    attachments = serialized("VolumeAttachmentList", "1.1", objects=[])
    data = {"status": "creating", "size": 1, "provider_auth": SECRET, **columns}
    return serialized("Volume", id=volume_id, volume_attachment=attachments, **data)


def snapshot(snapshot_id: str, volume_id: str) -> dict[str, Any]:
    """A snapshot object, with its volume in it."""
    return serialized(
        "Snapshot", "1.6", id=snapshot_id, volume_id=volume_id, provider_auth=SECRET,
        volume=volume(volume_id),
    )  # fmt: skip


def specification(volume_id: str, **sources: str | None) -> dict[str, Any]:
    """A RequestSpec object."""
    wanted = {"snapshot_id": None, "source_volid": None, "image_id": None, **sources}
    properties = serialized("VolumeProperties", "1.1", size=1)
    return serialized(
        "RequestSpec", "1.5", volume_id=volume_id, volume=volume(volume_id),
        volume_properties=properties, **wanted,
    )  # fmt: skip


class _Serializer(oslo_messaging.NoOpSerializer):
    def serialize_context(self, context: RequestContext) -> Mapping[str, Any]:
        return context.to_wire()


class VolumeClient:
    """Sends as cinder.volume.rpcapi.VolumeAPI does: it names back ends in the topic."""

    def __init__(self, transport: oslo_messaging.Transport, topic: str = "cinder-volume") -> None:
        self._topic = topic
        target = oslo_messaging.Target(topic=topic, version="3.0")
        self._client = oslo_messaging.get_rpc_client(transport, target, serializer=_Serializer())

    def prepared(self, host: str, version: str = "3.0") -> Any:
        """host: 'host@backend#pool'."""
        server = host.partition("#")[0]
        return self._client.prepare(
            topic=f"{self._topic}.{server}", server=server.partition("@")[0], version=version
        )

    def cast(self, host: str, method: str, version: str = "3.0", **arguments: Any) -> str:
        """Cast; return the request's id."""
        context = RequestContext(project_id="project", user_id="user", is_admin=True)
        self.prepared(host, version).cast(context, method, **arguments)
        return str(context.request_id)

    def call(self, host: str, method: str, version: str = "3.0", **arguments: Any) -> Any:
        context = RequestContext(project_id="project", user_id="user", is_admin=True)
        return self.prepared(host, version).call(context, method, **arguments)
