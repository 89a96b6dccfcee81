# SPDX-License-Identifier: Apache-2.0
"""Options of the NFS driver. Names and types are Cinder's, and so are the defaults but one path."""

from __future__ import annotations

from oslo_config import cfg

nfs_opts: list[cfg.Opt] = [
    cfg.StrOpt(
        "nfs_shares_config",
        default="/etc/cinder/nfs_shares",
        help="File that lists the NFS shares, one a line: address:/export, then mount options if "
        "there are any (-o hard,timeo=100). Read again before each placement.",
    ),
    cfg.BoolOpt(
        "nfs_sparsed_volumes",
        default=True,
        help="Whether raw volumes are sparse files, which take room as they are written. False "
        "writes the whole file when a volume is made.",
    ),
    cfg.BoolOpt(
        "nfs_qcow2_volumes",
        default=False,
        help="Whether new volumes are qcow2 files rather than raw ones.",
    ),
    cfg.StrOpt(
        "nfs_mount_point_base",
        default="$state_path/mnt",
        help="Directory in which the shares are mounted, each in one named by a hash.",
    ),
    cfg.StrOpt(
        "nfs_mount_options",
        help="Options with which every share is mounted, as mount -o takes them.",
    ),
    cfg.IntOpt(
        "nfs_mount_attempts",
        default=3,
        help="Tries to mount a share before it counts as failed; at least one is made.",
    ),
    cfg.BoolOpt(
        "nfs_snapshot_support",
        default=False,
        help="Whether volumes may have snapshots. A volume with snapshots is a chain of qcow2 "
        "files.",
    ),
]


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make the options readable on ``conf``, in the section of a back end."""
    conf.register_opts(nfs_opts, group=group)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("<back end>", nfs_opts)]
