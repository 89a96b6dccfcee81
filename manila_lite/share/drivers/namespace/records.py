# SPDX-License-Identifier: Apache-2.0
"""What the driver knows of a share server, and what is in the server's directory.

<directory>/<server id>/server.json    the interfaces; written before anything is made
<directory>/<server id>/bus.conf       the server's own D-Bus, its socket and process id
<directory>/<server id>/ganesha.conf   its nfs-ganesha, with log and process id
<directory>/<server id>/export.d       its exports
<directory>/<server id>/mounts         the subvolumes that it exports
<directory>/.lock                      held while a server is made, removed or looked after
<directory>/.id                        changes when the directory is lost and made anew
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import ipaddress
import json
import logging
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from manila_lite import exception

LOG = logging.getLogger(__name__)

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")
_RECORD: Final = "server.json"
_MARK: Final = ".id"
_DETAIL: Final = "interface_"


@dataclasses.dataclass(frozen=True)
class Interface:
    """One address of a server. address has the length of the network's prefix; mtu in bytes."""

    address: str
    gateway: str | None = None
    vlan: int | None = None
    mtu: int | None = None

    @property
    def host(self) -> str:
        """The address alone."""
        return self.address.partition("/")[0]

    @property
    def is_ipv6(self) -> bool:
        """Whether it is an IPv6 address."""
        return ":" in self.address


@dataclasses.dataclass(frozen=True)
class Server:
    """A share server, its namespace and its directory."""

    server_id: str
    directory: str
    interfaces: tuple[Interface, ...]

    @property
    def namespace(self) -> str:
        """The name of its network namespace."""
        return f"manila-lite-{self.server_id}"

    @property
    def hosts(self) -> list[str]:
        """Its addresses, as they stand in export locations."""
        return [interface.host for interface in self.interfaces]

    @property
    def bus(self) -> str:
        """The address of its D-Bus."""
        return f"unix:path={self.path('bus')}"

    def path(self, name: str) -> str:
        """A file or directory of the server."""
        return os.path.join(self.directory, name)

    @property
    def host_devices(self) -> str:
        """How the ends of its interfaces begin that are outside of the namespace."""
        return f"ml{hashlib.sha256(self.server_id.encode()).hexdigest()[:9]}"

    def host_device(self, number: int) -> str:
        """The outer end of one interface; at most 15 characters."""
        return f"{self.host_devices}{number}"

    @property
    def details(self) -> dict[str, str]:
        """What the database keeps: enough to set the server up again, in texts of a few bytes."""
        interfaces = (_text(dataclasses.asdict(interface)) for interface in self.interfaces)
        return {
            "server_id": self.server_id,
            "namespace": self.namespace,
            "addresses": " ".join(self.hosts),
            **{f"{_DETAIL}{number}": text for number, text in enumerate(interfaces)},
        }


