# SPDX-License-Identifier: Apache-2.0
"""The life of share servers, each step of which may be repeated after a kill."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from manila_lite import exception
from manila_lite.share.drivers.exports.mounts import BindMounts, Execute, mount_points
from manila_lite.share.drivers.namespace.daemons import Daemons
from manila_lite.share.drivers.namespace.network import Network
from manila_lite.share.drivers.namespace.records import Records, Server, interfaces_of

LOG = logging.getLogger(__name__)


class ShareServers:
    """Sets servers up and tears them down. ``execute`` is the driver's own."""

    def __init__(self, records: Records, bridge: str, execute: Execute) -> None:
        self._records = records
        self._network = Network(bridge, execute)
        self._daemons = Daemons(execute)
        self._execute = execute

    def set_up(self, network_info: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Make a server, or what is missing of one; return its details.

        Raises NetworkBadConfigurationException before anything is made. Any later exception has
        the details in its detail_data, so that `tear_down` can clear up.
        """
        server_id, interfaces = str(network_info[0]["server_id"]), interfaces_of(network_info)
        server = self._records.named(server_id, interfaces)
        self._records.prepare()
        try:
            self._make(server)
        except Exception as error:
            error.detail_data = {"server_details": server.details}  # type: ignore[attr-defined]
            raise
        return server.details

    def known(self, server_id: str, details: Mapping[str, Any]) -> Server | None:
        """A server that was set up; one whose directory was lost is set up again by its details.

        Returns None for one that is written down nowhere. Raises what `set_up` raises.
        """
        server = self._records.read(server_id)
        if server is not None or details.get("server_id") != server_id:
            return server
        server = self._records.of_details(details)
        if not server.interfaces:
            return None
        LOG.warning("The directory of share server %s is lost; it is set up again", server_id)
        self._records.prepare()
        self._make(server)
        return server

    def tear_down(self, details: Mapping[str, Any]) -> None:
        """Remove a server with its processes, mounts and interfaces; the shares' data stay.

        What is gone already is no error, and its directory need not be there any more.
        """
        server_id = details.get("server_id")
        if not server_id:
            LOG.warning("Nothing is known of a share server that is to be removed")
            return
        server = self._records.named(str(server_id))
        self._records.prepare()
        with self._records.lock():
            self._daemons.stop(server)
            self._unmount_all(server)
            self._network.remove(server)
            self._records.remove(server, self._clear)

    def revive(self) -> None:
        """Mend servers that are not up, after a restart of the machine for example."""
        self._records.prepare()
        with self._records.lock():
            for server in self._records.all():
                try:
                    if not self._is_up(server):
                        LOG.warning("Share server %s is not up; it is mended", server.server_id)
                        self._bring_up(server)
                except (
                    exception.ManilaException, exception.ProcessExecutionError, OSError,
                ) as error:  # fmt: skip
                    LOG.error("Share server %s is still not up: %s", server.server_id, error)

    def _make(self, server: Server) -> None:
        with self._records.lock():
            self._records.write(server)
            self._bring_up(server)

    def _is_up(self, server: Server) -> bool:
        return self._network.is_attached(server) and self._daemons.running(server)

    def _bring_up(self, server: Server) -> None:
        self._network.ensure(server)
        self._daemons.ensure(server)

    def _clear(self, paths: list[str]) -> None:
        command = ("rm", "-rf", "--one-file-system", "--", *paths)
        self._execute(*command, timeout=60.0, run_as_root=True)

    def _unmount_all(self, server: Server) -> None:
        mounts = BindMounts(server.path("mounts"), self._execute)
        above = server.path("mounts") + "/"
        for point in sorted(mount_points()):
            if point.startswith(above):
                mounts.unmount(point.removeprefix(above))
