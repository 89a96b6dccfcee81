# SPDX-License-Identifier: Apache-2.0
"""Options of the driver that keeps volumes in directories of this machine."""

from __future__ import annotations

import os

from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf.sections import Section

localfs_opts: list[cfg.Opt] = [
    cfg.ListOpt(
        "localfs_volume_dir",
        default=["$state_path/volumes"],
        help="Absolute paths of the directories in which the driver keeps its volumes. Each is a "
        "pool of the back end. The service's user must own them, or be able to make them.",
    ),
    cfg.BoolOpt(
        "localfs_sparsed_volumes",
        default=True,
        help="Whether raw volumes are sparse files, which take room as they are written. False "
        "writes the whole file when a volume is made.",
    ),
    cfg.BoolOpt(
        "localfs_qcow2_volumes",
        default=False,
        help="Whether new volumes are qcow2 files rather than raw ones.",
    ),
]


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make the options readable on ``conf``, in the section of a back end."""
    conf.register_opts(localfs_opts, group=group)


def check(conf: cfg.ConfigOpts, backend: str) -> None:
    """Raise ConfigurationError for directories that can never be right.

    Whether they can be written is asked at run time: they may be mounted later.
    """
    section = Section(conf, backend)
    section.add(localfs_opts)
    directories = section.read("localfs_volume_dir")
    if not directories:
        raise _refused(backend, "(not set)", "must name at least one directory")
    for directory in directories:
        reason = _why_not(directory, directories)
        if reason:
            raise _refused(backend, directory, reason)


def _why_not(directory: str, directories: list[str]) -> str | None:
    """What is wrong with a directory; None when nothing is."""
    normal = os.path.normpath(directory)
    if not os.path.isabs(directory) or normal == "/":
        return "must be the absolute path of a directory"
    if "#" in directory:
        return "must not contain '#': the path is the pool's name"
    if [os.path.normpath(other) for other in directories].count(normal) > 1:
        return "is listed twice"
    return None


def _refused(section: str, value: object, reason: str) -> exception.ConfigurationError:
    return exception.ConfigurationError(
        section=section, option="localfs_volume_dir", value=value, reason=reason
    )


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("<back end>", localfs_opts)]
