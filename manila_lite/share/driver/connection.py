# SPDX-License-Identifier: Apache-2.0
"""How a share is mounted by the service itself, for host-assisted migration and for copies."""

from __future__ import annotations

import logging
import re
from typing import Any

from manila_lite.share.driver.base import DriverBase, Model, ShareServer

LOG = logging.getLogger(__name__)

_PROTOCOL = re.compile(r"[\w.+-]+")


class ConnectionMethods(DriverBase):
    """Mount and unmount commands, and the access rules that a mount needs."""

    def connection_get_info(
        self, context: Any, share: Model, share_server: ShareServer = None
    ) -> dict[str, Any]:
        """Return how to reach the share: mount, unmount (templates) and access_mapping.

        The templates still hold %(path)s, and mount %(options)s, for the caller to fill in.
        """
        info = {
            "mount": self._get_mount_command(context, share, share_server),
            "unmount": self._get_unmount_command(context, share, share_server),
            "access_mapping": self._get_access_mapping(context, share, share_server),
        }
        LOG.debug("Found out how to mount share %s", share["id"])
        return info

    def _get_access_mapping(
        self, context: Any, share: Model, share_server: ShareServer
    ) -> dict[str, list[str]]:
        """Return the access types that protocol_access_mapping has for the share's protocol."""
        protocol = share["share_proto"].lower()
        mapping = self.configuration.safe_get("protocol_access_mapping") or {}
        return {
            access_type: [protocol]
            for access_type, protocols in mapping.items()
            if protocol in _protocols(protocols)
        }

    def _get_mount_command(
        self, context: Any, share_instance: Model, share_server: ShareServer = None
    ) -> str:
        """Return share_mount_template with protocol and export filled in."""
        template: str = self.configuration.safe_get("share_mount_template")
        return template % {
            "proto": share_instance["share_proto"].lower(),
            "export": self._get_mount_export(share_instance, share_server),
            "path": "%(path)s",
            "options": "%(options)s",
        }

    def _get_mount_export(self, share_instance: Model, share_server: ShareServer = None) -> str:
        """Return the export to mount: the administrators' one where there is one."""
        locations = share_instance["export_locations"]
        for location in locations:
            if location["is_admin_only"] and location["path"]:
                return location["path"]
        return locations[0]["path"]

    def _get_unmount_command(
        self, context: Any, share_instance: Model, share_server: ShareServer = None
    ) -> str:
        """Return share_unmount_template."""
        return self.configuration.safe_get("share_unmount_template")


def _protocols(value: Any) -> list[str]:
    """Lists are what the default has; a configuration file can only give text."""
    names = _PROTOCOL.findall(value) if isinstance(value, str) else value
    return [name.lower() for name in names]
