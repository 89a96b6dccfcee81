# SPDX-License-Identifier: Apache-2.0
"""Samba's own commands: shares in the registry, users, and messages to running servers."""

from __future__ import annotations

import logging
import re
from typing import Final

from manila_lite import exception
from manila_lite.share.drivers.exports.mounts import Execute

LOG = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,79}")
_RESERVED: Final = frozenset({"global", "homes", "printers", "ipc$"})
_TIMEOUT: Final = 60.0


class Registry:
    """Shares of the Samba that has this configuration file. Parameters are written as in it."""

    def __init__(self, config_path: str, execute: Execute) -> None:
        self._path = config_path
        self._execute = execute

    def why_not(self) -> str | None:
        """Why the registry's shares cannot be used, or None when they can."""
        command = ("testparm", "-s", "--parameter-name=registry shares", self._path)
        try:
            output, _ = self._execute(*command, timeout=_TIMEOUT)
        except OSError as error:
            return f"testparm cannot be run, is Samba installed? {error}"
        except exception.ProcessExecutionError as error:
            return f"testparm refuses it: {' '.join((error.stderr or '').split())}"
        return None if output.strip() == "Yes" else "it lacks 'include = registry' in [global]"

    def read(self, name: str) -> dict[str, str] | None:
        """The parameters of a share; None where the registry does not have it."""
        output, errors = self._net("showshare", checked_name(name), check_exit_code=(0, 255))
        values = _parsed(output)
        if not output.strip().startswith("["):
            if "NO_SUCH_SERVICE" in errors + output:
                return None
            raise exception.ShareBackendException(msg=f"net conf showshare: {_line(errors)}")
        return values

    def write(self, name: str, values: dict[str, str]) -> None:
        """Replace all parameters of a share, or make it, in one transaction."""
        lines = "".join(f"    {key} = {value}\n" for key, value in values.items())
        text = f"[{checked_name(name)}]\n{lines}"
        self._net("import", "/dev/stdin", name, process_input=text)

    def remove(self, name: str) -> None:
        """Remove a share; one that is gone is no error."""
        _, errors = self._net("delshare", checked_name(name), check_exit_code=(0, 255))
        if self.read(name) is not None:
            raise exception.ShareBackendException(msg=f"net conf delshare: {_line(errors)}")

    def has_user(self, name: str) -> bool:
        """Whether Samba's own list has an account for this user."""
        command = ("pdbedit", "-s", self._path, "-L", "-u", name)
        output, _ = self._execute(
            *command, check_exit_code=(0, 255), timeout=_TIMEOUT, run_as_root=True
        )
        return any(line.partition(":")[0].lower() == name.lower() for line in output.splitlines())

    def close(self, name: str) -> None:
        """Cut off every client of a share. Those whom it still lets in connect again."""
        self._control("reload-config")
        self._control("close-share", name)

    def _control(self, *message: str) -> None:
        command = ("smbcontrol", "-s", self._path, "smbd", *message)
        _, errors = self._execute(
            *command, check_exit_code=False, timeout=_TIMEOUT, run_as_root=True
        )
        if errors.strip():
            # No server runs, so that nobody is connected either.
            LOG.debug("smbcontrol %s: %s", " ".join(message), _line(errors))

    def _net(
        self,
        *arguments: str,
        process_input: str | None = None,
        check_exit_code: tuple[int, ...] = (0,),
    ) -> tuple[str, str]:
        output, errors = self._execute(
            "net", "-s", self._path, "conf", *arguments,
            process_input=process_input, check_exit_code=check_exit_code, timeout=_TIMEOUT,
            run_as_root=True,
        )  # fmt: skip
        return output, errors


def checked_name(name: str) -> str:
    """The name, when a share can have it; PathRefused when not."""
    if not _NAME.fullmatch(name) or name.lower() in _RESERVED:
        raise exception.PathRefused(name=name, reason="it cannot name a share of Samba")
    return name


def _parsed(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _line(text: str) -> str:
    return " ".join(text.split())
