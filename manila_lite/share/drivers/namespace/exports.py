# SPDX-License-Identifier: Apache-2.0
"""Exporting a share on the share server that it belongs to."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from manila_lite import exception
from manila_lite.share.driver.base import Model
from manila_lite.share.drivers.directory.exports import Exports
from manila_lite.share.drivers.directory.paths import Root
from manila_lite.share.drivers.exports import Helpers
from manila_lite.share.drivers.exports.ganesha import GaneshaHelper, GaneshaSettings
from manila_lite.share.drivers.exports.mounts import Execute
from manila_lite.share.drivers.namespace.records import Records, Server
from manila_lite.share.drivers.namespace.servers import ShareServers

LOG = logging.getLogger(__name__)


class ServerExports(Exports):
    """Each share server has a helper of its own, and its addresses stand in export locations."""

    def __init__(
        self, root: Root, records: Records, servers: ShareServers, squash: str, execute: Execute
    ) -> None:
        super().__init__(root, "", Helpers())
        self._records = records
        self._servers = servers
        self._squash = squash
        self._execute = execute
        self._known: dict[Server, Helpers] = {}

    @property
    def storage_protocol(self) -> str:
        """NFS, always."""
        return GaneshaHelper.protocol

    def restore(self) -> None:
        """Bring back servers that do not run, and what they exported."""
        self._servers.revive()
        super().restore()

    def _of(self, share: Model) -> Helpers:
        server_id, given = share["share_server_id"], share.get("share_server") or {}
        details = given.get("backend_details") or {}
        server = self._servers.known(str(server_id), details) if server_id else None
        if server is None:
            raise exception.InvalidShareServer(
                reason=f"share {share['id']} is on share server {server_id}, which is not set up"
            )
        return self._on(server)

    def _everywhere(self) -> Iterable[Helpers]:
        return [self._on(server) for server in self._records.all()]

    def _on(self, server: Server) -> Helpers:
        if server not in self._known:
            self._known[server] = Helpers([GaneshaHelper(self._settings(server), self._execute)])
        return self._known[server]

    def _settings(self, server: Server) -> Any:
        return GaneshaSettings(
            export_dir=server.path("export.d"),
            mount_dir=server.path("mounts"),
            hosts=server.hosts,
            dbus_address=server.bus,
            squash=self._squash,
        )
