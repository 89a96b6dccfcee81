# SPDX-License-Identifier: Apache-2.0
"""NFS by nfs-ganesha: one export per share, made and changed over D-Bus while Ganesha runs."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from manila_lite import exception
from manila_lite.share.drivers.exports import base
from manila_lite.share.drivers.exports.ganesha_bus import ExportManager, Refused
from manila_lite.share.drivers.exports.ganesha_files import Export, ExportFiles, checked_path
from manila_lite.share.drivers.exports.mounts import BindMounts, Execute, needs_mount

LOG = logging.getLogger(__name__)

_LEVELS = {base.READ_WRITE: "RW", base.READ_ONLY: "RO"}


@dataclasses.dataclass(frozen=True)
class GaneshaSettings:
    """Where Ganesha is, and what it is told. hosts: in export locations, the best one first.

    section is the back end's, for error messages.
    """

    export_dir: str
    mount_dir: str
    hosts: Sequence[str]
    dbus_address: str | None = None
    squash: str = "No_Root_Squash"
    section: str = "DEFAULT"


class GaneshaHelper(base.ExportHelper):
    """Rules by address: IPv4 and IPv6, hosts and networks, of which the narrowest decides.

    A share is mounted by the path that its export location has, with every version of NFS.
    """

    protocol = "NFS"

    def __init__(self, settings: GaneshaSettings, execute: Execute) -> None:
        """execute: runs ``mount`` and ``umount``, with run_as_root."""
        self._settings = settings
        self._bus = ExportManager(settings.dbus_address)
        self._files = ExportFiles(settings.export_dir, settings.squash)
        self._mounts = BindMounts(settings.mount_dir, execute)
        self._seen: tuple[str, str] | None = None

    def check(self) -> None:
        """Raise ConfigurationError for a directory of exports that cannot be written to."""
        directory = self._settings.export_dir
        try:
            checked_path(directory)
            os.makedirs(directory, mode=0o755, exist_ok=True)
        except (OSError, exception.PathRefused) as error:
            raise self._unusable(str(error)) from error
        if not os.access(directory, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            raise self._unusable(f"user id {os.geteuid()} cannot write to it")

    def ensure(self, name: str, path: str, rules: base.Rules | None = None) -> list[base.Location]:
        """As the base class. A rule that cannot be followed lets nobody in."""
        with self._files.working():
            known = self._files.read(name)
            clients = known.clients if known and rules is None else _clients(rules or ())[0]
            return self._locations(self._put(name, path, clients, known))

    def update_access(self, name: str, path: str, rules: base.Rules) -> base.RuleUpdates:
        """As the base class. Only rules of type ip can be followed."""
        clients, refusals = _clients(rules)
        with self._files.working():
            self._put(name, path, clients, self._files.read(name))
        return base.refused(refusals, name)

    def remove(self, name: str) -> None:
        """As the base class: first on the server, then on disk, so that a repetition finds it."""
        with self._files.working():
            export = self._files.read(name)
            if export is not None:
                self._take_away(export)
                self._mounts.unmount(name)
                self._files.remove(name)

    def refresh(self, name: str, path: str) -> None:
        """As the base class. Clients have to mount the share again."""
        with self._files.working():
            export = self._files.read(name)
            if export is not None:
                self._take_away(export)
            self._put(name, path, export.clients if export else (), export)

    def source_of(self, location: str) -> str | None:
        """As the base class: by the path, whatever the host."""
        path = location[location.find(":/") + 1 :]
        try:
            export = self._files.read(os.path.basename(path))
        except (exception.PathRefused, exception.ShareBackendException):
            return None
        return export.source if export is not None and export.path == path else None

    def restore(self) -> list[str]:
        """As the base class. An export that cannot be made is logged, and does not stop others."""
        incarnation = self._bus.incarnation()
        if incarnation == self._seen:
            return []
        shown = self._bus.paths()
        exports = self._files.write_index()
        missing = [known.name for known in exports if shown.get(known.export_id) != known.path]
        restored = [name for name in missing if self._bring_back(name)]
        self._seen = incarnation
        return restored

    def _bring_back(self, name: str) -> bool:
        try:
            with self._files.working(alone=True):
                export = self._files.read(name)
                if export is None:
                    return False
                self._put(name, export.source, export.clients, export)
        except (exception.ShareBackendException, exception.ProcessExecutionError, OSError) as error:
            if isinstance(error, exception.BackendBusy | exception.BackendOutcomeUnknown):
                raise
            LOG.error("The export of share %s is not back: %s", name, error)
            return False
        return True

    def _put(
        self, name: str, source: str, clients: tuple[tuple[str, str], ...], known: Export | None
    ) -> Export:
        """Write the export down, then show it; what is shown already gets its rules anew."""
        self._files.path_of(name)
        path = self._mounts.path(name) if needs_mount(checked_path(source)) else source
        number = known.export_id if known else self._files.new_id(self._is_taken)
        export = Export(name, number, source, path, clients)
        self._make_way(export, known)
        file = self._files.write(export)
        if export.is_mounted and not self._mounts.is_mounted(name, source):
            self._take_away(export)
            self._mounts.mount(name, source)
        self._bus.put(file, number)
        return export

    def _make_way(self, export: Export, known: Export | None) -> None:
        """Refuse an id that the administrator has taken; an export of another path goes first."""
        shown = self._bus.path_of(export.export_id)
        if shown is None or shown == export.path:
            return
        if known is None or shown != known.path:
            raise exception.ShareBackendException(
                msg=f"nfs-ganesha has another export with id {export.export_id}, of {shown}; "
                f"that of share {export.name} needs it"
            )
        self._take_away(known)

    def _take_away(self, export: Export) -> None:
        if self._bus.path_of(export.export_id) != export.path:
            return
        try:
            self._bus.remove(export.export_id)
        except Refused:
            if self._bus.path_of(export.export_id) is not None:
                raise

    def _is_taken(self, export_id: int) -> bool:
        return self._bus.path_of(export_id) is not None

    def _locations(self, export: Export) -> list[base.Location]:
        return [
            {
                "path": f"{_bracketed(host)}:{export.path}",
                "is_admin_only": False,
                "metadata": {"preferred": number == 0},
            }
            for number, host in enumerate(self._settings.hosts)
        ]

    def _unusable(self, reason: str) -> exception.ConfigurationError:
        return exception.ConfigurationError(
            section=self._settings.section, option="ganesha_export_dir",
            value=self._settings.export_dir, reason=reason,
        )  # fmt: skip


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _clients(rules: base.Rules) -> tuple[tuple[tuple[str, str], ...], list[base.Refusal]]:
    """Clients for Ganesha, which takes the first that fits, and the rules that give none."""
    networks: list[tuple[_Network, str]] = []
    refusals = []
    for rule in rules:
        refusal = _refusal(rule)
        if refusal is not None:
            refusals.append(refusal)
            continue
        network = ipaddress.ip_network(rule["access_to"], strict=False)
        networks.append((network, _LEVELS[rule["access_level"]]))
    networks.sort(key=lambda found: (-found[0].prefixlen, found[0].version, str(found[0])))
    return tuple((who, level) for net, level in networks for who in _written(net)), refusals


def _refusal(rule: Mapping[str, Any]) -> base.Refusal | None:
    if rule["access_type"] != "ip":
        reason = f"access_type {rule['access_type']} is not supported for NFS, only ip is"
        return base.Refusal(rule, reason)
    try:
        ipaddress.ip_network(rule["access_to"], strict=False)
    except ValueError:
        return base.Refusal(rule, f"access_to {rule['access_to']} is no address and no network")
    return base.level_refusal(rule)


def _written(network: _Network) -> list[str]:
    """Ganesha cannot read a network of everybody; two halves of it are the same."""
    if network.prefixlen == 0:
        return [str(half) for half in network.subnets()]
    if network.prefixlen == network.max_prefixlen:
        return [str(network.network_address)]
    return [str(network)]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
