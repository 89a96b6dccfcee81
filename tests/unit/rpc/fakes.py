# SPDX-License-Identifier: Apache-2.0
"""A connection to nowhere: what a listener does with it is written down."""

import collections
import threading

from manila_lite.rpc.wire import RawMessage


class FakeLink:
    """Delivers what a test puts in, and can break."""

    def __init__(self, deliver):
        self.deliver = deliver
        self.inbox = collections.deque()
        self.acknowledged = []
        self.calls = []
        self.broken = False
        self.closed = False
        self.consuming = threading.Event()
        self.ready = 0
        self._tags = 0
        self._woken = threading.Event()
        self._lock = threading.Lock()

    def put(self, *bodies):
        with self._lock:
            for body in bodies:
                self._tags += 1
                self.inbox.append(RawMessage(body, {}, {}, delivery_tag=self._tags))
        self._woken.set()

    def break_down(self):
        self.broken = True
        self._woken.set()

    def _check(self):
        if self.broken:
            raise ConnectionError("cut")

    def consume(self):
        self._check()
        self.consuming.set()

    def read_event(self):
        self._check()
        with self._lock:
            raw = self.inbox.popleft() if self.inbox else None
        if raw is None:
            return False
        self.deliver(raw)
        return True

    def wait(self, timeout, *, reading=True):
        self._woken.wait(min(timeout, 0.05))
        self._woken.clear()

    def wake(self):
        self._woken.set()

    def acknowledge(self, delivery_tag, *, and_all_before=False):
        self._check()
        if self.acknowledged and delivery_tag in self.settled():
            raise AssertionError(f"the broker refuses a second acknowledgement of {delivery_tag}")
        self.acknowledged.append((delivery_tag, and_all_before))

    def settled(self):
        """Every tag that the broker has forgotten."""
        gone = set()
        for tag, all_before in self.acknowledged:
            gone |= set(range(1, tag + 1)) if all_before else {tag}
        return gone

    def heartbeat(self):
        self._check()

    def messages_ready(self):
        return self.ready

    def close(self):
        self.closed = True


class Broker:
    """Makes links; each attempt can be told to fail."""

    def __init__(self):
        self.links = []
        self.failures = []
        self._changed = threading.Condition()

    def connect(self, deliver):
        with self._changed:
            if self.failures:
                raise self.failures.pop(0)
            self.links.append(FakeLink(deliver))
            self._changed.notify_all()
            return self.links[-1]

    def link(self, number):
        """Wait for the link of this number, counted from 0, and until it consumes."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.links) > number, 10)
        assert self.links[number].consuming.wait(10)
        return self.links[number]
