# SPDX-License-Identifier: Apache-2.0
"""Unit tests do no I/O over the network, do not sleep, and take less than ten seconds in all."""

import socket
import sys
import time
from typing import Any, NoReturn

import pytest

LIMIT = 10.0  # seconds of processor time for the whole run, so that a busy machine is no failure

_real_sleep = time.sleep


def _no_network(*args: Any, **kwargs: Any) -> NoReturn:
    raise AssertionError("a unit test may not use a socket")


def _no_sleep(seconds: float) -> None:
    """Refuse to sleep, except where the standard library polls (subprocess with a timeout)."""
    caller = sys._getframe(1).f_globals.get("__name__", "")
    if seconds and caller.partition(".")[0] not in sys.stdlib_module_names:
        raise AssertionError(f"{caller} sleeps in a unit test; wait on the injected clock")
    _real_sleep(seconds)


@pytest.fixture(autouse=True)
def _only_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, _no_network)
    monkeypatch.setattr(time, "sleep", _no_sleep)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that is slow in itself."""
    if session.exitstatus == pytest.ExitCode.OK and time.process_time() > LIMIT:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    used = time.process_time()
    if used > LIMIT:
        terminalreporter.write_line(
            f"the unit tests took {used:.1f} s of processor time; the limit is {LIMIT:.0f} s"
        )
