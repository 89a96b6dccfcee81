# SPDX-License-Identifier: Apache-2.0
"""Serves the callbacks in a thread of the daemon, with waitress.

The processes of all back ends listen on the same port (SO_REUSEPORT): the kernel hands a connection
to any one that lives, and each records callbacks for all. A port that cannot be had does not stop
the service: snapshots then end by their deadlines, and the chain of images tells how.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

import waitress
from oslo_config import cfg
from oslo_log import log
from waitress import wasyncore

from manila_lite.callback.application import Wsgi
from manila_lite.clock import Clock, SystemClock
from manila_lite.conf import callback as callback_conf

LOG = log.getLogger(__name__)

_BIND_AGAIN_SECONDS = 5.0
_LOOK_SECONDS = 1.0
_CLOSE_SECONDS = 3.0
_DRAIN_LOOK_SECONDS = 0.05
_BACKLOG = 128
#: Of header lines together; a Keystone token takes some 200 bytes, a PKI one several thousand.
_MAX_HEADER_BYTES = 64 * 1024
_SILENCE_SECONDS = 30
_CONNECTIONS = 200


class CallbackServer:
    """An HTTP server for one WSGI application. Start it after the fork."""

    def __init__(
        self,
        application: Wsgi,
        host: str,
        port: int,
        *,
        threads: int = 8,
        max_body_bytes: int = 16 * 1024,
        clock: Clock | None = None,
    ) -> None:
        """port 0: any that is free; ``port`` says which, once ``listening`` is set."""
        self._application = application
        self._host = host
        self._wanted_port = port
        self.port = port
        self._threads = threads
        self._max_body_bytes = max_body_bytes
        self._clock = clock or SystemClock()
        self._stopping = threading.Event()
        self._drain_seconds = 0.0
        self._server: Any = None
        self._map: dict[int, Any] = {}
        # Held while the thread is woken up: not after the pipe for that has been closed.
        self._waking = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="callback", daemon=True)
        self.listening = threading.Event()

    @classmethod
    def from_conf(
        cls, application: Wsgi, conf: cfg.ConfigOpts, clock: Clock | None = None
    ) -> CallbackServer:
        """Build from section [callback]; the application should be guarded already."""
        section = conf[callback_conf.GROUP]
        return cls(
            application,
            section.listen_host,
            section.listen_port,
            threads=section.threads,
            max_body_bytes=section.max_body_bytes,
            clock=clock,
        )

    def start(self) -> None:
        """Begin to listen, in the background; a port that is taken is tried for again."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Take no more connections, finish what has begun within timeout seconds, close the rest.

        May be called more than once, and before start().
        """
        self._drain_seconds = timeout
        self._stopping.set()
        with self._waking:
            if self._server is not None:
                self._server.pull_trigger()
        if self._thread.is_alive():
            self._thread.join(timeout + _CLOSE_SECONDS)

    def _run(self) -> None:
        while (bound := self._bind_in_the_end()) is not None:
            try:
                self._serve(bound)
            except Exception:
                # Nothing is known that does this, but a service must not go deaf without a word.
                LOG.exception("Callbacks are interrupted and taken up again")
                self._clock.wait(self._stopping, _BIND_AGAIN_SECONDS)

    def _serve(self, bound: socket.socket) -> None:
        """Answer requests until a stop."""
        self._server = self._make(bound)
        self.port = int(self._server.effective_port)
        LOG.info("Nova can call back on %s:%d", self._host, self.port)
        self.listening.set()
        try:
            while not self._stopping.is_set():
                self._look(_LOOK_SECONDS)
            self._drain()
        finally:
            self.listening.clear()
            self._close()

    def _make(self, bound: socket.socket) -> Any:
        return waitress.create_server(
            self._application,
            map=self._map,
            sockets=[bound],
            threads=self._threads,
            # The application says the same in the words of the API, where it gets to see it.
            max_request_body_size=4 * self._max_body_bytes,
            max_request_header_size=_MAX_HEADER_BYTES,
            channel_timeout=_SILENCE_SECONDS,
            connection_limit=_CONNECTIONS,
            backlog=_BACKLOG,
            cleanup_interval=_SILENCE_SECONDS // 3,
            clear_untrusted_proxy_headers=True,
            ident="manila-lite",
        )

    def _bind_in_the_end(self) -> socket.socket | None:
        """Bind, however often it takes; None when a stop comes before."""
        said = False
        while not self._stopping.is_set():
            try:
                return self._bind()
            except OSError as error:
                if not said:
                    LOG.error(
                        "Nova cannot call back: %s:%d is not to be had, it is tried again: %s",
                        self._host, self._wanted_port, error,
                    )  # fmt: skip
                    said = True
            self._clock.wait(self._stopping, _BIND_AGAIN_SECONDS)
        return None

    def _bind(self) -> socket.socket:
        family, kind, protocol, _, address = socket.getaddrinfo(
            self._host, self._wanted_port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound.bind(address)
        except BaseException:
            bound.close()
            raise
        return bound

    def _look(self, seconds: float) -> None:
        """Serve what has come in, for that long at most. poll() knows no limit of descriptors."""
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)

    def _drain(self) -> None:
        """Refuse new connections and see those that ask for something through."""
        self._server.del_channel(self._map)
        self._server.socket.close()
        end = self._clock.monotonic() + self._drain_seconds
        while self._is_busy() and self._clock.monotonic() < end:
            self._look(_DRAIN_LOOK_SECONDS)

    def _is_busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)

    def _close(self) -> None:
        dispatcher, channels = self._server.task_dispatcher, self._server.active_channels
        dispatcher.shutdown(timeout=1)
        with self._waking:
            self._server = None
        if dispatcher.threads:
            # A request hangs. Its thread may yet write to the pipe, so that stays open.
            wasyncore.close_all(dict(channels), ignore_all=True)
        else:
            wasyncore.close_all(self._map, ignore_all=True)
