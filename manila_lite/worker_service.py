# SPDX-License-Identifier: Apache-2.0
"""One back end's service, whatever it serves: what starts in which order, and how it stops.

Start: the journal takes casts first, so that nothing waits outside; operations begin when the
driver is ready. Stop: casts first, then timers, then running steps; what is left goes back to
the queue.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from oslo_config import cfg
from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import context as contexts
from manila_lite import exception, no_eventlet, process
from manila_lite.clock import Clock, SystemClock
from manila_lite.conf import engine as engine_conf
from manila_lite.conf import load
from manila_lite.conf.opts import host_of
from manila_lite.db import services
from manila_lite.db.session import Database
from manila_lite.db.writes import execute_writes
from manila_lite.engine import FlowRegistry, Operation
from manila_lite.engine import settings as engine_settings
from manila_lite.engine.engine import Engine
from manila_lite.engine.journal import LaneResolver, NewOperation
from manila_lite.environment import Environment
from manila_lite.observability.logging import operation_context
from manila_lite.periodic import PeriodicTasks, Task
from manila_lite.scheduler.reports import report_alive, report_capabilities

no_eventlet.choose_threads()

from oslo_service import service as oslo_service  # noqa: E402

LOG = log.getLogger(__name__)

# Objects made until the young are looked through, and how often that is before older ones are.
_COLLECTION = (20_000, 20, 50)
_SETUP_RETRY_FIRST = 1.0
_SETUP_RETRY_MOST = 60.0
_RPC_STOP_SECONDS = 10.0
_BEGIN_SECONDS = 5.0
_QUEUE_POLL_SECONDS = 0.5


def surroundings(operation: Operation) -> contextlib.AbstractContextManager[None]:
    """Name the operation in every log line of the thread that carries it out."""
    resource = f"{operation.resource_type}:{operation.resource_id}"
    return operation_context(
        operation.uuid,
        operation.request_id,
        resource if operation.resource_id is not None else None,
    )


def _collect_seldom() -> None:
    """Look for cycles of garbage less often, and never among what the start has made.

    Messages are trees of small objects without cycles: Python's defaults spend a tenth of the
    processor on looking through them.
    """
    gc.freeze()
    gc.set_threshold(*_COLLECTION)


class WorkerService(oslo_service.ServiceBase):
    """Serves one back end in one process. Made before the fork, started after it.

    A subclass says what it serves: which flows, which driver, which RPC, which timers.
    """

    registry: ClassVar[FlowRegistry]
    resolvers: ClassVar[Mapping[str, tuple[str, LaneResolver]]]
    #: The internal or outer flow that looks after what the back end has, cast at each start.
    ensure_method: ClassVar[str]

    environment: Any

    def __init__(self, conf: cfg.ConfigOpts, backend: str, clock: Clock | None = None) -> None:
        self.conf = conf
        self.backend = backend
        self.host = host_of(conf, backend)
        self.clock = clock or SystemClock()
        self.ready = threading.Event()
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        # Held while work begins: a stop that comes in that moment finds all of it, or none.
        self._beginning = threading.Lock()
        self._tasks: PeriodicTasks | None = None
        self._rpc: Any = None

    # -- what a subclass says ------------------------------------------------------------------

    def _environment(self) -> Environment:
        """Return the flows' environment, without a driver as yet."""
        raise NotImplementedError

    def _flows(self) -> FlowRegistry:
        """Return the flows as this back end runs them."""
        return self.registry

    def _new_driver(self) -> Any:
        """Make the driver; its own errors are tried again later."""
        raise NotImplementedError

    def _listen(self) -> Any:
        """Make the RPC server (started by the caller), and tell the environment its clients."""
        raise NotImplementedError

    def _periodic_tasks(self) -> list[Task]:
        """The tasks beside those that every service has."""
        return []

    def _reconcile(self) -> None:
        """Bring what is stuck without an operation to an end."""
        raise NotImplementedError

    def _when_listening(self) -> None:
        """Further ways in, opened when the journal takes casts."""

    def _close_ways_in(self) -> None:
        """The counterpart of _when_listening()."""

    # -- oslo.service --------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to take casts; the rest follows in the background when the driver is ready."""
        self.database = Database.from_conf(self.conf, clock=self.clock)
        self.environment = self._environment()
        self.served = self._flows()
        self.engine = Engine(
            self.database,
            self.host,
            self.served,
            env=self.environment,
            settings=engine_settings.from_conf(self.conf, self.backend),
            clock=self.clock,
            resolvers=self.resolvers,
            surroundings=surroundings,
        )
        self.environment.journal = self.engine.journal
        process.use_configuration(self.conf)
        _collect_seldom()
        if load.transport_url(self.conf) is not None:
            self._rpc = self._listen()
            self._rpc.start()
        self._when_listening()
        threading.Thread(target=self._set_up, name="driver-set-up", daemon=True).start()

    def stop(self) -> None:
        """Stop taking casts, let running steps finish, give back the rest."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        LOG.info("%s is stopping", self.host)
        # No longer than this: work cannot begin while the database is away.
        begun = self._beginning.acquire(timeout=_BEGIN_SECONDS)
        if self._tasks is not None:
            self._tasks.stop()
        self._close_ways_in()
        if self._rpc is not None:
            self._rpc.stop(_RPC_STOP_SECONDS)
        if self.ready.is_set():
            self.engine.stop()
            self._say_stopped()
        self.database.interrupt()
        if begun:
            self._beginning.release()
        self._stopped.set()

    def wait(self) -> None:
        self._stopped.wait()

    def reset(self) -> None:
        """SIGHUP: read what may change while the service runs."""
        self.conf.mutate_config_files()

    # -- parts ---------------------------------------------------------------------------------

    def _run_call(self, call: Any) -> Any:
        if not self.ready.is_set():
            raise exception.DriverNotInitialized(driver=self.backend)
        definition = self.served.flows[call.method]
        carried = contexts.RequestContext.from_journal(call.context)
        return definition.function(self.environment, carried, **call.arguments)

    def _set_up(self) -> None:
        """Prepare the driver, however long that takes, then begin to work."""
        delay = _SETUP_RETRY_FIRST
        while not self._try_to_set_up():
            if self.clock.wait(self._stopping, delay):
                return
            delay = min(delay * 2, _SETUP_RETRY_MOST)
        with self._beginning:
            if self._stopping.is_set():
                return
            self.engine.start()
            self.ready.set()
            self._tasks = PeriodicTasks([*self._common_tasks(), *self._periodic_tasks()])
            self._tasks.start()
        self._cast(self.ensure_method)
        LOG.info("%s serves casts", self.host)

    def _try_to_set_up(self) -> bool:
        try:
            driver = self.environment.driver = self.environment.driver or self._new_driver()
            self._prepare_driver(driver)
            return True
        except Exception as error:
            # A driver can fail in any way; casts are taken in and wait until it can work.
            problem = error
        kind = type(problem).__name__
        LOG.error("%s cannot work yet, it is tried again: %s: %s", self.host, kind, problem)
        LOG.debug("What %s failed with", self.host, exc_info=problem)
        return False

    def _prepare_driver(self, driver: Any) -> None:
        driver.do_setup(contexts.get_admin_context())
        driver.check_for_setup_error()
        self._mark_initialized(driver)

    def _mark_initialized(self, driver: Any) -> None:
        driver.initialized = True

    # -- periodic ------------------------------------------------------------------------------

    def _common_tasks(self) -> list[Task]:
        conf, environment = self.conf, self.environment
        return [
            self._task("heartbeat", report_alive, environment, every=conf.report_interval),
            self._task("capabilities", report_capabilities, environment, every=self._round),
            Task(
                "reconcile",
                self._reconcile_when_known,
                conf[engine_conf.GROUP].reconcile_interval,
            ),
        ]

    @property
    def _round(self) -> float:
        return float(self.conf.periodic_interval)

    @staticmethod
    def _task(
        name: str, run: Callable[..., Any], *arguments: Any, every: float, delay: float = 0.0
    ) -> Task:
        return Task(name, functools.partial(run, *arguments), every, initial_delay=delay)

    def _reconcile_when_known(self) -> None:
        """Look for stuck resources, but not before the casts that wait in the queue are known."""
        while self._rpc is not None and not self._rpc.listener.idle.is_set():
            if self.clock.wait(self._stopping, _QUEUE_POLL_SECONDS):
                return
        self._reconcile()

    def _say_stopped(self) -> None:
        def work(connection: Connection) -> None:
            writes = services.stopped(self.host, self.clock.now(), self.environment.binary)
            execute_writes(connection, [writes])

        try:
            self.database.run(work, deadline=2.0)
        except Exception as error:
            LOG.warning(
                "The end of %s shows when its last sign of life is old: %s", self.host, error
            )

    def _cast(self, method: str, **arguments: Any) -> None:
        admin = contexts.get_admin_context()
        self.engine.journal.record([NewOperation(method, arguments, context=admin.to_journal())])
