# SPDX-License-Identifier: Apache-2.0
"""Exports, connections and attachments."""

from __future__ import annotations

from typing import Any

from manila_lite.volume.driver.base import DriverBase, Model, Update


class ConnectionMethods(DriverBase):
    """How guests get at a volume."""

    def ensure_export(self, context: Any, volume: Model) -> Update:
        """Make sure, when the service starts, that the volume can be connected to."""
        raise NotImplementedError

    def create_export(self, context: Any, volume: Model, connector: Any) -> Update:
        """Prepare a volume for a connection."""
        raise NotImplementedError

    def remove_export(self, context: Any, volume: Model) -> None:
        """Undo create_export."""
        raise NotImplementedError

    def initialize_connection(self, volume: Model, connector: Any) -> dict[str, Any]:
        """Let a host in; return what it needs: driver_volume_type and data."""
        raise NotImplementedError

    def terminate_connection(self, volume: Model, connector: Any, **kwargs: Any) -> None:
        """Let a host in no longer."""
        raise NotImplementedError

    def attach_volume(
        self, context: Any, volume: Model, instance_uuid: str, host_name: str, mountpoint: str
    ) -> None:
        """Called when a guest, or a host, has taken a volume."""

    def detach_volume(self, context: Any, volume: Model, attachment: Model | None = None) -> None:
        """Called when a guest, or a host, has given a volume back."""

    def validate_connector(self, connector: Any) -> None:
        """Raise InvalidConnectorException for a host that lacks what connections need."""
