# SPDX-License-Identifier: Apache-2.0
"""What a share flow finds around it: the driver, the database, the configuration, the scheduler."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from oslo_config import cfg
from sqlalchemy.engine import Connection

from manila_lite.clock import Clock
from manila_lite.conf import engine as engine_conf
from manila_lite.db import private_data, shares, types
from manila_lite.db.records import Record
from manila_lite.db.session import Database
from manila_lite.db.together import Together
from manila_lite.engine.journal import Journal
from manila_lite.share.configuration import Configuration

MAX_VALUE = 1023

# notify(context, event type, payload)
Notify = Callable[[Any, str, Mapping[str, Any]], None]


class Scheduler(Protocol):
    """What is told to schedulers; rpc.clients.SchedulerAPI does it."""

    def update_service_capabilities(
        self,
        context: Any,
        service_name: str,
        host: str,
        capabilities: Mapping[str, Any],
        timestamp: datetime.datetime | None = None,
    ) -> None: ...


class PrivateStorage:
    """private_storage as Manila's drivers know it: keys and values per entity, all text."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def get(self, entity_id: str, key: str | None = None, default: Any = None) -> Any:
        """Return the value of the key (default where there is none), or all of the entity."""
        if key is None:
            return self._database.run(
                lambda connection: private_data.get(connection, entity_id), write=False
            )
        found = self._database.run(
            lambda connection: private_data.get_one(connection, entity_id, key), write=False
        )
        return default if found is None else found

    def update(
        self, entity_id: str, details: Mapping[str, Any], delete_existing: bool = False
    ) -> None:
        """Set the values; with delete_existing the entity keeps no others.

        Raises ValueError for a value of more than MAX_VALUE characters.
        """
        values = {key: str(value) for key, value in details.items()}
        for key, value in values.items():
            if len(value) > MAX_VALUE:
                raise ValueError(f"private data {key!r} has more than {MAX_VALUE} characters")
        self._database.run(
            lambda connection: private_data.update(
                connection, entity_id, values, self._clock.now(), delete_existing=delete_existing
            )
        )

    def delete(self, entity_id: str, key: str | None = None) -> None:
        """Delete the key, or all that the entity has."""
        self._database.run(
            lambda connection: private_data.delete(connection, entity_id, self._clock.now(), key)
        )


@dataclasses.dataclass
class ShareEnvironment:
    """The surroundings of one back end's flows (op.env).

    host: 'host@backend'. driver: set once it is made. scheduler: None without a broker.
    journal: the engine's own, so that what flows start is noticed at once. notify: told of
    events, such as the used space of a share.
    """

    db: Database
    conf: cfg.ConfigOpts
    host: str
    backend: str
    clock: Clock
    configuration: Configuration
    private_storage: PrivateStorage
    driver: Any = None
    scheduler: Scheduler | None = None
    journal: Journal | None = None
    notify: Notify | None = None
    _zone_id: str | None = None

    @classmethod
    def build(
        cls,
        *,
        database: Database,
        conf: cfg.ConfigOpts,
        host: str,
        backend: str,
        clock: Clock,
        configuration: Configuration,
    ) -> ShareEnvironment:
        """Put an environment together that lacks its driver and its scheduler only."""
        storage = PrivateStorage(database, clock)
        return cls(database, conf, host, backend, clock, configuration, storage)

    @functools.cached_property
    def instances(self) -> Together[Record]:
        """Share instances by id, as db.shares.get_instance() reads them."""
        return Together(lambda ids: self.db.run(lambda c: self._instances(c, ids), write=False))

    @functools.cached_property
    def complete_instances(self) -> Together[Record]:
        """Share instances by id, with their metadata and export locations."""

        def read(connection: Connection, ids: Sequence[str]) -> dict[str, Record]:
            found = self._instances(connection, ids)
            shares.complete(connection, list(found.values()))
            return found

        return Together(lambda ids: self.db.run(lambda c: read(c, ids), write=False))

    def _instances(self, connection: Connection, ids: Sequence[str]) -> dict[str, Record]:
        return shares.get_instances(connection, ids, self.share_name_template)

    @functools.cached_property
    def has_share_servers(self) -> bool:
        """The driver's mode; an option that no reload changes, and slow to read."""
        return bool(self.driver.driver_handles_share_servers)

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

    @property
    def share_name_template(self) -> str:
        return str(self.conf.share_name_template)

    @property
    def snapshot_name_template(self) -> str:
        return str(self.conf.share_snapshot_name_template)
