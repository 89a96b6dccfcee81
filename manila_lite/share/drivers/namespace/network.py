# SPDX-License-Identifier: Apache-2.0
"""Network namespaces, and the interfaces by which they are attached to bridges."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from manila_lite import exception
from manila_lite.share.drivers.namespace.records import Interface, Server

Execute = Callable[..., Any]

_TIMEOUT: Final = 60.0


class Network:
    """``execute`` is the driver's own, which knows how to become root."""

    def __init__(self, bridge: str, execute: Execute) -> None:
        self._bridge = bridge
        self._execute = execute

    def ensure(self, server: Server) -> None:
        """Make what is missing of a server's namespace and interfaces; all may be there already."""
        if not self.exists(server):
            self._try("netns", "delete", server.namespace)
            self._ip("netns", "add", server.namespace)
        self._inside(server, "link", "set", "lo", "up")
        for number, interface in enumerate(server.interfaces):
            self._ensure_interface(server, number, interface)

    def exists(self, server: Server) -> bool:
        """Whether the namespace is there; its name alone is what a kill may leave."""
        return os.path.exists(f"/run/netns/{server.namespace}") and self._try(
            "-netns", server.namespace, "link", "show", "lo"
        )

    def remove(self, server: Server) -> None:
        """Remove the namespace, and with it the interfaces; one that is gone is no error."""
        if os.path.exists(f"/run/netns/{server.namespace}"):
            self._ip("netns", "delete", server.namespace)
        for number in range(len(server.interfaces)):
            # A namespace that something still holds keeps them otherwise.
            self._try("link", "delete", server.host_device(number))

    def _ensure_interface(self, server: Server, number: int, interface: Interface) -> None:
        inside, outside = f"eth{number}", server.host_device(number)
        bridge = self._ensure_bridge(interface.vlan)
        if not self._try("-netns", server.namespace, "link", "show", inside):
            self._try("link", "delete", outside)
            peer = ("type", "veth", "peer", "name", inside, "netns", server.namespace)
            self._ip("link", "add", outside, *peer)
        if interface.mtu:
            self._ip("link", "set", outside, "mtu", str(interface.mtu))
            self._inside(server, "link", "set", inside, "mtu", str(interface.mtu))
        self._ip("link", "set", outside, "master", bridge, "up")
        # An address that waits to be known as unique cannot be listened on.
        at_once = ("nodad",) if interface.is_ipv6 else ()
        self._inside(server, "address", "replace", interface.address, "dev", inside, *at_once)
        self._inside(server, "link", "set", inside, "up")
        if interface.gateway and interface.gateway != interface.host:
            route = ("route", "replace", "default", "via", interface.gateway, "dev", inside)
            self._inside(server, *route, "metric", str(1024 + number))

    def _ensure_bridge(self, vlan: int | None) -> str:
        name = self._bridge if vlan is None else f"{self._bridge}.{vlan}"
        if not os.path.exists(f"/sys/class/net/{name}"):
            # Somebody else may make it at the same time.
            self._try("link", "add", "name", name, "type", "bridge")
        self._ip("link", "set", name, "up")
        return name

    def _inside(self, server: Server, *command: str) -> None:
        self._ip("-netns", server.namespace, *command)

    def _ip(self, *command: str) -> None:
        self._execute("ip", *command, timeout=_TIMEOUT, run_as_root=True)

    def _try(self, *command: str) -> bool:
        try:
            self._ip(*command)
        except exception.ProcessExecutionError:
            return False
        return True
