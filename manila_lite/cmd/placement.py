# SPDX-License-Identifier: Apache-2.0
"""On which back end a new share or volume goes: the scheduler's part, for sites without one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from manila_lite import exception
from manila_lite.cmd.errors import Refused
from manila_lite.conf.opts import host_of
from manila_lite.conf.sections import Section


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is placed, by the options of its back ends.

    enabled: names the back ends' sections. name: how a back end calls itself in its reports.
    """

    enabled: str
    name: str


SHARES = Kind("enabled_share_backends", "share_backend_name")
VOLUMES = Kind("enabled_volume_backends", "volume_backend_name")


def choose_host(
    conf: cfg.ConfigOpts,
    backend: str | None,
    host: str | None,
    reports: Mapping[str, Mapping[str, Any]],
    kind: Kind = SHARES,
) -> str:
    """Return ``host@backend#pool`` for something new.

    backend: the name of a section; host: in full, where more is known than the configuration
    says; reports: the last capability report by ``host@backend``. Without back end and host, the
    only enabled back end is taken. Raises Refused when there are several, ConfigurationError when
    there is none, InvalidHost for a host that cannot be one.
    """
    if host is not None:
        return checked_host(host)
    names = [name for name in conf[kind.enabled] or () if name]
    if backend is not None:
        if backend not in names:
            known = ", ".join(names) or "none"
            raise Refused(reason=f"there is no enabled back end {backend!r}; there are: {known}")
    elif len(names) == 1:
        backend = names[0]
    elif names:
        raise Refused(reason=f"there are several, choose one with --backend: {', '.join(names)}")
    else:
        raise exception.ConfigurationError(
            section="DEFAULT",
            option=kind.enabled,
            value="(not set)",
            reason="must name a back end, or --host be given",
        )
    return f"{host_of(conf, backend)}#{pool_of(conf, backend, reports, kind)}"


def pool_of(
    conf: cfg.ConfigOpts,
    backend: str,
    reports: Mapping[str, Mapping[str, Any]],
    kind: Kind = SHARES,
) -> str:
    """The pool with the most free room in the back end's last report.

    Before the first report: the back end's own name, else the section's, as a scheduler names the
    only pool of a driver that reports none.
    """
    report = reports.get(host_of(conf, backend), {})
    pools = [pool for pool in report.get("pools") or () if pool.get("pool_name")]
    if pools:
        return str(max(pools, key=_room)["pool_name"])
    own = report.get(kind.name) or Section(conf, backend).read(kind.name)
    return str(own or backend)


def _room(pool: Mapping[str, Any]) -> float:
    free = pool.get("free_capacity_gb")
    if free == "infinite":
        return float("inf")
    return float(free) if isinstance(free, int | float) else 0.0


def checked_host(host: str) -> str:
    """The host, if it looks like host@backend#pool; else InvalidHost."""
    name, at, rest = host.partition("@")
    if not (name and at and rest.partition("#")[0]):
        raise exception.InvalidHost(reason=f"{host!r} does not look like host@backend#pool")
    return host
