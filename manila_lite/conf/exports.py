# SPDX-License-Identifier: Apache-2.0
"""Options of the export helpers, read from the section of each back end that exports shares.

Those of nfs-ganesha that Manila has as well are in ``share_driver``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from oslo_config import cfg

from manila_lite import exception

#: What export helpers there are: protocol and name.
HELPERS: Final = (("NFS", "ganesha"), ("CIFS", "samba"))

OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "ganesha_dbus_address",
        sample_default="<the system's bus>",
        help="D-Bus address under which nfs-ganesha is reached, such as "
        "unix:path=/run/dbus/system_bus_socket.",
    ),
    cfg.StrOpt(
        "ganesha_mount_dir",
        default="$state_path/ganesha-mounts",
        help="Directory under which btrfs subvolumes are mounted, which nfs-ganesha cannot export "
        "otherwise. Other shares are exported from where they are.",
    ),
    cfg.StrOpt(
        "ganesha_squash",
        default="No_Root_Squash",
        choices=[
            ("No_Root_Squash", "Root on a client is root on its share."),
            ("Root_Squash", "Root on a client is nobody."),
            ("All_Squash", "Everybody on a client is nobody."),
        ],
        help="Whom nfs-ganesha takes the users of a client for.",
    ),
    cfg.StrOpt(
        "samba_config_path",
        default="/etc/samba/smb.conf",
        help="Main configuration file of Samba. It has to say 'include = registry' in [global].",
    ),
    cfg.StrOpt(
        "samba_users",
        default="passdb",
        choices=[
            ("passdb", "Those with an account of Samba's own; pdbedit lists them."),
            ("system", "Those whom the system knows, for a member of a domain."),
        ],
        help="Which users an access rule may name.",
    ),
    cfg.StrOpt(
        "samba_force_user",
        sample_default="<owner of the share's directory, unless that is root>",
        help="User as whom all files of a share are read and written.",
    ),
]


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make the options readable on ``conf``, in the section of a back end."""
    conf.register_opts(OPTS, group=group)


def parse(section: str, option: str, entries: Iterable[str]) -> list[tuple[str, str]]:
    """Entries such as ``NFS=ganesha`` as protocol and name.

    Raises ConfigurationError, which names section and option, for one that is in no HELPERS, and
    for a second one of a protocol.
    """
    found: dict[str, str] = {}
    for entry in entries:
        protocol, _, name = (part.strip() for part in entry.partition("="))
        key = (protocol.upper(), name.lower())
        if key not in HELPERS or key[0] in found:
            known = " and ".join(f"{helper[0]}={helper[1]}" for helper in HELPERS)
            reason = f"is none of {known}" if key not in HELPERS else "names a protocol again"
            raise exception.ConfigurationError(
                section=section, option=option, value=entry, reason=reason
            )
        found[key[0]] = key[1]
    return list(found.items())


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("<back end>", OPTS)]
