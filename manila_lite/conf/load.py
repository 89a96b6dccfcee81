# SPDX-License-Identifier: Apache-2.0
"""Reading configuration files into an object that is handed around; there is no global one."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import opts

FILE_NAMES = ("manila-lite.conf", "manila.conf")
_DIRECTORIES = ("~/.manila-lite", ".", "/etc/manila_lite", "/etc/manila")


def default_files(directories: Sequence[str] = _DIRECTORIES) -> list[str]:
    """The first configuration file that exists, as a list of one; empty when there is none.

    Each directory is searched for manila-lite.conf, then for manila.conf.
    """
    for directory in directories:
        for name in FILE_NAMES:
            path = Path(directory).expanduser() / name
            if path.is_file():
                return [os.fspath(path)]
    return []


def load(
    args: Sequence[str] = (), config_files: Sequence[str] | None = None, *, prog: str | None = None
) -> cfg.ConfigOpts:
    """Read the configuration, with every option of the project registered.

    args: command-line arguments for oslo.config (--config-file, --debug ...).
    config_files: files to read where args name none; None: look in the usual places.
    Options and sections that nobody registered are ignored, as in any oslo.config file.
    Raises ConfigurationError when a file is missing or cannot be parsed.
    """
    conf = cfg.ConfigOpts()
    opts.register_all(conf)
    files = default_files() if config_files is None else [os.fspath(f) for f in config_files]
    try:
        with _complaints_as_errors():
            conf(
                list(args),
                project="manila_lite",
                prog=prog,
                default_config_files=files,
                default_config_dirs=[],
            )
    except cfg.ConfigFilesNotFoundError as error:
        raise _unreadable(next(iter(error.config_files)), "there is no such file") from None
    except cfg.ConfigFilesPermissionDeniedError as error:
        raise _unreadable(next(iter(error.config_files)), "the file may not be read") from None
    except (cfg.ConfigFileParseError, UnicodeDecodeError) as error:
        path = getattr(error, "config_file", ", ".join(files))
        raise _unreadable(path, _parse_reason(error)) from None
    opts.register_backends(conf)
    return conf


@contextlib.contextmanager
def _complaints_as_errors() -> Iterator[None]:
    """An option such as debug is converted while files are read: oslo.config prints, then exits."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            yield
    except SystemExit:
        complaint = re.match(r"argument --([\w-]+): Invalid (\w+) value: (.*)", printed.getvalue())
        if complaint is None:
            raise
        option, kind, value = complaint.groups()
        reason = f"is not a valid value of type {kind}"
        raise exception.ConfigurationError(
            section="DEFAULT", option=option, value=value, reason=reason
        ) from None
    finally:
        if "argument --" not in printed.getvalue() or "usage:" in printed.getvalue():
            sys.stderr.write(printed.getvalue())


def transport_url(conf: cfg.ConfigOpts) -> str | None:
    """The URL of the message broker, or None: the journal is the queue then.

    Read without oslo.messaging, which owns the option and takes long to import.
    """
    if "transport_url" not in conf:
        own = cfg.ConfigOpts()
        own.register_opt(cfg.StrOpt("transport_url", secret=True))
        own([], default_config_files=conf.config_file, default_config_dirs=conf.config_dir or [])
        conf = own
    url: str | None = conf.transport_url
    return None if url in (None, "", "rabbit://") else url


def _unreadable(path: object, reason: str) -> exception.ConfigurationError:
    return exception.ConfigurationError(
        section="command line", option="--config-file", value=path, reason=reason
    )


def _parse_reason(error: Exception) -> str:
    """What is wrong and in which line, without the line itself: it may hold a password."""
    if isinstance(error, UnicodeDecodeError):
        return "the file is not UTF-8 text"
    found = re.match(r"at .*:(\d+), ([^:]*)", getattr(error, "msg", ""))
    if found is None:
        return "cannot be parsed"
    return f"line {found.group(1)} is neither a section nor 'option = value'"
