# SPDX-License-Identifier: Apache-2.0
"""Exit codes, and the one line that goes with each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

import click

from manila_lite import exception

OK = 0
CONFIGURATION = 1
USAGE = 2
NOT_FOUND = 3
FAILED = 4
TIMED_OUT = 5
UNREACHABLE = 6
REFUSED = 7
BUG = 70

MEANINGS = {
    OK: "done",
    CONFIGURATION: "the configuration or the database's tables cannot be used",
    USAGE: "the command line is wrong",
    NOT_FOUND: "there is no such share, volume, snapshot, image, operation or dead letter",
    FAILED: "the operation failed (with --wait)",
    TIMED_OUT: "the operation goes on, but --timeout is over",
    UNREACHABLE: "the database, the broker, the scheduler or the image service cannot be reached",
    REFUSED: "refused: a status, a size, an ambiguous name or the like stands against it",
    BUG: "an error that should not happen; --verbose shows where",
}


class Refused(exception.Conflict):
    """What was asked for is not possible in the present state of things."""

    message = "%(reason)s"


class OperationFailed(exception.ManilaException):
    """The operation ended, but not well."""

    message = "Operation %(uuid)s %(state)s: %(error)s"


class TimedOut(exception.ManilaException):
    """Nobody waits any longer; the operation goes on."""

    message = (
        "Operation %(uuid)s is still %(state)s after %(seconds)s seconds; it goes on. "
        "Follow it with: manila-lite op watch %(short)s"
    )


class Unreachable(exception.ManilaException):
    """Something that lives elsewhere does not answer."""

    message = "%(what)s cannot be reached: %(reason)s"


class Failure(click.ClickException):
    """An error as click ends a command with it: one line (or a JSON object) and an exit code."""

    def __init__(self, message: str, exit_code: int, as_json: bool) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]
        self.as_json = as_json

    def show(self, file: IO[Any] | None = None) -> None:
        """Print to standard error."""
        text = f"manila-lite: {self.message}"
        if self.as_json:
            text = json.dumps({"error": {"exit_code": self.exit_code, "message": self.message}})
        click.echo(text, file=file, err=True)


def exit_code(error: Exception) -> int:
    """The exit code for an error that a command ends with."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    # By name where importing the class would slow every command down.
    by_name = _CODES_BY_NAME.get(type(error).__name__)
    if by_name is not None:
        return by_name
    if _is_messaging(error) or _is_database_away(error):
        return UNREACHABLE
    return BUG


def message(error: Exception) -> str:
    """The error in one line, without SQL and without passwords."""
    from manila_lite.observability.logging import mask

    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if _is_database_away(error):
        text = f"The database cannot be reached: {text}"
    elif _is_messaging(error):
        text = f"The message broker does not take the request: {text}"
    elif exit_code(error) == BUG:
        text = f"{type(error).__name__}: {text}"
    return mask(text)


_CODES: tuple[tuple[type[Exception], int], ...] = (
    (exception.BadConfigurationException, CONFIGURATION),
    (exception.NotFound, NOT_FOUND),
    (OperationFailed, FAILED),
    (TimedOut, TIMED_OUT),
    (Unreachable, UNREACHABLE),
    (exception.GlanceConnectionFailed, UNREACHABLE),
    (exception.ImageUploadInterrupted, UNREACHABLE),
    (exception.ImageDownloadFailed, REFUSED),
    (exception.NotAuthorized, REFUSED),
    (exception.QuotaError, REFUSED),
    (exception.Invalid, REFUSED),
    (exception.Conflict, REFUSED),
)

_CODES_BY_NAME = {
    "DatabaseUnfit": CONFIGURATION,
    "NoSuchModuleError": CONFIGURATION,  # a driver or plug-in named in [database] connection
    "NoSuchQueue": UNREACHABLE,
}


def _modules(error: BaseException) -> Iterator[str]:
    for kind in type(error).__mro__:
        yield kind.__module__.partition(".")[0]


def _is_messaging(error: Exception) -> bool:
    return bool({"oslo_messaging", "kombu", "amqp"} & set(_modules(error)))


def _is_database_away(error: Exception) -> bool:
    if not {"oslo_db", "sqlalchemy"} & set(_modules(error)):
        return False
    from manila_lite.db.trouble import Trouble, trouble

    kinds = (Trouble.AWAY, Trouble.CONFLICT)
    return trouble(error) in kinds or type(error).__name__ == "DBNonExistentDatabase"