class Records:
    """The servers' directories under one directory."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def prepare(self) -> None:
        """Make the directory; raises OSError. Nobody else can look into it, root aside."""
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        mark = os.path.join(self._directory, _MARK)
        if not os.path.exists(mark):
            write_file(mark, str(uuid.uuid4()))

    @property
    def mark(self) -> str:
        """What tells this directory from one that was lost. Raises OSError."""
        with open(os.path.join(self._directory, _MARK), encoding="utf-8") as file:
            return file.read()

    def named(self, server_id: str, interfaces: Sequence[Interface] = ()) -> Server:
        """A server, whether it is written down or not. Raises PathRefused for its name."""
        return Server(server_id, self._path(server_id), tuple(interfaces))

    def of_details(self, details: Mapping[str, Any]) -> Server:
        """The server with these details. Raises PathRefused, and ShareBackendException."""
        server_id = str(details["server_id"])
        texts: list[str] = []
        while f"{_DETAIL}{len(texts)}" in details:
            texts.append(details[f"{_DETAIL}{len(texts)}"])
        try:
            interfaces = [Interface(**json.loads(text)) for text in texts]
        except (ValueError, TypeError) as error:
            raise exception.ShareBackendException(
                msg=f"the details of share server {server_id} are damaged"
            ) from error
        return self.named(server_id, interfaces)

    def read(self, server_id: str) -> Server | None:
        """A server that was written down; None where none was. Raises ShareBackendException."""
        directory = self._path(server_id)
        try:
            with open(os.path.join(directory, _RECORD), encoding="utf-8") as file:
                found = [Interface(**values) for values in json.load(file)["interfaces"]]
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise exception.ShareBackendException(
                msg=f"{directory}/{_RECORD} is damaged"
            ) from error
        return Server(server_id, directory, tuple(found))

    def all(self) -> list[Server]:
        """All servers that were written down; what is damaged is logged."""
        entries = sorted(entry for entry in os.listdir(self._directory) if _ID.fullmatch(entry))
        return [server for entry in entries if (server := self._readable(entry)) is not None]

    def write(self, server: Server) -> None:
        """Write a server down, and make its directories. Raises OSError."""
        for name in ("export.d", "mounts", "recovery"):
            os.makedirs(server.path(name), mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError), open(server.path("export.d/INDEX.conf"), "x"):
            pass
        values = {"interfaces": [dataclasses.asdict(interface) for interface in server.interfaces]}
        write_file(server.path(_RECORD), _text(values))

    def remove(self, server: Server, clear: Callable[[list[str]], object]) -> None:
        """Forget a server; the record goes last, so that a repetition finds it.

        clear: removes files and directories, which may belong to root.
        """
        if not os.path.isdir(server.directory):
            return
        entries = [entry for entry in os.listdir(server.directory) if entry != _RECORD]
        if entries:
            clear([server.path(entry) for entry in sorted(entries)])
        with contextlib.suppress(FileNotFoundError):
            os.unlink(server.path(_RECORD))
        os.rmdir(server.directory)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One at a time makes, removes or looks after servers, of all processes and threads."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(os.path.join(self._directory, ".lock"), flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _readable(self, server_id: str) -> Server | None:
        try:
            return self.read(server_id)
        except exception.ShareBackendException as error:
            LOG.error("Share server %s cannot be looked after: %s", server_id, error)
            return None

    def _path(self, server_id: str) -> str:
        if not _ID.fullmatch(server_id):
            reason = "a share server is named by letters, digits and dashes"
            raise exception.PathRefused(name=server_id, reason=reason)
        return os.path.join(self._directory, server_id)


def interfaces_of(network_info: Sequence[Mapping[str, Any]]) -> list[Interface]:
    """The interfaces that a server needs: one for each address that was allocated.

    Raises NetworkBadConfigurationException for networks that are neither flat nor VLANs, and
    where there is no address.
    """
    found = []
    for info in network_info:
        for allocation in info["network_allocations"]:
            found.append(_interface(info, allocation))
    if not found:
        raise exception.NetworkBadConfigurationException(reason="no address was allocated")
    return found


def _interface(info: Mapping[str, Any], allocation: Mapping[str, Any]) -> Interface:
    kind = allocation.get("network_type") or info.get("network_type")
    segment = allocation.get("segmentation_id") or info.get("segmentation_id")
    if kind not in (None, "flat", "vlan"):
        raise exception.NetworkBadConfigurationException(
            reason=f"network_type {kind} is not supported, only flat and vlan are"
        )
    address = ipaddress.ip_address(allocation["ip_address"])
    cidr = allocation.get("cidr") or info.get("cidr")
    prefix = ipaddress.ip_network(cidr).prefixlen if cidr else address.max_prefixlen
    gateway, mtu = allocation.get("gateway"), allocation.get("mtu")
    return Interface(
        address=f"{address}/{prefix}",
        gateway=str(ipaddress.ip_address(gateway)) if gateway else None,
        vlan=int(segment) if kind == "vlan" and segment else None,
        mtu=int(mtu) if mtu else None,
    )


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)


def write_file(path: str, text: str) -> None:
    """Replace a file as a whole."""
    descriptor = os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{path}.tmp", path)
