# SPDX-License-Identifier: Apache-2.0
"""The namespace driver: what differs from the btrfs driver, whose methods it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import btrfs, exports, namespace
from manila_lite.share.driver.base import Model
from manila_lite.share.drivers.namespace.exports import ServerExports
from manila_lite.share.drivers.namespace.placed import PlacedMethods
from manila_lite.share.drivers.namespace.records import Records
from manila_lite.share.drivers.namespace.servers import ShareServers


class NamespaceDriver(PlacedMethods):
    """Shares are btrfs subvolumes; each share server is a network namespace that exports its own.

    A share server has the addresses that the network plugin allocated, on a bridge of the machine,
    and an NFSv4 server of its own. Several projects may use the same addresses, in VLANs of their
    own. Every method may be repeated after a kill at any point.
    """

    _SHARE_SERVERS: ClassVar[bool] = True
    _OPTS: ClassVar[list[cfg.Opt]] = [*btrfs.OPTS, *exports.OPTS, *namespace.OPTS]

    def do_setup(self, context: Any) -> None:
        """As the btrfs driver; share servers that do not run are started."""
        super().do_setup(context)
        try:
            self._records.prepare()
        except OSError as error:
            raise exception.ConfigurationError(
                section=self._section, option="namespace_dir",
                value=self._setting("namespace_dir"), reason=str(error.strerror),
            ) from error  # fmt: skip
        self._servers.revive()

    def get_network_allocations_number(self) -> int:
        """One address on each subnet."""
        return 1

    def _setup_server(
        self, network_info: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        """Make a share server; return server_id, namespace, addresses and interfaces.

        Raises NetworkBadConfigurationException for networks other than flat ones and VLANs,
        InvalidShareServer for security services, which there is nobody to ask here.
        """
        services = {found["type"] for info in network_info for found in info["security_services"]}
        if services:
            raise exception.InvalidShareServer(
                reason=f"security services ({', '.join(sorted(services))}) are not supported"
            )
        return self._servers.set_up(network_info)

    def _teardown_server(
        self, server_details: Mapping[str, Any], security_services: Sequence[Model] | None = None
    ) -> None:
        """Remove a share server; one that is gone is no error."""
        self._servers.tear_down(server_details)

    def get_backend_info(self, context: Any) -> dict[str, Any]:
        """What export locations are made of: when it changes, shares are ensured anew.

        So they are, and their servers are set up again, after ``namespace_dir`` was lost.
        """
        return {
            "btrfs_root": self._root.path,
            "namespace_dir": self._setting("namespace_dir"),
            "namespace_dir_id": self._records.mark,
            "ganesha_squash": self._setting("ganesha_squash"),
        }

    def _make_exports(self) -> ServerExports:
        def execute(*command: Any, **settings: Any) -> Any:
            return self._execute(*command, **settings)

        self._records = Records(self._setting("namespace_dir"))
        bridge = self._setting("namespace_bridge")
        self._servers = ShareServers(self._records, bridge, execute)
        squash = self._setting("ganesha_squash")
        return ServerExports(self._root, self._records, self._servers, squash, execute)

    def _capabilities(self) -> dict[str, Any]:
        return {**super()._capabilities(), "driver_name": "Namespace"}
