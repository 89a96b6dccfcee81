# SPDX-License-Identifier: Apache-2.0
"""From the value of share_driver to a class, or to one line that says why there is none."""

from __future__ import annotations

from typing import Any

from oslo_utils import importutils

from manila_lite import exception

ALIASES = {"directory": "manila_lite.share.drivers.directory.DirectoryDriver"}

# What every driver has, whoever's base class it derives from.
_EXPECTED = ("do_setup", "check_for_setup_error", "create_share", "delete_share")


def load_driver_class(path: str, section: str = "DEFAULT") -> type[Any]:
    """Import a driver's class by dotted path or by short name.

    Raises ConfigurationError, naming ``section``, when there is no such class or when it is no
    share driver. Importing runs the driver's module: its own errors become the reason.
    """
    try:
        found = importutils.import_class(ALIASES.get(path, path))
    except Exception as error:
        # A third-party module can fail in any way while it is imported.
        raise _refused(section, path, f"cannot be loaded: {_one_line(error)}") from error
    missing = [name for name in _EXPECTED if not callable(getattr(found, name, None))]
    if not isinstance(found, type) or missing:
        raise _refused(section, path, "is not the class of a share driver")
    return found


def _refused(section: str, path: str, reason: str) -> exception.ConfigurationError:
    return exception.ConfigurationError(
        section=section, option="share_driver", value=path, reason=reason
    )


def _one_line(error: BaseException) -> str:
    cause: BaseException = error.__cause__ or error
    text = " ".join(str(error).split("\n", 1)[0].split())
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__
