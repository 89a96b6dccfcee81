# SPDX-License-Identifier: Apache-2.0
"""Named locks: between threads, between the processes of a host, and between hosts.

Lanes keep the operations of one volume apart. These locks are for what lanes cannot see: a worker
that lost its lease in the middle of a copy, a clone that takes a snapshot of another volume, and a
service on another host.

Between processes a lock is one byte of one file, so that nothing is left behind, and the kernel
drops it with the process that holds it. Between hosts it is tooz's, whatever that stands on; what
tooz grants for a time (redis, etcd) and cannot prolong, it loses while the work goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import inspect
import logging
import os
import struct
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from oslo_config import cfg

from manila_lite import exception, no_eventlet
from manila_lite.clock import Clock, SystemClock
from manila_lite.conf import coordination as options

LOG = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])

LOCK_FILE: Final = "volumes.lock"
PREFIX: Final = "manila-lite-"
_FLOCK: Final = "hhqqi0q"  # struct flock: type, whence, start, length, process; padded
_OFFSETS: Final = 1 << 62
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.25


class _ThreadLock:
    """A lock that can be referred to weakly: it lasts as long as somebody holds or wants it."""

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()


_thread_locks: weakref.WeakValueDictionary[str, _ThreadLock] = weakref.WeakValueDictionary()
_guard = threading.Lock()
_mine = threading.local()


class Coordinator:
    """Gives locks by name. Each is granted again to the thread that holds it."""

    def __init__(
        self,
        directory: str | None = None,
        backend_url: str | None = None,
        timeout: float = 300.0,
        clock: Clock | None = None,
    ) -> None:
        """Nothing is opened, and nobody is asked, before the first lock.

        directory: of the file by which processes of this host lock each other out; None: threads
        only. backend_url: tooz's; None: no locks between hosts. timeout: seconds.
        """
        self._directory = directory
        self._url = backend_url
        self._timeout = timeout
        self._clock = clock or SystemClock()
        self._tooz: Any = None
        self._starting = threading.Lock()

    @classmethod
    def of(cls, conf: cfg.ConfigOpts, clock: Clock | None = None) -> Coordinator:
        """The coordinator that [coordination] and state_path describe."""
        if options.GROUP not in conf:
            options.register(conf)
        section = conf[options.GROUP]
        directory = conf.state_path if "state_path" in conf else None
        return cls(directory, section.backend_url, section.lock_timeout, clock)

    def stop(self) -> None:
        """Leave tooz. Locks that are still held are lost; the next one starts it anew."""
        with self._starting:
            coordinator, self._tooz = self._tooz, None
        if coordinator is not None:
            with _as_locking_failed("the locks between hosts"):
                coordinator.stop()

    @contextlib.contextmanager
    def hold(
        self, *names: str, between_hosts: bool = True, timeout: float | None = None
    ) -> Iterator[None]:
        """Hold all the locks. Two callers that name the same ones never wait for each other's.

        between_hosts: also against other hosts, where tooz is configured. What the thread holds
        already is not asked for again, not even between hosts. timeout: seconds for each; None:
        as configured. Raises LockingFailed, which is transient, when the time is over.
        """
        limit = self._timeout if timeout is None else timeout
        with contextlib.ExitStack() as stack:
            for name in sorted(set(names)):
                stack.enter_context(self._hold(name, between_hosts, limit))
            yield

    @contextlib.contextmanager
    def _hold(self, name: str, between_hosts: bool, timeout: float) -> Iterator[None]:
        key = f"{self._directory or ''}/{name}"
        if key in _held():
            yield
            return
        with contextlib.ExitStack() as stack:
            stack.enter_context(_between_threads(key, name, timeout))
            if self._directory:
                stack.enter_context(self._between_processes(self._directory, name, timeout))
            if self._url and between_hosts:
                stack.enter_context(self._between_hosts(name, timeout))
            _held().add(key)
            try:
                yield
            finally:
                _held().discard(key)

    @contextlib.contextmanager
    def _between_processes(self, directory: str, name: str, timeout: float) -> Iterator[None]:
        os.makedirs(directory, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(os.path.join(directory, LOCK_FILE), flags, 0o600)
        try:
            self._poll(lambda: _try_byte(descriptor, name), name, timeout)
            yield
        finally:
            os.close(descriptor)

    def _poll(self, attempt: Callable[[], bool], name: str, timeout: float) -> None:
        """Try until it succeeds; the kernel's own waiting could not be given an end."""
        deadline = self._clock.monotonic() + timeout
        never, pause = threading.Event(), _FIRST_PAUSE
        while not attempt():
            if self._clock.monotonic() >= deadline:
                raise _timed_out(name, timeout)
            self._clock.wait(never, pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    @contextlib.contextmanager
    def _between_hosts(self, name: str, timeout: float) -> Iterator[None]:
        with _as_locking_failed(name):
            lock = self._started().get_lock(f"{PREFIX}{name}".encode())
            # tooz takes 0 for "at once", and seconds for a limit.
            acquired = lock.acquire(blocking=timeout if timeout > 0 else False)
        if not acquired:
            raise _timed_out(name, timeout)
        try:
            yield
        finally:
            _release(lock, name)

    def _started(self) -> Any:
        with self._starting:
            if self._tooz is None:
                coordinator = _tooz().get_coordinator(self._url, uuid.uuid4().hex.encode())
                coordinator.start(start_heart=True)
                self._tooz = coordinator
            return self._tooz


def synchronized(
    lock_name: str, blocking: bool | float = True, coordinator: Coordinator | None = None
) -> Callable[[Function], Function]:
    """Hold a lock while a function runs: Cinder's decorator of this name.

    lock_name: may name parameters of the function and what hangs on them, such as
    "{self.driver_prefix}-{snapshot.volume.id}", and the function itself as {f_name}.
    blocking: False gives up at once, a number after so many seconds. coordinator: None: the
    `coordinator` attribute of the function's first argument, else one for this process alone.
    """
    timeout = {True: None, False: 0.0}[blocking] if isinstance(blocking, bool) else blocking

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def locked(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            name = lock_name.format(**{**bound.arguments, "f_name": function.__name__})
            holder = coordinator or coordinator_of(args[0] if args else None)
            with holder.hold(name, timeout=timeout):
                return function(*args, **kwargs)

        return locked  # type: ignore[return-value]

    return decorate


def coordinator_of(driver: Any) -> Coordinator:
    """What locks a driver's volumes; for drivers without one, something within this process."""
    found = getattr(driver, "coordinator", None)
    return found if isinstance(found, Coordinator) else _PROCESS


_PROCESS = Coordinator()


def _held() -> set[str]:
    """Keys of what this thread holds."""
    found: set[str] | None = getattr(_mine, "held", None)
    if found is None:
        found = _mine.held = set()
    return found


@contextlib.contextmanager
def _between_threads(key: str, name: str, timeout: float) -> Iterator[None]:
    with _guard:
        entry = _thread_locks.setdefault(key, _ThreadLock())
    if not entry.lock.acquire(timeout=timeout):
        raise _timed_out(name, timeout)
    try:
        yield
    finally:
        entry.lock.release()


def _try_byte(descriptor: int, name: str) -> bool:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    offset = int.from_bytes(digest) % _OFFSETS
    request = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _tooz() -> Any:
    with no_eventlet.hidden():
        from tooz import coordination

    return coordination


@contextlib.contextmanager
def _as_locking_failed(name: str) -> Iterator[None]:
    """Report tooz's troubles without its words: they may hold the URL with its password."""
    try:
        yield
    except Exception as error:
        LOG.warning("Lock %s: the coordination back end failed (%s)", name, type(error).__name__)
        raise exception.LockingFailed(
            f"Lock {name} could not be asked for: {type(error).__name__}"
        ) from None


def _release(lock: Any, name: str) -> None:
    """The work is done: a lock that cannot be given back runs out by itself."""
    with contextlib.suppress(exception.LockingFailed), _as_locking_failed(name):
        lock.release()


def _timed_out(name: str, timeout: float) -> exception.LockingFailed:
    return exception.LockingFailed(f"Lock {name} was not to be had within {timeout:g} seconds")
