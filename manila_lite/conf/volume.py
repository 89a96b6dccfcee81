# SPDX-License-Identifier: Apache-2.0
"""[DEFAULT] of the volume service: its back ends, and the names that volumes get on storage."""

from __future__ import annotations

from oslo_config import cfg

OPTS: list[cfg.Opt] = [
    cfg.ListOpt(
        "enabled_volume_backends",
        help="Sections of this file that describe a back end of the volume service each. One "
        "process serves each. No section may be in enabled_share_backends too.",
    ),
    cfg.StrOpt(
        "volume_name_template",
        default="volume-%s",
        help="Name that drivers give a volume on the storage; %s is the volume's id.",
    ),
    cfg.StrOpt(
        "snapshot_name_template",
        default="snapshot-%s",
        help="Name that drivers give a snapshot of a volume; %s is the snapshot's id.",
    ),
]

# Read from a back end's section.
BACKEND_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "volume_driver",
        default="cinder.volume.drivers.lvm.LVMVolumeDriver",
        help="Class of the driver of a back end: its dotted path, or 'localfs' for volumes in "
        "directories of this machine, or 'nfs' for volumes on NFS shares.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options of [DEFAULT] readable on ``conf``."""
    conf.register_opts(OPTS)
    conf.register_opts(BACKEND_OPTS)


def register_backend(conf: cfg.ConfigOpts, group: str) -> None:
    """Make what every volume back end's section holds readable."""
    conf.register_opts(BACKEND_OPTS, group=group)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("DEFAULT", OPTS)]
