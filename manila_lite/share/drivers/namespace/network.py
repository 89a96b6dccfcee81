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
_DEVICES: Final = "/sys/class/net"


class Network:
    """``execute`` is the driver's own, which knows how to become root."""

    def __init__(self, bridge: str, execute: Execute) -> None:
        self._bridge = bridge
        self._execute = execute

    def ensure(self, server: Server) -> None:
        """Make what is missing of a server's namespace and interfaces; all may be there already."""
        if not self.exists(server):
            self._delete_name(server)
            self._ip("netns", "add", server.namespace)
        self._inside(server, "link", "set", "lo", "up")
        for number, interface in enumerate(server.interfaces):
            self._ensure_interface(server, number, interface)

    def exists(self, server: Server) -> bool:
        """Whether the namespace is there; its name alone is what a kill may leave."""
        return os.path.exists(f"/run/netns/{server.namespace}") and self._has(server, "lo")

    def is_attached(self, server: Server) -> bool:
        """Whether each interface is on a bridge: one that is made anew has lost its own."""
        devices = (server.host_device(number) for number in range(len(server.interfaces)))
        return all(os.path.exists(f"{_DEVICES}/{device}/master") for device in devices)

    def remove(self, server: Server) -> None:
        """Remove the namespace, and with it the interfaces; one that is gone is no error."""
        self._delete_name(server)
        for device in sorted(os.listdir(_DEVICES)):
            # A namespace that something still holds keeps them otherwise.
            if device.startswith(server.host_devices):
                self._delete_device(device)

    def _ensure_interface(self, server: Server, number: int, interface: Interface) -> None:
        inside, outside = f"eth{number}", server.host_device(number)
        bridge = self._ensure_bridge(interface.vlan)
        if not self._has(server, inside):
            self._delete_device(outside)
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
        path = f"{_DEVICES}/{name}"
        if not os.path.exists(path):
            try:
                self._ip("link", "add", "name", name, "type", "bridge")
            except exception.ProcessExecutionError:
                # Another back end may have made it at the same time.
                if not os.path.exists(path):
                    raise
        if not os.path.isdir(f"{path}/bridge"):
            raise exception.ShareBackendException(
                msg=f"{name}, which option namespace_bridge asks for, is no bridge"
            )
        self._ip("link", "set", name, "up")
        return name

    def _delete_name(self, server: Server) -> None:
        if os.path.exists(f"/run/netns/{server.namespace}"):
            self._ip("netns", "delete", server.namespace)

    def _delete_device(self, name: str) -> None:
        """Delete a device of the machine; it may go by itself, with its other end."""
        path = f"{_DEVICES}/{name}"
        if not os.path.exists(path):
            return
        try:
            self._ip("link", "delete", name)
        except exception.ProcessExecutionError:
            if os.path.exists(path):
                raise

    def _has(self, server: Server, device: str) -> bool:
        try:
            self._inside(server, "link", "show", device)
        except exception.ProcessExecutionError:
            return False
        return True

    def _inside(self, server: Server, *command: str) -> None:
        self._ip("-netns", server.namespace, *command)

    def _ip(self, *command: str) -> None:
        self._execute("ip", *command, timeout=_TIMEOUT, run_as_root=True)
