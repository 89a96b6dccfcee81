# SPDX-License-Identifier: Apache-2.0
"""What the flows of any back end find around them: the driver, the database, the configuration."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from oslo_config import cfg

from manila_lite.clock import Clock
from manila_lite.conf import engine as engine_conf
from manila_lite.db import types
from manila_lite.db.session import Database
from manila_lite.engine.journal import Journal

# notify(context, event type, payload)
Notify = Callable[[Any, str, Mapping[str, Any]], None]


class Options(Protocol):
    """The options of one back end, as its driver reads them."""

    def safe_get(self, value: str) -> Any: ...


class Scheduler(Protocol):
    """What is told to schedulers; the clients in rpc.clients and rpc.volume_clients do it."""

    def update_service_capabilities(
        self,
        context: Any,
        service_name: str,
        host: str,
        capabilities: Mapping[str, Any],
        timestamp: datetime.datetime | None = None,
    ) -> None: ...


@dataclasses.dataclass(kw_only=True)
class Environment:
    """The surroundings of one back end's flows (op.env).

    host: 'host@backend'. driver: set once it is made. scheduler: None without a broker.
    journal: the engine's own, so that what flows start is noticed at once. notify: told of
    events, such as the used space of a share.
    """

    #: How the service is called in the services table, and in reports to schedulers.
    binary: ClassVar[str]
    service_name: ClassVar[str]

    db: Database
    conf: cfg.ConfigOpts
    host: str
    backend: str
    clock: Clock
    configuration: Any
    driver: Any = None
    scheduler: Scheduler | None = None
    journal: Journal | None = None
    notify: Notify | None = None
    _zone_id: str | None = None

    @property
    def topic(self) -> str:
        """The topic on which services of this kind listen."""
        raise NotImplementedError

    def report(self) -> dict[str, Any] | None:
        """Ask the driver what it can do, in the schedulers' words; None: it has nothing to say."""
        raise NotImplementedError

    @property
    def availability_zone(self) -> str:
        """The zone of this back end, or the node's where the back end names none."""
        own = self.configuration.safe_get("backend_availability_zone")
        return str(own or self.conf.storage_availability_zone)

    def zone_id(self) -> str:
        """Return the id of the back end's availability zone; looked up once."""
        if self._zone_id is None:
            self._zone_id = self.db.run(
                lambda connection: types.ensure_zone(
                    connection, self.availability_zone, self.clock.now()
                )
            )
        return self._zone_id

    @property
    def interrupted_operation_policy(self) -> str:
        """'retry' or 'error': what becomes of a step in doubt of which the driver knows nothing."""
        return str(
            engine_conf.backend_value(self.conf, self.backend, "interrupted_operation_policy")
        )
