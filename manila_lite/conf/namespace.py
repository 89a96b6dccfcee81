# SPDX-License-Identifier: Apache-2.0
"""Options of the namespace driver, beside those of btrfs, read from each back end's section."""

from __future__ import annotations

import os

from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import btrfs
from manila_lite.conf.sections import Section

OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "namespace_dir",
        default="$state_path/share-servers",
        help="Directory with what belongs to each share server: configuration, sockets, logs, and "
        "the mounts of its shares. At most 60 characters long, for the sake of the sockets.",
    ),
    cfg.StrOpt(
        "namespace_bridge",
        default="br-shares",
        regex=r"^[A-Za-z0-9_-]{1,10}$",
        help="Bridge that share servers are attached to; it is made where it is missing. Servers "
        "of a VLAN are attached to one of their own, named with a dot and the number: "
        "br-shares.101.",
    ),
]

_LONGEST_DIR = 60


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make the options readable on ``conf``, in the section of a back end."""
    conf.register_opts(OPTS, group=group)


def check(conf: cfg.ConfigOpts, backend: str) -> None:
    """Raise ConfigurationError for options that can never be right."""
    section = Section(conf, backend)
    section.add([*btrfs.OPTS, *OPTS])
    check_absolute(backend, "btrfs_root", section.read("btrfs_root"))
    check_absolute(backend, "namespace_dir", section.read("namespace_dir"), _LONGEST_DIR)
    if not section.read("driver_handles_share_servers"):
        raise exception.ConfigurationError(
            section=backend, option="driver_handles_share_servers", value=False,
            reason="the namespace driver makes share servers; it must be True",
        )  # fmt: skip


def check_absolute(section: str, option: str, value: str | None, longest: int = 4096) -> None:
    """Raise ConfigurationError for what is no absolute path, or too long a one."""
    if value is None or not os.path.isabs(value):
        reason = "must be an absolute path"
    elif len(value) > longest:
        reason = f"must not be longer than {longest} characters"
    else:
        return
    raise exception.ConfigurationError(
        section=section, option=option, value=value or "(not set)", reason=reason
    )


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("<back end>", OPTS)]
