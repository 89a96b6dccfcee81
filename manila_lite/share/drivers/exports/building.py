# SPDX-License-Identifier: Apache-2.0
"""Helpers from a driver's configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from manila_lite.conf import exports as options
from manila_lite.conf.share_driver import ganesha_opts
from manila_lite.share.drivers.exports.base import ExportHelper, Helpers
from manila_lite.share.drivers.exports.ganesha import GaneshaHelper, GaneshaSettings
from manila_lite.share.drivers.exports.mounts import Execute
from manila_lite.share.drivers.exports.samba import SambaHelper, SambaSettings


def build(
    entries: Iterable[str],
    configuration: Any,
    execute: Execute,
    hosts: Sequence[str],
    option: str,
) -> Helpers:
    """The helpers that ``entries`` name, such as ``NFS=ganesha`` and ``CIFS=samba``.

    configuration: the driver's; the helpers' options are added to it. execute: the driver's own.
    hosts: addresses or names by which clients reach the server, the best one first. option: where
    the entries come from. Raises ConfigurationError for an entry that names no helper.
    """
    configuration.append_config_values([*ganesha_opts, *options.OPTS])
    section = getattr(configuration, "config_group", None) or "DEFAULT"
    helpers: list[ExportHelper] = []
    for chosen in options.parse(section, option, entries):
        helpers.append(_FACTORIES[chosen](configuration, execute, hosts, section))
    return Helpers(helpers)


def _ganesha(
    configuration: Any, execute: Execute, hosts: Sequence[str], section: str
) -> ExportHelper:
    settings = GaneshaSettings(
        export_dir=configuration.safe_get("ganesha_export_dir"),
        mount_dir=configuration.safe_get("ganesha_mount_dir"),
        hosts=hosts,
        dbus_address=configuration.safe_get("ganesha_dbus_address"),
        squash=configuration.safe_get("ganesha_squash"),
        section=section,
    )
    return GaneshaHelper(settings, execute)


def _samba(
    configuration: Any, execute: Execute, hosts: Sequence[str], section: str
) -> ExportHelper:
    settings = SambaSettings(
        config_path=configuration.safe_get("samba_config_path"),
        hosts=hosts,
        users=configuration.safe_get("samba_users"),
        force_user=configuration.safe_get("samba_force_user"),
        section=section,
    )
    return SambaHelper(settings, execute)


_Factory = Callable[[Any, Execute, Sequence[str], str], ExportHelper]

_FACTORIES: Final[dict[tuple[str, str], _Factory]] = {
    ("NFS", "ganesha"): _ganesha,
    ("CIFS", "samba"): _samba,
}
