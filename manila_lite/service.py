# SPDX-License-Identifier: Apache-2.0
"""One back end's service: what starts in which order, and how it stops.

Start: the journal takes casts first, so that nothing waits outside; operations begin when the
driver is ready; shares are ensured beside them. Stop: casts first, then timers, then running
steps; what is left goes back to the queue.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import threading
from typing import Any

from oslo_config import cfg
from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import context as contexts
from manila_lite import exception, no_eventlet, process
from manila_lite.clock import Clock, SystemClock
from manila_lite.conf import engine as engine_conf
from manila_lite.conf import load
from manila_lite.conf.drivers import load_driver_class
from manila_lite.conf.opts import host_of
from manila_lite.db import services
from manila_lite.db.session import Database
from manila_lite.db.writes import execute_writes
from manila_lite.engine import Operation
from manila_lite.engine import settings as engine_settings
from manila_lite.engine.engine import Engine
from manila_lite.engine.journal import NewOperation
from manila_lite.engine.registry import registry
from manila_lite.observability.logging import operation_context
from manila_lite.periodic import PeriodicTasks, Task, fuzzy
from manila_lite.share import flows
from manila_lite.share.configuration import Configuration
from manila_lite.share.environment import ShareEnvironment

no_eventlet.choose_threads()

from oslo_service import service as oslo_service  # noqa: E402

LOG = log.getLogger(__name__)

_SETUP_RETRY_FIRST = 1.0
# Objects made until the young are looked through, and how often that is before older ones are.
_COLLECTION = (20_000, 20, 50)
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


class ShareService(oslo_service.ServiceBase):
    """Serves one back end in one process. Made before the fork, started after it."""

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

    # -- oslo.service --------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to take casts; the rest follows in the background when the driver is ready."""
        self.database = Database.from_conf(self.conf, clock=self.clock)
        self.environment = self._environment()
        self.engine = Engine(
            self.database,
            self.host,
            registry,
            env=self.environment,
            settings=engine_settings.from_conf(self.conf, self.backend),
            clock=self.clock,
            resolvers=flows.LANE_RESOLVERS,
            surroundings=surroundings,
        )
        self.environment.journal = self.engine.journal
        process.use_configuration(self.conf)
        _collect_seldom()
        self._start_rpc()
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

    def _environment(self) -> ShareEnvironment:
        return ShareEnvironment.build(
            database=self.database,
            conf=self.conf,
            host=self.host,
            clock=self.clock,
            configuration=Configuration([], config_group=self.backend, conf=self.conf),
            backend=self.backend,
        )

    def _start_rpc(self) -> None:
        if load.transport_url(self.conf) is None:
            return
        from manila_lite.observability import notifications
        from manila_lite.rpc import clients, server, transport

        link = transport.make_transport(self.conf)
        self._rpc = server.RpcServer(
            self.conf,
            link,
            topic=self.conf.share_topic,
            server=self.host,
            flows=registry.flows,
            journal=self.engine.journal,
            run_call=self._run_call,
            clock=self.clock,
        )
        self._rpc.start()
        self.environment.notify = notifications.make_notify(self.conf, self.host)
        self.environment.scheduler = clients.SchedulerAPI(link, topic=self.conf.scheduler_topic)

    def _run_call(self, call: Any) -> Any:
        if not self.ready.is_set():
            raise exception.DriverNotInitialized(driver=self.backend)
        definition = registry.flows[call.method]
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
            self._tasks = PeriodicTasks(self._periodic_tasks())
            self._tasks.start()
        self._cast("ensure_driver_resources")
        LOG.info("%s serves casts", self.host)

    def _try_to_set_up(self) -> bool:
        try:
            driver = self.environment.driver = self.environment.driver or self._new_driver()
            driver.do_setup(contexts.get_admin_context())
            driver.check_for_setup_error()
            driver.initialized = True
            return True
        except Exception as error:
            # A driver can fail in any way; casts are taken in and wait until it can work.
            problem = error
        kind = type(problem).__name__
        LOG.error("%s cannot work yet, it is tried again: %s: %s", self.host, kind, problem)
        LOG.debug("What %s failed with", self.host, exc_info=problem)
        return False

    def _new_driver(self) -> Any:
        configuration = self.environment.configuration
        driver_class = load_driver_class(configuration.share_driver, self.backend)
        return driver_class(
            private_storage=self.environment.private_storage, configuration=configuration
        )

    # -- periodic ------------------------------------------------------------------------------

    def _periodic_tasks(self) -> list[Task]:
        conf, environment = self.conf, self.environment
        ours = conf[engine_conf.GROUP]
        round_delay = min(fuzzy(conf.periodic_fuzzy_delay), conf.periodic_interval)
        tasks = [
            Task(
                "heartbeat",
                functools.partial(flows.report_alive, environment),
                conf.report_interval,
            ),
            Task(
                "capabilities",
                functools.partial(flows.report_capabilities, environment),
                conf.periodic_interval,
            ),
            Task("reconcile", self._reconcile, ours.reconcile_interval),
            Task(
                "deferred deletion",
                functools.partial(flows.delete_deferred, environment, self.engine.journal),
                conf.periodic_deferred_delete_interval,
                initial_delay=round_delay,
            ),
        ]
        if conf.enable_gathering_share_usage_size:
            tasks.append(
                Task(
                    "share usage",
                    functools.partial(flows.update_share_usage, environment),
                    conf.share_usage_size_update_interval,
                    initial_delay=round_delay,
                )
            )
        return tasks

    def _reconcile(self) -> None:
        """Look for stuck resources, but not before the casts that wait in the queue are known."""
        while self._rpc is not None and not self._rpc.listener.idle.is_set():
            if self.clock.wait(self._stopping, _QUEUE_POLL_SECONDS):
                return
        flows.reconcile(self.environment, self.engine.journal)

    def _say_stopped(self) -> None:
        def work(connection: Connection) -> None:
            writes = services.stopped(self.host, self.clock.now())
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
