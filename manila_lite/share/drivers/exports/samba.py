# SPDX-License-Identifier: Apache-2.0
"""CIFS by Samba: one registry share per share, replaced as a whole whenever it changes."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import os
import pwd
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from manila_lite import exception
from manila_lite.share.drivers.exports import base
from manila_lite.share.drivers.exports.mounts import Execute
from manila_lite.share.drivers.exports.samba_access import ACCESS, takes_away, user_values
from manila_lite.share.drivers.exports.samba_registry import Registry

LOG = logging.getLogger(__name__)

# Samba reads '%' as a macro, and a group behind '@', '+' and '&'.
_USER: Final = re.compile(r"[\w.-]+(\\[\w.-]+)?\$?")
_UNC: Final = re.compile(r"\\\\[^\\]+\\([^\\]+)")
_CUT_OFF: Final = "manila_lite:cut off"


@dataclasses.dataclass(frozen=True)
class SambaSettings:
    """Which Samba it is, and how it reads and writes. hosts: in export locations, the best first.

    users: whom a rule may name, ``passdb`` or ``system``. section is the back end's.
    """

    config_path: str
    hosts: Sequence[str]
    users: str = "passdb"
    force_user: str | None = None
    section: str = "DEFAULT"


class SambaHelper(base.ExportHelper):
    """Rules by user, and by address.

    Users get in by name and password, to read and write or only to read. Addresses narrow down
    from where: with rules of both types a client has to meet one of each. With rules by address
    alone every user gets in from there.
    """

    protocol = "CIFS"

    def __init__(self, settings: SambaSettings, execute: Execute) -> None:
        """execute: runs Samba's ``net``, ``smbcontrol`` and ``pdbedit``, with run_as_root."""
        self._settings = settings
        self._registry = Registry(settings.config_path, execute)

    def check(self) -> None:
        """Raise ConfigurationError for a configuration that has no shares in the registry."""
        reason = self._registry.why_not()
        if reason:
            raise exception.ConfigurationError(
                section=self._settings.section, option="samba_config_path",
                value=self._settings.config_path, reason=reason,
            )  # fmt: skip

    def ensure(self, name: str, path: str, rules: base.Rules | None = None) -> list[base.Location]:
        """As the base class. A rule that cannot be followed lets nobody in."""
        known = self._registry.read(name)
        if rules is not None or known is None:
            self._write(name, path, self._access(rules or ())[0], known)
        else:
            kept = {key: value for key, value in known.items() if key in ACCESS}
            self._write(name, path, kept, known)
        return [
            {
                "path": f"\\\\{_unc(host)}\\{name}",
                "is_admin_only": False,
                "metadata": {"preferred": number == 0},
            }
            for number, host in enumerate(self._settings.hosts)
        ]

    def update_access(self, name: str, path: str, rules: base.Rules) -> base.RuleUpdates:
        """As the base class. Clients that lost access are cut off at once."""
        access, refusals = self._access(rules)
        self._write(name, path, access, self._registry.read(name))
        return base.refused(refusals, name)

    def remove(self, name: str) -> None:
        """As the base class; clients are cut off."""
        if self._registry.read(name) is not None:
            self._registry.remove(name)
        self._registry.close(name)

    def refresh(self, name: str, path: str) -> None:
        """As the base class. Clients are cut off, and connect again by themselves."""
        self.ensure(name, path)
        self._registry.close(name)

    def source_of(self, location: str) -> str | None:
        """As the base class: by the name, whatever the host."""
        found = _UNC.fullmatch(location)
        try:
            known = self._registry.read(found[1]) if found else None
        except exception.PathRefused:
            return None
        return known.get("path") if known else None

    def restore(self) -> list[str]:
        """Nothing to do: Samba keeps its registry."""
        return []

    def _write(
        self, name: str, path: str, access: dict[str, str], known: dict[str, str] | None
    ) -> None:
        values = {"path": _checked_path(path), "guest ok": "no", **access, **self._force_user(path)}
        if values == known:
            return
        if known is None or not (_CUT_OFF in known or takes_away(known, values)):
            self._registry.write(name, values)
            return
        # The mark stays until nobody has access of old: a kill in between is made up for.
        self._registry.write(name, {**values, _CUT_OFF: "yes"})
        self._registry.close(name)
        self._registry.write(name, values)

    def _access(self, rules: base.Rules) -> tuple[dict[str, str], list[base.Refusal]]:
        checked = [(rule, self._refusal(rule)) for rule in rules]
        refusals = [refusal for _, refusal in checked if refusal is not None]
        good = [rule for rule, refusal in checked if refusal is None]
        users = sorted((r["access_to"], r["access_level"]) for r in good if _is_user(r))
        addresses = sorted({_address(rule) for rule in good if not _is_user(rule)})
        if not good:
            # A share without a list of users would let in everybody who has a password.
            return {"available": "no"}, refusals
        values = user_values(users) if users else {"read only": "no"}
        if addresses:
            values["hosts allow"] = " ".join(addresses)
        return values, refusals

    def _refusal(self, rule: Mapping[str, Any]) -> base.Refusal | None:
        to = rule["access_to"]
        if rule["access_type"] == "ip":
            return _address_refusal(rule)
        if not _is_user(rule):
            reason = f"access_type {rule['access_type']} is not supported for CIFS"
            return base.Refusal(rule, f"{reason}, only user and ip are")
        if not _USER.fullmatch(to):
            return base.Refusal(rule, f"access_to {to!r} is no name of a user")
        if not self._knows(to):
            return base.Refusal(rule, f"access_to {to}: Samba knows no such user")
        return base.level_refusal(rule)

    def _knows(self, user: str) -> bool:
        if self._settings.users == "passdb":
            return self._registry.has_user(user)
        try:
            pwd.getpwnam(user)
        except KeyError:
            return False
        return True

    def _force_user(self, path: str) -> dict[str, str]:
        user = self._settings.force_user
        if user:
            return {"force user": user}
        try:
            owner = os.stat(path)
            return {} if owner.st_uid == 0 else {"force user": pwd.getpwuid(owner.st_uid).pw_name}
        except (FileNotFoundError, KeyError):
            return {}


def _is_user(rule: Mapping[str, Any]) -> bool:
    return rule["access_type"] == "user"


def _address(rule: Mapping[str, Any]) -> str:
    network = ipaddress.ip_network(rule["access_to"], strict=False)
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return str(network)


def _address_refusal(rule: Mapping[str, Any]) -> base.Refusal | None:
    try:
        _address(rule)
    except ValueError:
        return base.Refusal(rule, f"access_to {rule['access_to']} is no address and no network")
    if rule["access_level"] == base.READ_ONLY:
        return base.Refusal(rule, "access_level ro: Samba has no levels by address, only by user")
    return base.level_refusal(rule)


def _checked_path(path: str) -> str:
    if not os.path.isabs(path) or re.search(r'["%\x00-\x1f\x7f]|^\s|\s$', path):
        reason = "an export needs an absolute path without quotes, percent signs and control codes"
        raise exception.PathRefused(name=path, reason=reason)
    return path


def _unc(host: str) -> str:
    """Windows has no colons in names; this is how it writes an IPv6 address."""
    return f"{host.replace(':', '-')}.ipv6-literal.net" if ":" in host else host
