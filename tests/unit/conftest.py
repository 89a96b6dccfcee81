# SPDX-License-Identifier: Apache-2.0
"""Unit tests do no I/O over the network and do not sleep. Meant to take ten seconds: see WANTED."""

import logging
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

# Seconds of processor time in each process. A busy machine makes a second several times longer:
# more than wanted is said, and only what no machine excuses is an error.
WANTED = 10.0
LIMIT = 6 * WANTED

_real_sleep = time.sleep
_used: list[float] = []


def _no_network(*args: Any, **kwargs: Any) -> NoReturn:
    raise AssertionError("a unit test may not use a socket")


def _no_sleep(seconds: float) -> None:
    """Refuse to sleep, except where the standard library polls (subprocess with a timeout)."""
    caller = sys._getframe(1).f_globals.get("__name__", "")
    if seconds and caller.partition(".")[0] not in sys.stdlib_module_names:
        raise AssertionError(f"{caller} sleeps in a unit test; wait on the injected clock")
    _real_sleep(seconds)


@pytest.fixture(autouse=True, scope="package")
def _only_memory() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "bind", "sendto"):
            patch.setattr(socket.socket, name, _no_network)
        patch.setattr(time, "sleep", _no_sleep)
        yield


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """A command keeps the log quiet for its user; the test after it looks for its own lines."""
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process of xdist has ended."""
    _used.append(getattr(node, "workeroutput", {}).get("unit_seconds", 0.0))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that is slow in itself."""
    worker = getattr(session.config, "workeroutput", None)
    if worker is not None:
        worker["unit_seconds"] = time.process_time()
        return
    _used.append(time.process_time())
    if session.exitstatus == pytest.ExitCode.OK and max(_used) > LIMIT:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    slowest = max(_used, default=0.0)
    if slowest > WANTED:
        verdict = "too slow" if slowest > LIMIT else "slow, or the machine is busy"
        terminalreporter.write_line(
            f"unit tests: {slowest:.1f} s of processor time, wanted {WANTED:.0f} s: {verdict}"
        )
