# SPDX-License-Identifier: Apache-2.0
"""The share service of one back end; what all services have in common is in worker_service."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from manila_lite.engine.registry import FlowRegistry, registry
from manila_lite.network import ledger
from manila_lite.periodic import Task, fuzzy
from manila_lite.share import flows, manila_drivers
from manila_lite.share.configuration import Configuration
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.hooks import load_hooks
from manila_lite.worker_service import WorkerService

# Manila's own interval; how long a server has to stand empty is an option.
_EMPTY_SERVERS_SECONDS = 600.0
# Casts of operations, which must not hang on a broker that is away.
_CAST_RETRY = 3


class ShareService(WorkerService):
    """Serves one share back end in one process."""

    registry = registry
    resolvers = flows.LANE_RESOLVERS
    ensure_method: ClassVar[str] = "ensure_driver_resources"

    environment: ShareEnvironment

    def _environment(self) -> ShareEnvironment:
        return ShareEnvironment.build(
            database=self.database,
            conf=self.conf,
            host=self.host,
            clock=self.clock,
            configuration=Configuration([], config_group=self.backend, conf=self.conf),
            backend=self.backend,
        )

    def _flows(self) -> FlowRegistry:
        wanted = self.environment.configuration.safe_get("hook_drivers")
        return flows.around(self.registry) if wanted else self.registry

    def _new_driver(self) -> Any:
        environment = self.environment
        environment.hooks = self._new_hooks()
        driver = manila_drivers.make_driver(
            self.conf, self.backend, environment.configuration, environment.private_storage
        )
        ledger.connect(driver, self.database, self.clock)
        return driver

    def _new_hooks(self) -> list[Any]:
        configuration = self.environment.configuration
        configuration_for = functools.partial(
            manila_drivers.hook_configuration, self.conf, self.backend, configuration
        )
        return load_hooks(configuration, self.host, configuration_for)

    def reset(self) -> None:
        """SIGHUP: a driver of Manila's reads the options from another object."""
        super().reset()
        manila_drivers.reload()

    def _listen(self) -> Any:
        from manila_lite.observability import notifications
        from manila_lite.rpc import clients, server, transport
        from manila_lite.rpc.share_objects import reduced

        link = transport.make_transport(self.conf)
        self.environment.notify = notifications.make_notify(self.conf, self.host)
        self.environment.scheduler = clients.SchedulerAPI(link, topic=self.conf.scheduler_topic)
        self.environment.share_api = clients.ShareAPI(
            link, topic=self.conf.share_topic, retry=_CAST_RETRY
        )
        return server.RpcServer(
            self.conf,
            link,
            topic=self.conf.share_topic,
            server=self.host,
            flows=registry.flows,
            journal=self.engine.journal,
            run_call=self._run_call,
            clock=self.clock,
            prepare=reduced,
        )

    def _periodic_tasks(self) -> list[Task]:
        conf, environment = self.conf, self.environment
        delay = min(fuzzy(conf.periodic_fuzzy_delay), conf.periodic_interval)
        tasks = [
            self._task(
                "deferred deletion",
                flows.delete_deferred,
                environment,
                self.engine.journal,
                every=conf.periodic_deferred_delete_interval,
                delay=delay,
            ),
            self._task(
                "recycle bin",
                flows.delete_expired,
                environment,
                self.engine.journal,
                every=conf.check_for_expired_shares_in_recycle_bin_interval,
                delay=delay,
            ),
            self._task(
                "replicas",
                flows.update_replicas,
                environment,
                self.engine.journal,
                every=conf.replica_state_update_interval,
                delay=delay,
            ),
            self._task(
                "expired transfers",
                flows.end_transfers,
                environment,
                every=conf.check_for_expired_transfers,
                delay=delay,
            ),
        ]
        if environment.has_share_servers:
            tasks.append(
                self._task(
                    "empty share servers",
                    flows.delete_unused_servers,
                    environment,
                    self.engine.journal,
                    every=_EMPTY_SERVERS_SECONDS,
                    delay=delay,
                )
            )
        configuration = environment.configuration
        if environment.hooks and configuration.safe_get("enable_periodic_hooks"):
            tasks.append(
                self._task(
                    "hooks",
                    flows.run_periodic_hooks,
                    environment,
                    every=configuration.safe_get("periodic_hooks_interval"),
                    delay=delay,
                )
            )
        if conf.enable_gathering_share_usage_size:
            tasks.append(
                self._task(
                    "share usage",
                    flows.update_share_usage,
                    environment,
                    every=conf.share_usage_size_update_interval,
                    delay=delay,
                )
            )
        return tasks

    def _reconcile(self) -> None:
        flows.reconcile(self.environment, self.engine.journal)
