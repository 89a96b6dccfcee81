# SPDX-License-Identifier: Apache-2.0
"""Taking messages in: in batches, acknowledged only after the journal has committed them.

The *link* thread owns the connection: it reads, acknowledges and sends heartbeats. The *journal*
thread records batches. While one batch is being committed the next one gathers, so batches grow
with the load and a lone message waits for nothing. A database that is away blocks the journal
thread only; the broker goes on hearing from us and keeps what exceeds the prefetch. A second
journal thread records what takes long, huge dead letters, out of the way of the others.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from oslo_log import log

from manila_lite.clock import Clock, SystemClock
from manila_lite.engine import crashpoints
from manila_lite.rpc.backlog import Backlog, Entry
from manila_lite.rpc.wire import RawMessage

LOG = log.getLogger(__name__)

T = TypeVar("T")

_POLL_SECONDS = 1.0
_RETRY_FIRST = 0.2
_RETRY_MOST = 10.0
# A link that lasts less is no sign of recovery, so the pauses go on growing.
_STABLE_SECONDS = 5.0
_EMPTY_CHECK_SECONDS = 0.1
# Bodies in hand beyond which nothing more is read: the rest waits in the socket and the broker.
_MAX_BYTES_IN_HAND = 256 * 1024 * 1024


class Link(Protocol):
    """What a listener asks of a connection; see oslo_inside.Link."""

    def consume(self) -> None: ...

    def read_event(self) -> bool: ...

    def wait(self, timeout: float, *, reading: bool = True) -> None: ...

    def wake(self) -> None: ...

    def acknowledge(self, delivery_tag: int, *, and_all_before: bool = False) -> None: ...

    def heartbeat(self) -> None: ...

    def messages_ready(self) -> int: ...

    def close(self) -> None: ...


Connect = Callable[[Callable[[RawMessage], None]], Link]


class BatchListener(Generic[T]):
    """Feeds a journal from one link, which it makes anew whenever the old one breaks.

    What this guards: no message is acknowledged before ``journal`` has returned for it. What it
    does not prevent: a message that is delivered again, after a connection was lost between the
    commit and the acknowledgement; the journal has to know it by its id.
    """

    def __init__(
        self,
        connect: Connect,
        journal: Callable[[Sequence[T]], None],
        *,
        receive: Callable[[RawMessage], T | None],
        takes_long: Callable[[T], bool] = lambda item: False,
        batch_size: int = 100,
        clock: Clock | None = None,
        name: str = "rpc",
    ) -> None:
        """Prepare; nothing happens before :meth:`start`.

        connect: makes a link that hands each message to the function it is given.
        receive: turns a message into what is journaled. Runs on the link thread: must neither
            block nor raise. None: somebody else has taken the message over (a call), which is
            then acknowledged at once.
        takes_long: picks what is journaled one by one beside the batches, out of order.
        journal: returns when its transaction has committed, raises when it has not; then the
            same batch is offered again, after a pause.
        """
        self._connect = connect
        self._journal = journal
        self._receive = receive
        self._takes_long = takes_long
        self._batch_size = batch_size
        self._clock = clock or SystemClock()
        self._name = name
        self._stop = threading.Event()
        self._deadline = 0.0
        self._changed = threading.Condition()
        # Under _changed.
        self._ordered: Backlog[T] = Backlog("journal", batch_size)
        self._long: Backlog[T] = Backlog("journal-long", 1)
        self._backlogs = (self._ordered, self._long)
        self._bytes_in_hand = 0
        self._link: Link | None = None
        self._threads: list[threading.Thread] = []
        self._arrived: list[Entry[T]] = []
        self._handed_over: list[int] = []
        # Set when the queues have once been seen empty with nothing in hand.
        self.idle = threading.Event()
        # Set when the first attempt to connect and declare is over; ``error`` tells how.
        self.tried = threading.Event()
        self.error: Exception | None = None

    # Starting and stopping

    def start(self) -> None:
        """Start the threads. Connecting happens in the background, for as long as it takes."""
        self._spawn("link", self._run_link)
        for backlog in self._backlogs:
            self._spawn(backlog.name, functools.partial(self._run_journal, backlog))

    def _spawn(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=f"{self._name}-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, timeout: float = 10.0) -> bool:
        """Take no more messages, finish the batch in hand, give the rest back to the broker.

        Returns whether that was done within ``timeout`` seconds. When it was not (a database
        that does not answer), nothing is lost either: what is not acknowledged comes again.
        """
        self._deadline = deadline = self._clock.monotonic() + timeout
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
            self._wake()
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def connected(self) -> bool:
        """Whether messages can arrive at this moment."""
        return self._link is not None and self.error is None

    def _wake(self) -> None:
        """End the link thread's wait. Call it with ``_changed`` held: the link may be closing."""
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.wake()

    # The link thread

    def _run_link(self) -> None:
        pause = _RETRY_FIRST
        while not self._stop.is_set():
            began = self._clock.monotonic()
            link: Link | None = None
            try:
                link = self._connect(self._on_message)
                self._begin(link)
                link.consume()
                self.error = None
                self.tried.set()
                self._serve(link)
            except Exception as error:  # whatever it is, the cure is a new link
                self._lost(error)
            finally:
                self._end(link)
            if self._clock.monotonic() - began >= _STABLE_SECONDS:
                pause = _RETRY_FIRST
            self._clock.wait(self._stop, pause)
            pause = min(pause * 2, _RETRY_MOST)

    def _lost(self, error: Exception) -> None:
        self.error = error
        self.tried.set()
        if not self._stop.is_set():
            LOG.error("%s: not connected to the message broker, will try again: %s",
                      self._name, error or type(error).__name__)  # fmt: skip
            LOG.debug("Reason", exc_info=error)

    def _begin(self, link: Link) -> None:
        """Forget what an earlier link delivered and nobody journals yet: it comes again."""
        self._arrived.clear()
        self._handed_over.clear()
        with self._changed:
            self._bytes_in_hand -= sum(backlog.forget() for backlog in self._backlogs)
            self._link = link

    def _end(self, link: Link | None) -> None:
        with self._changed:
            self._link = None
        if link is not None:
            link.close()

    def _on_message(self, raw: RawMessage) -> None:
        item = self._receive(raw)
        if item is None:
            self._handed_over.append(raw.delivery_tag)
        else:
            self._arrived.append(Entry(raw.delivery_tag, len(raw.body), item))

    def _serve(self, link: Link) -> None:
        next_heartbeat = 0.0
        emptiness = _Emptiness(self._clock, link, self.idle)
        while not self._stop.is_set():
            self._acknowledge(link)
            read = self._read(link)
            now = self._clock.monotonic()
            if now >= next_heartbeat:
                link.heartbeat()
                next_heartbeat = now + _POLL_SECONDS
            if read:
                emptiness.disturbed()
            elif self._is_full():
                link.wait(_POLL_SECONDS, reading=False)
            elif not self._must_acknowledge():
                link.wait(self._pause(emptiness))
        self._finish(link)

    def _pause(self, emptiness: _Emptiness) -> float:
        """Look whether the queues are empty, and say how long to wait for something to happen."""
        with self._changed:
            busy = any(backlog.busy for backlog in self._backlogs)
        return _POLL_SECONDS if busy or self.idle.is_set() else emptiness.look()

    def _read(self, link: Link) -> bool:
        """Take what waits in the socket, at most a batch of it; whether there was any."""
        if self._is_full():
            return False
        events = 0
        while events < self._batch_size and link.read_event():
            events += 1
        for tag in self._handed_over:
            link.acknowledge(tag)
        self._handed_over.clear()
        if self._arrived:
            self._hand_over()
            return True
        return events > 0

    def _hand_over(self) -> None:
        with self._changed:
            for entry in self._arrived:
                backlog = self._long if self._takes_long(entry.item) else self._ordered
                backlog.waiting.append(entry)
                self._bytes_in_hand += entry.size
            self._changed.notify_all()
        self._arrived.clear()

    def _is_full(self) -> bool:
        with self._changed:
            return self._bytes_in_hand > _MAX_BYTES_IN_HAND

    def _must_acknowledge(self) -> bool:
        with self._changed:
            return any(backlog.journaled for backlog in self._backlogs)

    def _acknowledge(self, link: Link) -> None:
        """Acknowledge what is journaled.

        One acknowledgement for a whole batch, which covers every tag before it, is safe as long
        as nothing before it is still to be journaled. Batches are journaled in the order of
        arrival, so only what takes long can stand in the way.
        """
        with self._changed:
            tags, self._ordered.journaled = self._ordered.journaled, []
            alone, self._long.journaled = self._long.journaled, []
            together = bool(tags) and self._long.oldest_tag() > tags[-1]
        if tags or alone:
            crashpoints.reach("acknowledge.before")
            if together:
                # First of all: it must name a tag that is not acknowledged yet.
                alone = [tag for tag in alone if tag > tags[-1]]
                link.acknowledge(tags[-1], and_all_before=True)
                tags = []
            for tag in (*tags, *alone):
                link.acknowledge(tag)
            crashpoints.reach("acknowledge.after")

    def _finish(self, link: Link) -> None:
        """Acknowledge the batch that is being journaled while we are told to stop.

        The consumers are not cancelled first: with a single active consumer the broker would
        hand newer messages to the next worker while older ones are still with us.
        """
        while self._clock.monotonic() < self._deadline:
            with self._changed:
                busy = any(backlog.journaling for backlog in self._backlogs)
            self._acknowledge(link)
            if not busy:
                return
            link.heartbeat()
            link.wait(_POLL_SECONDS)

    # The journal thread

    def _run_journal(self, backlog: Backlog[T]) -> None:
        while entries := self._next_batch(backlog):
            done = self._record([entry.item for entry in entries])
            with self._changed:
                self._bytes_in_hand -= backlog.settle(done)
                self._wake()

    def _next_batch(self, backlog: Backlog[T]) -> list[Entry[T]]:
        """Wait for a batch and take it; an empty one means that it is time to stop."""
        with self._changed:
            self._changed.wait_for(lambda: backlog.waiting or self._stop.is_set())
            return [] if self._stop.is_set() else backlog.take()

    def _record(self, items: list[T]) -> bool:
        """Journal a batch, however long it takes; False when told to stop before that."""
        pause = _RETRY_FIRST
        while True:
            try:
                self._journal(items)
                return True
            except Exception:  # the batch must not be lost, whatever the reason
                LOG.exception(
                    "%s: %d messages could not be recorded; they stay with the broker and are "
                    "tried again in %.1f s", self._name, len(items), pause,
                )  # fmt: skip
            if self._clock.wait(self._stop, pause):
                return False
            pause = min(pause * 2, _RETRY_MOST)


class _Emptiness:
    """Finds out that the queues have been empty.

    Two looks in a row, with nothing arriving between them: at the first one a message may have
    left its queue and not have reached us.
    """

    def __init__(self, clock: Clock, link: Link, idle: threading.Event) -> None:
        self._clock = clock
        self._link = link
        self._idle = idle
        self._looks = 0
        self._next = clock.monotonic()

    def disturbed(self) -> None:
        """Something arrived."""
        self._looks = 0

    def look(self) -> float:
        """Look, when it is time to; return the seconds until the next look."""
        now = self._clock.monotonic()
        if now < self._next:
            return self._next - now
        self._looks = self._looks + 1 if self._link.messages_ready() == 0 else 0
        if self._looks >= 2:
            self._idle.set()
            return 0.0
        self._next = now + (_EMPTY_CHECK_SECONDS if self._looks else 1.0)
        # A look may have read messages along with its answer: they must be handed on first.
        return 0.0


__all__ = ["BatchListener", "Connect", "Link"]
