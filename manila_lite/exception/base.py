# SPDX-License-Identifier: Apache-2.0
"""The base of all exceptions, the broad families, and what the project itself raises."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

from oslo_concurrency import processutils

LOG = logging.getLogger(__name__)

ProcessExecutionError = processutils.ProcessExecutionError


class ManilaException(Exception):
    """Base of all: a template in `message`, filled with the keyword arguments.

    A message given outright wins over the template. An argument that the template lacks is no
    error; one that it needs and does not get leaves the template as it is, with a warning: an
    error about an error would hide the first one.
    """

    message: ClassVar[str] = "An unknown exception occurred."
    code: int = 500
    headers: ClassVar[Mapping[str, str]] = {}
    safe: ClassVar[bool] = False

    def __init__(
        self,
        message: object = None,
        detail_data: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        texts = {k: str(v) if isinstance(v, BaseException) else v for k, v in kwargs.items()}
        self.kwargs: dict[str, Any] = {"code": self.code, **texts}
        self.detail_data: dict[str, Any] = dict(detail_data or {})
        self.msg: str = _one_full_stop(str(message) if message else self._fill_template())
        super().__init__(self.msg)

    def _fill_template(self) -> str:
        try:
            return self.message % self.kwargs
        except (KeyError, TypeError, ValueError) as error:
            LOG.warning("%s was raised without what its message needs: %r", type(self), error)
            return self.message


def _one_full_stop(text: str) -> str:
    """A reason that ends its own sentence would make two full stops with the template's."""
    return text[:-1] if text.endswith("..") and not text.endswith("...") else text


# Broad families, which most classes below derive from.


class NotFound(ManilaException):
    message = "Resource could not be found."
    code = 404
    safe = True


class Invalid(ManilaException):
    message = "Unacceptable parameters."
    code = 400


class Conflict(ManilaException):
    message = "%(err)s"
    code = 409


class InUse(ManilaException):
    message = "Resource is in use."


class NotAuthorized(ManilaException):
    message = "Not authorized."
    code = 403


class AdminRequired(NotAuthorized):
    message = "Administrator rights are needed."


class QuotaError(ManilaException):
    message = "Quota exceeded: code=%(code)s."
    code = 413
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "0"}
    safe = True


class OverQuota(ManilaException):
    message = "Quota exceeded for resources: %(overs)s."


# Bad input, bad configuration.


class InvalidInput(Invalid):
    message = "Invalid input: %(reason)s."


class InvalidParameterValue(Invalid):
    message = "%(err)s"


class InvalidHost(Invalid):
    message = "Invalid host: %(reason)s"


class InvalidUUID(Invalid):
    message = "%(uuid)s is not a UUID."


class InvalidCapacity(Invalid):
    message = "Invalid capacity: %(name)s = %(value)s."


class InvalidDriverMode(Invalid):
    message = "Invalid driver mode: %(driver_mode)s."


class InvalidExtraSpec(Invalid):
    message = "Invalid extra spec: %(reason)s."


class InvalidShareType(Invalid):
    message = "Invalid share type: %(reason)s."


class InvalidMetadata(Invalid):
    message = "Invalid metadata."


class BadConfigurationException(ManilaException):
    message = "Bad configuration: %(reason)s."


class ConfigurationError(BadConfigurationException):
    """An option that cannot be used. One line that tells where to look; exit code 1."""

    message = "[%(section)s] %(option)s = %(value)s: %(reason)s"


class PathRefused(Invalid):
    """A name from a message or a row would have left the directory it belongs in."""

    message = "Refused to use %(name)r as a path: %(reason)s"


class CommandTimeout(ManilaException):
    """A command ran out of time and was killed with all that it had started.

    No ProcessExecutionError on purpose: what repeats or swallows a command's refusal must not
    repeat or swallow a command of which nobody knows how far it came.
    """

    message = "Command was killed after %(timeout)s seconds: %(cmd)s"
