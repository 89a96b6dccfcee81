# SPDX-License-Identifier: Apache-2.0
"""Options of the btrfs driver, read from the section of each back end that uses it."""

from __future__ import annotations

from oslo_config import cfg

from manila_lite.conf import directory

OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "btrfs_root",
        help="Absolute path of a directory of a mounted btrfs in which the driver keeps its "
        "shares and snapshots as subvolumes. Required. Quotas are enabled on the file system "
        "where they are off.",
    ),
    cfg.StrOpt(
        "btrfs_export_host",
        sample_default="<host name>",
        help="Host in front of the path in export locations. The machine's host name where unset.",
    ),
    cfg.ListOpt(
        "btrfs_export_helpers",
        default=[],
        help="What exports the shares, by protocol: NFS=ganesha, CIFS=samba. Shares of a protocol "
        "without a helper are refused. Unset: nothing is exported, and access rules are only kept.",
    ),
    cfg.StrOpt(
        "btrfs_share_mode",
        default="0770",
        regex=r"^0?[0-7]{3,4}$",
        help="Permissions of the top directory of a new share, in octal.",
    ),
    cfg.StrOpt(
        "btrfs_storage_protocol",
        default="NFS",
        help="What the scheduler is told the shares speak, such as NFS, CIFS or NFS_CIFS. With "
        "btrfs_export_helpers it is told their protocols.",
    ),
]


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make the options readable on ``conf``, in the section of a back end."""
    conf.register_opts(OPTS, group=group)


def check(conf: cfg.ConfigOpts, backend: str) -> None:
    """Raise ConfigurationError for a btrfs_root that can never be right, or for share servers."""
    directory.check_root(conf, backend, "btrfs", OPTS)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("<back end>", OPTS)]
