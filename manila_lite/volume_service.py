# SPDX-License-Identifier: Apache-2.0
"""The volume service of one back end; what all services have in common is in worker_service."""

from __future__ import annotations

from typing import Any, ClassVar

from manila_lite import compute
from manila_lite.callback import wiring
from manila_lite.callback.server import CallbackServer
from manila_lite.conf.drivers import load_volume_driver_class
from manila_lite.db import volume_overview
from manila_lite.image import choice
from manila_lite.volume import flows
from manila_lite.volume.configuration import Configuration
from manila_lite.volume.environment import DriverDatabase, VolumeEnvironment
from manila_lite.volume.flows.ensure import ENSURE
from manila_lite.worker_service import WorkerService


class VolumeService(WorkerService):
    """Serves one volume back end in one process."""

    registry = flows.registry
    resolvers = flows.LANE_RESOLVERS
    ensure_method: ClassVar[str] = ENSURE

    environment: VolumeEnvironment

    _callbacks: CallbackServer | None = None

    def _environment(self) -> VolumeEnvironment:
        environment = VolumeEnvironment.build(
            database=self.database,
            conf=self.conf,
            host=self.host,
            clock=self.clock,
            configuration=Configuration([], config_group=self.backend, conf=self.conf),
            backend=self.backend,
        )
        environment.nova = compute.from_conf(self.conf, self.clock)
        environment.images = choice.prepare(self.conf, self.clock)
        return environment

    # -- the driver ----------------------------------------------------------------------------

    def _new_driver(self) -> Any:
        configuration = self.environment.configuration
        driver_class = load_volume_driver_class(configuration.volume_driver, self.backend)
        return driver_class(
            configuration=configuration,
            db=DriverDatabase(self.environment),
            host=self.host,
            cluster_name=None,
            active_backend_id=None,
            # Drivers choose safer defaults for a new installation.
            is_vol_db_empty=self.database.run(volume_overview.is_empty, write=False),
            clock=self.clock,
            nova=self.environment.nova,
        )

    def _mark_initialized(self, driver: Any) -> None:
        driver.set_initialized()

    # -- ways in -------------------------------------------------------------------------------

    def _listen(self) -> Any:
        from manila_lite.observability import notifications
        from manila_lite.rpc import server, transport, volume_clients, volume_methods
        from manila_lite.rpc.volume_objects import reduced

        conf, topic = self.conf, self.conf.volume_topic
        link = transport.make_transport(conf)
        self.environment.notify = notifications.make_notify(conf, self.host, "volume")
        self.environment.scheduler = volume_clients.VolumeSchedulerAPI(
            link, topic=conf.volume_scheduler_topic
        )
        return server.RpcServer(
            conf,
            link,
            topic=topic,
            server=self.host,
            flows=self.registry.flows,
            journal=self.engine.journal,
            run_call=self._run_call,
            clock=self.clock,
            version=volume_methods.RPC_API_VERSION,
            prepare=reduced,
            also=[volume_clients.alternative_queue(topic, self.host)],
        )

    def _when_listening(self) -> None:
        """Let Nova call back from the first moment on: the answer may be for the one before us."""
        self._callbacks = wiring.make_server(
            self.conf,
            database=self.database,
            registry=self.registry,
            clock=self.clock,
            host=self.host,
            journal=self.engine.journal,
        )
        if self._callbacks is not None:
            self._callbacks.start()

    def _close_ways_in(self) -> None:
        if self._callbacks is not None:
            self._callbacks.stop()

    def _reconcile(self) -> None:
        flows.reconcile(self.environment, self.engine.journal)
