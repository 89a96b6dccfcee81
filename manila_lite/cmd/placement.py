# SPDX-License-Identifier: Apache-2.0
"""On which back end a new share goes: the scheduler's part, for sites that have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from manila_lite import exception
from manila_lite.cmd.errors import Refused
from manila_lite.conf.opts import backend_names, host_of
from manila_lite.conf.sections import Section


def choose_host(
    conf: cfg.ConfigOpts,
    backend: str | None,
    host: str | None,
    reports: Mapping[str, Mapping[str, Any]],
) -> str:
    """Return ``host@backend#pool`` for a new share.

    backend: the name of a section; host: in full, where more is known than the configuration
    says; reports: the last capability report by ``host@backend``. Without back end and host, the
    only enabled back end is taken. Raises Refused when there are several, ConfigurationError when
    there is none, InvalidHost for a host that cannot be one.
    """
    if host is not None:
        return _checked(host)
    names = backend_names(conf)
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
            option="enabled_share_backends",
            value="(not set)",
            reason="must name a back end, or --host be given",
        )
    return f"{host_of(conf, backend)}#{pool_of(conf, backend, reports)}"


def pool_of(conf: cfg.ConfigOpts, backend: str, reports: Mapping[str, Mapping[str, Any]]) -> str:
    """The pool with the most free room in the back end's last report.

    Before the first report: share_backend_name, else the section's name, as a scheduler names the
    only pool of a driver that reports none.
    """
    report = reports.get(host_of(conf, backend), {})
    pools = [pool for pool in report.get("pools") or () if pool.get("pool_name")]
    if pools:
        return str(max(pools, key=_room)["pool_name"])
    own = report.get("share_backend_name") or Section(conf, backend).read("share_backend_name")
    return str(own or backend)


def _room(pool: Mapping[str, Any]) -> float:
    free = pool.get("free_capacity_gb")
    if free == "infinite":
        return float("inf")
    return float(free) if isinstance(free, int | float) else 0.0


def _checked(host: str) -> str:
    name, at, rest = host.partition("@")
    if not (name and at and rest.partition("#")[0]):
        raise exception.InvalidHost(reason=f"{host!r} does not look like host@backend#pool")
    return host
