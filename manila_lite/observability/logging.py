# SPDX-License-Identifier: Apache-2.0
"""Log lines that say which operation they belong to, and that never hold a secret.

oslo.log does the logging and owns its options. What is added: the operation's id, the request's
id and the resource in every line, as text or (``use_json``) as fields, and the masking of
whatever looks like a password, a token or a URL with credentials, tracebacks included.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import json
import logging
import re
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from oslo_config import cfg
from oslo_log import formatters, log
from oslo_utils import strutils

PRODUCT = "manila-lite"
NONE = "-"

_PREFIX = "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s "
_WHERE = "[%(operation_id)s %(request_id)s %(operation_resource)s]"
LINE = _PREFIX + _WHERE + " %(instance)s%(message)s"
EXCEPTION_PREFIX = "%(asctime)s.%(msecs)03d %(process)d ERROR %(name)s " + _WHERE + " "

# Chatty libraries; the operator's default_log_levels replaces all of them.
QUIET = [
    "amqp=WARNING",
    "amqplib=WARNING",
    "keystoneauth=WARNING",
    "keystonemiddleware=WARNING",
    "kombu=WARNING",
    "sqlalchemy=WARNING",
    "alembic=WARNING",
    "oslo.messaging=INFO",
    "oslo_messaging=INFO",
    "oslo.privsep.daemon=INFO",
    "stevedore=WARNING",
    "urllib3.connectionpool=WARNING",
    "requests.packages.urllib3.connectionpool=WARNING",
    "waitress.queue=ERROR",
]

_URL_PASSWORD = re.compile(r"(://[^/\s:@]*):\S*@")

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


@dataclasses.dataclass(frozen=True, slots=True)
class OperationFields:
    """What a log line says about the operation that it belongs to."""

    operation_id: str = NONE
    request_id: str = NONE
    operation_resource: str = NONE


_NO_OPERATION = OperationFields()
_current: contextvars.ContextVar[OperationFields] = contextvars.ContextVar(
    "manila_lite_operation", default=_NO_OPERATION
)


@contextlib.contextmanager
def operation_context(
    operation_id: str | None, request_id: str | None = None, resource: str | None = None
) -> Iterator[None]:
    """Name the operation in every line that this thread logs inside the block.

    Other threads are not named: one that a driver starts logs without an operation.
    """
    fields = OperationFields(operation_id or NONE, request_id or NONE, resource or NONE)
    token = _current.set(fields)
    try:
        yield
    finally:
        _current.reset(token)


def current_operation() -> OperationFields:
    """What the lines of this thread say at this moment."""
    return _current.get()


def mask(text: str) -> str:
    """The text without passwords, tokens and the like, as far as their names give them away."""
    if "://" in text:
        text = _URL_PASSWORD.sub(r"\1:***@", text)
    return str(strutils.mask_password(text))


def setup(conf: cfg.ConfigOpts, product: str = PRODUCT) -> None:
    """Send this process's log where the configuration says, else to standard error.

    May be called again, after a reload or in a child process. Format strings and levels that
    the operator has set stay as they are.
    """
    _set_default_formats(conf)
    log.setup(conf, product)
    for handler in log.getLogger(None).logger.handlers:
        handler.setFormatter(_formatter_like(handler.formatter, conf))


def _set_default_formats(conf: cfg.ConfigOpts) -> None:
    conf.set_default("logging_context_format_string", LINE)
    conf.set_default("logging_default_format_string", LINE)
    conf.set_default("logging_exception_prefix", EXCEPTION_PREFIX)
    conf.set_default("logging_debug_format_suffix", "%(funcName)s:%(lineno)d")
    conf.set_default("default_log_levels", QUIET)
    elsewhere = ("log_file", "log_dir", "use_syslog", "use_journal")
    conf.set_default("use_stderr", not any(conf[option] for option in elsewhere))


def _formatter_like(
    formatter: logging.Formatter | None, conf: cfg.ConfigOpts
) -> logging.Formatter | None:
    """The masking counterpart of what oslo.log chose; other formatters stay."""
    if isinstance(formatter, formatters.JSONFormatter):
        return JSONFormatter(datefmt=formatter.datefmt)
    if isinstance(formatter, formatters.ContextFormatter):
        return LineFormatter(
            datefmt=formatter.datefmt, project=formatter.project,
            version=formatter.version, config=conf,
        )  # fmt: skip
    return formatter


def _describe(record: logging.LogRecord) -> None:
    """Put the operation onto the record and take secrets out of its message, once."""
    if getattr(record, "_described", False):
        return
    # oslo.context's "current" context is the first that its thread ever made: not this one's.
    record.__dict__.setdefault("context", None)
    fields = _current.get()
    for name in ("operation_id", "request_id", "operation_resource"):
        if not getattr(record, name, None):
            setattr(record, name, getattr(fields, name))
    record.msg, record.args = mask(record.getMessage()), None
    record._described = True


class LineFormatter(formatters.ContextFormatter):
    """oslo.log's text lines, with the operation and without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        _describe(record)
        line = str(super().format(record))
        # oslo.log ends the line with the error itself.
        return mask(line) if getattr(record, "error_summary", None) else line

    def formatException(  # noqa: N802 - logging's name
        self, ei: _ExcInfo, record: logging.LogRecord | None = None
    ) -> str:
        return mask(super().formatException(ei, record=record))


class JSONFormatter(formatters.JSONFormatter):
    """oslo.log's JSON objects; operation, request and resource stand under ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        _describe(record)
        named: Any = getattr(record, "extra_keys", ())
        record.extra_keys = [*named, "operation_id", "request_id", "operation_resource"]
        line = str(super().format(record))
        values = json.loads(line) if record.levelno >= logging.WARNING else {}
        if not values.get("error_summary"):
            return line
        values["error_summary"] = mask(values["error_summary"])
        return json.dumps(values)

    def formatException(  # noqa: N802 - logging's name
        self, ei: _ExcInfo, strip_newlines: bool = True
    ) -> str:
        return mask(super().formatException(ei, strip_newlines=strip_newlines))
