# SPDX-License-Identifier: Apache-2.0
"""Talking to a running process with a deadline and bounded memory."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from typing import IO, Any, Final

_CHUNK: Final = 64 * 1024
_LOOK_AFTER: Final = 0.2  # seconds between two looks whether a silent process has ended
_DRAIN: Final = 1.0  # seconds to read what is left in the pipes of a process that has ended


class Captured:
    """The beginning of what a stream had, and how many bytes came after it."""

    def __init__(self, limit: int, watch: Callable[[bytes], object] | None = None) -> None:
        self._limit = limit
        self._watch = watch
        self._kept = bytearray()
        self.dropped = 0

    def add(self, data: bytes) -> None:
        room = self._limit - len(self._kept)
        self._kept += data[:room]
        self.dropped += max(len(data) - room, 0)
        if self._watch is not None:
            self._watch(data)

    def text(self) -> str:
        return self._kept.decode("utf-8", "backslashreplace")


def communicate(
    process: subprocess.Popen[bytes],
    data: bytes,
    limit: int,
    deadline: float | None,
    on_output: Callable[[bytes], object] | None = None,
) -> tuple[Captured, Captured]:
    """Send data, read both outputs, wait for the end; return up to limit bytes of each output.

    on_output: called with each piece of standard output as it comes.

    Returns when the process has ended, though others that it started may still hold its pipes.
    Raises TimeoutError at the deadline (of time.monotonic), with the process still running.
    """
    output, errors = Captured(limit, on_output), Captured(limit)
    with selectors.DefaultSelector() as selector:
        for stream, captured in ((process.stdout, output), (process.stderr, errors)):
            _register(selector, stream, selectors.EVENT_READ, captured)
        _register(selector, process.stdin, selectors.EVENT_WRITE, None)
        _pump(selector, process, memoryview(data), deadline)
    try:
        process.wait(_remaining(deadline))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return output, errors


def end(process: subprocess.Popen[bytes]) -> None:
    """Close the pipes; kill the process with its whole group if it is still running."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        _close(stream)


def _register(
    selector: selectors.BaseSelector,
    stream: IO[bytes] | None,
    events: int,
    captured: Captured | None,
) -> None:
    if stream is not None:
        os.set_blocking(stream.fileno(), False)
        selector.register(stream, events, captured)


def _pump(
    selector: selectors.BaseSelector,
    process: subprocess.Popen[bytes],
    data: memoryview,
    deadline: float | None,
) -> None:
    drained_by = None
    while selector.get_map():
        remaining = _remaining(deadline)
        ready = selector.select(_LOOK_AFTER if remaining is None else min(remaining, _LOOK_AFTER))
        if process.poll() is not None:
            # Whoever still writes was left behind; what the process itself wrote is soon read.
            drained_by = drained_by or time.monotonic() + _DRAIN
            if not ready or time.monotonic() > drained_by:
                return
        for key, _ in ready:
            if key.data is None:
                data = _write(selector, key, data)
            else:
                _read(selector, key)


def _write(
    selector: selectors.BaseSelector, key: selectors.SelectorKey, data: memoryview
) -> memoryview:
    try:
        data = data[os.write(key.fd, data[:_CHUNK]) :]
    except BrokenPipeError:
        data = data[:0]  # The command does not read its input; what it does is its own matter.
    if not data:
        selector.unregister(key.fileobj)
        _close(key.fileobj)
    return data


def _read(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    data = os.read(key.fd, _CHUNK)
    if data:
        key.data.add(data)
    else:
        selector.unregister(key.fileobj)


def _close(stream: Any) -> None:
    # Closing standard input flushes it, and nobody may be reading any more.
    if stream is not None:
        with contextlib.suppress(BrokenPipeError):
            stream.close()


def _remaining(deadline: float | None) -> float | None:
    """Seconds left. Raises TimeoutError where there are none.

    The machine's clock, not the injected one: a process lives in the machine's time.
    """
    if deadline is None:
        return None
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    return remaining
