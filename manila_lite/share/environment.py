# SPDX-License-Identifier: Apache-2.0
"""What a share flow finds around it, beyond what every flow does: shares and private storage."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from oslo_config import cfg
from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import server_states
from manila_lite.clock import Clock
from manila_lite.db import private_data, services, share_servers, shares
from manila_lite.db.records import Record
from manila_lite.db.session import Database
from manila_lite.db.together import Together
from manila_lite.environment import Environment
from manila_lite.scheduler import capabilities
from manila_lite.share.configuration import Configuration

LOG = log.getLogger(__name__)

MAX_VALUE = 1023


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


class ShareCasts(Protocol):
    """What sends requests to share services; the client in rpc.clients does it."""

    def send(self, context: Any, method: str, host: str | None, **args: Any) -> Any: ...


@dataclasses.dataclass(kw_only=True)
class ShareEnvironment(Environment):
    """The surroundings of one share back end's flows."""

    #: Casts to other back ends; None without a broker.
    share_api: ShareCasts | None = None

    binary: ClassVar[str] = services.BINARY
    service_name: ClassVar[str] = "share"

    private_storage: PrivateStorage
    #: Called around operations and periodically; made with the driver.
    hooks: Sequence[Any] = ()

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
        return cls(
            db=database,
            conf=conf,
            host=host,
            backend=backend,
            clock=clock,
            configuration=configuration,
            private_storage=PrivateStorage(database, clock),
        )

    @property
    def topic(self) -> str:
        return str(self.conf.share_topic)

    def report(self) -> dict[str, Any] | None:
        stats = self.driver.get_share_stats(refresh=True)
        if not stats:
            return None
        name = self.configuration.safe_get("share_backend_name") or self.backend
        report = capabilities.complete(stats, name)
        if self.has_share_servers:
            report["server_pools_mapping"] = self._pools_of_servers()
        return report

    def _pools_of_servers(self) -> dict[str, Any]:
        """Return {id of an active share server: pools on it, as the driver names them}.

        A server of which the driver cannot tell is left out: the rest is worth reporting.
        """
        servers = self.db.run(
            lambda connection: share_servers.list_servers(
                connection, host=self.host, statuses=[server_states.ACTIVE]
            ),
            write=False,
        )
        found: dict[str, Any] = {}
        for server in servers:
            try:
                found[server["id"]] = list(self.driver.get_share_server_pools(server) or ())
            except Exception as error:
                # Of any class: what a driver says of one server must not hide all others.
                LOG.warning("The pools of share server %s are not known: %s", server["id"], error)
        return found

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
    def share_name_template(self) -> str:
        return str(self.conf.share_name_template)

    @property
    def snapshot_name_template(self) -> str:
        return str(self.conf.share_snapshot_name_template)

    @property
    def backup_name_template(self) -> str:
        return str(self.conf.share_backup_name_template)
