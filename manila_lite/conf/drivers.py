# SPDX-License-Identifier: Apache-2.0
"""From the value of share_driver or volume_driver to a class, or to a line that says why not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from oslo_utils import importutils

from manila_lite import exception, no_eventlet

ALIASES = {
    "directory": "manila_lite.share.drivers.directory.DirectoryDriver",
    "btrfs": "manila_lite.share.drivers.btrfs.BtrfsDriver",
    "namespace": "manila_lite.share.drivers.namespace.NamespaceDriver",
}

LOCALFS = "manila_lite.volume.drivers.localfs.LocalFsDriver"
NFS = "manila_lite.volume.drivers.nfs.NfsDriver"
VOLUME_ALIASES = {
    "localfs": LOCALFS,
    "nfs": NFS,
    # A cinder.conf works as it is.
    "cinder.volume.drivers.nfs.NfsDriver": NFS,
}


@dataclasses.dataclass(frozen=True)
class _Kind:
    """expected: what every driver has, whoever's base class it derives from."""

    option: str
    name: str
    aliases: Mapping[str, str]
    expected: tuple[str, ...]


_SHARE = _Kind(
    "share_driver",
    "a share driver",
    ALIASES,
    ("do_setup", "check_for_setup_error", "create_share", "delete_share"),
)
_VOLUME = _Kind(
    "volume_driver",
    "a volume driver",
    VOLUME_ALIASES,
    ("do_setup", "check_for_setup_error", "create_volume", "delete_volume"),
)


_HOOK = _Kind(
    "hook_drivers",
    "a hook",
    {},
    ("execute_pre_hook", "execute_post_hook", "execute_periodic_hook"),
)


def load_driver_class(path: str, section: str = "DEFAULT") -> type[Any]:
    """Import a share driver's class by dotted path or by short name.

    Raises ConfigurationError, naming ``section``, when there is no such class or when it is no
    share driver. Importing runs the driver's module: its own errors become the reason.
    """
    no_eventlet.forbid_patching()
    return _load(path, section, _SHARE)


def load_volume_driver_class(path: str, section: str = "DEFAULT") -> type[Any]:
    """As load_driver_class, for a volume driver."""
    return _load(path, section, _VOLUME)


def load_hook_class(path: str, section: str = "DEFAULT") -> type[Any]:
    """As load_driver_class, for a hook of shares."""
    return _load(path, section, _HOOK)


def _load(path: str, section: str, kind: _Kind) -> type[Any]:
    try:
        found = importutils.import_class(kind.aliases.get(path, path))
    except Exception as error:
        # A third-party module can fail in any way while it is imported.
        raise _refused(section, path, f"cannot be loaded: {_one_line(error)}", kind) from error
    missing = [name for name in kind.expected if not callable(getattr(found, name, None))]
    if not isinstance(found, type) or missing:
        raise _refused(section, path, f"is not the class of {kind.name}", kind)
    return found


def _refused(section: str, path: str, reason: str, kind: _Kind) -> exception.ConfigurationError:
    return exception.ConfigurationError(
        section=section, option=kind.option, value=path, reason=reason
    )


def _one_line(error: BaseException) -> str:
    cause: BaseException = error.__cause__ or error
    text = " ".join(str(error).split("\n", 1)[0].split())
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__
