# SPDX-License-Identifier: Apache-2.0
"""Options of the directory driver, read from the section of each back end that uses it."""

from __future__ import annotations

import os

from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import exports
from manila_lite.conf.sections import Section

OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "directory_root",
        help="Absolute path of an existing directory in which the driver keeps its shares and "
        "snapshots. Required. The service's user must own it or be able to write to it.",
    ),
    cfg.StrOpt(
        "directory_backup_root",
        help="Absolute path of an existing directory in which the driver keeps backups of shares: "
        "best on another disk, never inside directory_root or around it. Unset: no backups.",
    ),
    cfg.StrOpt(
        "directory_export_host",
        sample_default="<host name>",
        help="Host in front of the path in export locations. The machine's host name where unset.",
    ),
    cfg.ListOpt(
        "directory_export_helpers",
        default=[],
        help="What exports the shares, by protocol: NFS=ganesha, CIFS=samba. Shares of a protocol "
        "without a helper are refused. Unset: nothing is exported, and access rules are only kept.",
    ),
    cfg.StrOpt(
        "directory_share_mode",
        default="0770",
        regex=r"^0?[0-7]{3,4}$",
        help="Permissions of the top directory of a new share, in octal.",
    ),
    cfg.StrOpt(
        "directory_storage_protocol",
        default="NFS",
        help="What the scheduler is told the shares speak, such as NFS, CIFS or NFS_CIFS. With "
        "directory_export_helpers it is told their protocols.",
    ),
    cfg.StrOpt(
        "directory_enforce_size",
        default="none",
        choices=[
            ("none", "Sizes are recorded and reported, not enforced."),
            ("project_quota", "Project quotas of XFS or ext4, set by commands that run as root."),
        ],
        help="How the size of a share is enforced.",
    ),
]


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make the options readable on ``conf``, in the section of a back end."""
    conf.register_opts(OPTS, group=group)


def check(conf: cfg.ConfigOpts, backend: str) -> None:
    """Raise ConfigurationError for a directory_root that can never be right, or for share servers.

    Whether the root exists is asked again and again at run time: it may be mounted later.
    """
    check_root(conf, backend, "directory", OPTS)


def check_root(conf: cfg.ConfigOpts, backend: str, driver: str, opts: list[cfg.Opt]) -> None:
    """As `check`, for a driver that names its options alike, with its name as the prefix."""
    section = Section(conf, backend)
    section.add(opts)
    option = f"{driver}_root"
    root = section.read(option)
    if root is None or not os.path.isabs(root):
        value = "(not set)" if root is None else root
        raise _refused(backend, option, value, "must be an absolute path")
    helpers = f"{driver}_export_helpers"
    exports.parse(backend, helpers, section.read(helpers))
    if section.read("driver_handles_share_servers"):
        reason = f"the {driver} driver makes no share servers; it must be False"
        raise _refused(backend, "driver_handles_share_servers", True, reason)


def _refused(section: str, option: str, value: object, reason: str) -> exception.ConfigurationError:
    return exception.ConfigurationError(section=section, option=option, value=value, reason=reason)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("<back end>", OPTS)]
