# SPDX-License-Identifier: Apache-2.0
"""Calls: requests whose sender waits for a reply. They run beside the lanes, on their own threads.

A call is not recorded. When the process dies, its sender gets a time-out and may ask again.
"""

from __future__ import annotations

import collections
import dataclasses
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

from oslo_log import log

from manila_lite import exception, no_eventlet
from manila_lite.clock import Clock, SystemClock
from manila_lite.engine.outcomes import ERRORS
from manila_lite.rpc.dead_letters import DeadLetter, Reason
from manila_lite.rpc.endpoints import Accepted

with no_eventlet.hidden():
    from oslo_messaging.rpc import dispatcher

LOG = log.getLogger(__name__)

# What was answered lately, so that a call which the broker delivers again is not run again.
_REMEMBERED = 1024
_REFUSALS_WAITING = 1000


class Replies(Protocol):
    """How replies go out; see oslo_inside.Replies."""

    def result(self, msg_id: str, reply_q: str, result: Any) -> None: ...

    def failure(self, msg_id: str, reply_q: str, error: BaseException) -> None: ...

    def alive(self, msg_id: str, reply_q: str) -> None: ...


class ServiceBusy(exception.ManilaException):
    """The reply to a call that found all threads and all waiting places taken."""

    message = "The share service is busy with other calls; %(method)s was not started. Try again."


@dataclasses.dataclass(frozen=True, slots=True)
class _Waiting:
    call: Accepted
    gives_up_at: float | None


class CallPool:
    """Runs calls on a bounded number of threads and sends their replies."""

    def __init__(
        self,
        run: Callable[[Accepted], Any],
        replies: Replies,
        *,
        threads: int,
        backlog: int,
        clock: Clock | None = None,
    ) -> None:
        """run: carries a call out; what it returns or raises is the reply."""
        self._run = run
        self._replies = replies
        self._threads = threads
        self._clock = clock or SystemClock()
        # A free thread counts as a place, so that a backlog of 0 still lets calls through.
        self._places = threading.BoundedSemaphore(threads + backlog)
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._refusals: queue.Queue[tuple[str, str, BaseException] | None] = queue.Queue(
            _REFUSALS_WAITING
        )
        self._known: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._started: list[threading.Thread] = []
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the threads."""
        for number in range(self._threads):
            self._spawn(f"rpc-call-{number}", self._work)
        self._spawn("rpc-refusals", self._send_refusals)

    def _spawn(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._started.append(thread)
        thread.start()

    def stop(self, timeout: float = 10.0) -> bool:
        """Let running calls finish; the ones that wait get a failure as their reply.

        Returns whether all had ended within ``timeout`` seconds.
        """
        self._stopping.set()
        for _ in range(self._threads):
            self._queue.put(None)
        deadline = self._clock.monotonic() + timeout
        for thread in self._started[: self._threads]:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        try:
            self._refusals.put_nowait(None)
        except queue.Full:
            LOG.warning("%d refusals of calls were not sent", self._refusals.qsize())
        for thread in self._started[self._threads :]:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        return not any(thread.is_alive() for thread in self._started)

    def submit(self, call: Accepted, lifetime: float | None = None) -> None:
        """Queue a call, or refuse it when there is no place. Never blocks; one thread calls it.

        lifetime: seconds after which its sender has given up, so that it need not begin.
        """
        if call.unique_id in self._known:
            LOG.info("Call %s (%s) came again and is not run again", call.unique_id, call.method)
            return
        self._remember(call.unique_id)
        if self._stopping.is_set() or not self._places.acquire(blocking=False):
            self._refuse(call.msg_id, call.reply_q, ServiceBusy(method=call.method))
            return
        gives_up_at = None if lifetime is None else self._clock.monotonic() + lifetime
        self._queue.put(_Waiting(call, gives_up_at))

    def reject(self, letter: DeadLetter) -> None:
        """Tell a caller that its call cannot be carried out. Never blocks."""
        LOG.warning("Refused a call: %s (%s)", letter.detail, letter.reason.value)
        self._refuse(letter.msg_id, letter.reply_q, _refusal(letter))

    def _remember(self, unique_id: str) -> None:
        self._known[unique_id] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _refuse(self, msg_id: str | None, reply_q: str | None, error: BaseException) -> None:
        assert msg_id is not None and reply_q is not None
        try:
            self._refusals.put_nowait((msg_id, reply_q, error))
        except queue.Full:
            LOG.warning("Too many refused calls; %s gets no reply", msg_id)

    def _work(self) -> None:
        while (waiting := self._queue.get()) is not None:
            try:
                self._carry_out(waiting)
            except Exception:  # such as no thread for signs of life; this one must not end
                LOG.exception("Call %s ended without a reply", waiting.call.method)
            finally:
                self._places.release()

    def _carry_out(self, waiting: _Waiting) -> None:
        call = waiting.call
        if waiting.gives_up_at is not None and self._clock.monotonic() >= waiting.gives_up_at:
            LOG.warning("Call %s waited so long that its sender gave up", call.method)
        elif self._stopping.is_set():
            self._refuse(call.msg_id, call.reply_q, ServiceBusy(method=call.method))
        else:
            with _SignsOfLife(call, self._replies, self._clock):
                self._answer(call)

    def _answer(self, call: Accepted) -> None:
        assert call.msg_id is not None and call.reply_q is not None
        try:
            try:
                self._replies.result(call.msg_id, call.reply_q, self._run(call))
            except ERRORS as error:  # whatever went wrong is the caller's to know
                LOG.warning("Call %s failed: %s: %s", call.method, type(error).__name__, error)
                self._replies.failure(call.msg_id, call.reply_q, error)
        except Exception:
            LOG.exception("The reply to call %s could not be sent", call.method)

    def _send_refusals(self) -> None:
        while (refusal := self._refusals.get()) is not None:
            try:
                self._replies.failure(*refusal)
            except Exception:
                LOG.exception("The refusal of call %s could not be sent", refusal[0])


def _refusal(letter: DeadLetter) -> BaseException:
    """The exception that an oslo.messaging server would have answered with."""
    if letter.reason is Reason.UNKNOWN_METHOD:
        return dispatcher.NoSuchMethod(letter.method)
    if letter.reason is Reason.UNSUPPORTED_VERSION:
        return dispatcher.UnsupportedVersion(letter.version, method=letter.method)
    return exception.InvalidParameterValue(err=f"{letter.detail} ({letter.reason.value})")


class _SignsOfLife:
    """Tells the sender of a long call, when it asked for that, that the call goes on."""

    def __init__(self, call: Accepted, replies: Replies, clock: Clock) -> None:
        self._call = call
        self._replies = replies
        self._clock = clock
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        if self._call.timeout is not None:
            name = f"rpc-alive-{self._call.method}"
            self._thread = threading.Thread(target=self._send, name=name, daemon=True)
            self._thread.start()

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _send(self) -> None:
        call = self._call
        assert call.timeout is not None and call.msg_id is not None and call.reply_q is not None
        # Twice as often as the sender asked for, and once a second at most: oslo's own rule.
        while not self._clock.wait(self._done, max(1.0, call.timeout / 2)):
            try:
                self._replies.alive(call.msg_id, call.reply_q)
            except Exception as error:
                LOG.warning("No sign of life for call %s could be sent: %s", call.method, error)
                return
