# SPDX-License-Identifier: Apache-2.0
"""One back end with the driver under test: rows in memory, an engine that is stepped by hand."""

from __future__ import annotations

import dataclasses
import functools
import time
import uuid
from collections.abc import Collection, Mapping
from typing import Any, Final

import sqlalchemy as sa
from oslo_config import cfg

from manila_lite import context as contexts
from manila_lite import states
from manila_lite.clock import SystemClock
from manila_lite.conf.opts import host_of
from manila_lite.db import messages, models, operation_requests, types
from manila_lite.db.records import Record
from manila_lite.db.session import Database
from manila_lite.db.writes import execute_writes
from manila_lite.engine import registry
from manila_lite.engine import settings as engine_settings
from manila_lite.engine.journal import NewOperation
from manila_lite.network import ledger
from manila_lite.share import flows, manila_drivers
from manila_lite.share.configuration import Configuration
from manila_lite.share.environment import ShareEnvironment
from manila_lite.testing.clock import ManualClock
from manila_lite.testing.conformance.disturbances import Disturbance, Interceptor, Killed
from manila_lite.testing.engine import SteppedEngine, empty

PROJECT, USER, TYPE = "conformance", "conformance", "conformance"
NETWORK, SUBNET = "conformance-network", "conformance-subnet"
#: Seconds of the operation's time between two looks, and of real time once it takes long.
_STEP, _PAUSE, _LONG = 1.0, 0.02, 100

_TABLES: Final = (
    models.share_instances,
    models.share_snapshot_instances,
    models.share_groups,
    models.share_group_snapshots,
    models.share_servers,
)
_CLAIMS: Final = (
    "snapshot_support",
    "create_share_from_snapshot_support",
    "revert_to_snapshot_support",
    "mount_snapshot_support",
)
_INTERFACES: Final = ("manila_lite.share.driver.", "manila.share.driver")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the command line asked for. patience: seconds that an operation may really take."""

    conf: cfg.ConfigOpts
    backend: str
    share_proto: str | None = None
    access: tuple[tuple[str, str], ...] = ()
    manage_options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    sizes: tuple[int, int] = (1, 2)
    patience: float = 60.0


@functools.cache
def _database() -> Database:
    database = Database("sqlite://")
    with database.writer() as connection:
        models.metadata.create_all(connection)
    return database


class Site:
    """The back end. A new one has no rows; what the driver has on its storage stays."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.conf, self.backend = settings.conf, settings.backend
        # It starts now: storage and certificates may look at the time as well.
        self.clock = ManualClock(SystemClock().now())
        self.database = _database()
        self.host = host_of(self.conf, self.backend)
        empty(self.database)
        self._start_driver()
        self.stats: dict[str, Any] = self.environment.report() or {}
        self._add_type()
        if self.has_share_servers:
            self._add_network()

    # -- the process ---------------------------------------------------------------------------

    def _start_driver(self) -> None:
        configuration = Configuration([], config_group=self.backend, conf=self.conf)
        self.environment = ShareEnvironment.build(
            database=self.database,
            conf=self.conf,
            host=self.host,
            backend=self.backend,
            clock=self.clock,
            configuration=configuration,
        )
        driver = manila_drivers.make_driver(
            self.conf, self.backend, configuration, self.environment.private_storage
        )
        ledger.connect(driver, self.database, self.clock)
        driver.do_setup(contexts.get_admin_context())
        driver.check_for_setup_error()
        driver.initialized = True
        self.driver = self.environment.driver = driver
        self.engine = SteppedEngine(
            self.database,
            registry,
            self.clock,
            host=self.host,
            env=self.environment,
            settings=engine_settings.from_conf(self.conf, self.backend),
            resolvers=flows.LANE_RESOLVERS,
        )
        self.environment.journal = self.engine.journal

    def restart(self) -> None:
        """Go on as a process that has just started, with a driver of its own."""
        self.engine.die()
        self._start_driver()

    # -- operations ----------------------------------------------------------------------------

    def cast(self, method: str, **arguments: Any) -> str:
        """Record an operation, as a cast does; return its uuid."""
        context = {"project_id": PROJECT, "user_id": USER, "request_id": f"req-{uuid.uuid4()}"}
        new = NewOperation(method, arguments, context=context)
        return self.engine.journal.record([new])[0].uuid

    def finish(self, operation: str) -> dict[str, Any]:
        """Run until the operation is at its end, over any number of kills; return its row."""
        end = time.monotonic() + self.settings.patience
        rounds = 0
        while not (row := self._try(operation))["finished"]:
            if time.monotonic() > end:
                raise AssertionError(
                    f"{row['method']} did not end within {self.settings.patience:.0f} seconds: "
                    f"it is {row['state']}, progress {row['progress']}"
                )
            rounds += 1
            self.clock.advance(_STEP)
            if rounds > _LONG:
                # The storage works in the background, and needs real time for that.
                time.sleep(_PAUSE)
        return row

    def _try(self, operation: str) -> dict[str, Any]:
        try:
            self.engine.run_until_idle()
        except Killed:
            self.restart()
        return self.engine.operation(operation)

    def do(self, method: str, **arguments: Any) -> None:
        """Carry an operation out; fail the test where it fails."""
        row = self.finish(self.cast(method, **arguments))
        assert row["state"] == "succeeded", f"{method} failed: {row['error']}"

    def retry(self, operation: str) -> dict[str, Any]:
        """Do what an operator does about a failed operation; return its row."""
        now = self.clock.now()
        asked = self.database.run(lambda c: operation_requests.request_retry(c, operation, now))
        assert asked, "the operation cannot be tried again"
        return self.finish(operation)

    def disturb(self, methods: Collection[str], disturbance: Disturbance) -> Interceptor:
        """Put a disturbance around methods of the present driver object."""
        return Interceptor(self.driver, methods, disturbance)

    # -- what the driver claims ----------------------------------------------------------------

    @property
    def has_share_servers(self) -> bool:
        return bool(self.driver.driver_handles_share_servers)

    def supports(self, claim: str) -> bool:
        """Whether a claim is among the statistics of the back end, or of each of its pools."""
        pools = self.stats.get("pools") or [{}]
        return all(bool(pool.get(claim, self.stats.get(claim))) for pool in pools)

    def redefines(self, method: str) -> bool:
        """Whether the driver has a method of its own in place of the interface's."""
        own = getattr(type(self.driver), method, None)
        return own is not None and not own.__module__.startswith(_INTERFACES)

    @property
    def pool(self) -> str:
        pools = self.stats.get("pools") or [{"pool_name": self.stats["share_backend_name"]}]
        return str(pools[0]["pool_name"])

    @property
    def share_proto(self) -> str:
        claimed = str(self.stats.get("storage_protocol") or "NFS")
        return self.settings.share_proto or claimed.partition("_")[0].upper()

    # -- rows ----------------------------------------------------------------------------------

    def insert(self, table: sa.Table, **values: Any) -> None:
        with self.database.writer() as connection:
            connection.execute(table.insert(), values)

    def update(self, table: sa.Table, row_id: str, **values: Any) -> None:
        with self.database.writer() as connection:
            connection.execute(table.update().where(table.c.id == row_id).values(**values))

    def row(self, table: sa.Table, row_id: str) -> Record:
        (found,) = self.rows(table, id=row_id)
        return found

    def rows(self, table: sa.Table, **where: Any) -> list[Record]:
        conditions = [table.c[name] == value for name, value in where.items()]
        with self.database.reader() as connection:
            return Record.all(connection.execute(sa.select(table).where(*conditions)))

    def told(self, resource_id: str) -> bool:
        """Whether the project has a message about the resource."""
        with self.database.reader() as connection:
            return bool(messages.list_messages(connection, resource_id))

    def statuses(self) -> dict[str, str]:
        """{table and id: status} of all that is not deleted."""
        return {
            f"{table.name} {row['id']}": str(row["status"])
            for table in _TABLES
            for row in self.rows(table)
            if str(row["deleted"]) in ("False", "0")
        }

    def stuck(self) -> dict[str, str]:
        """What is under way although no operation is."""
        return {what: now for what, now in self.statuses().items() if now in states.UNDERWAY}

    def _add_type(self) -> None:
        specs = {name: "True" for name in _CLAIMS if self.supports(name)}
        specs["driver_handles_share_servers"] = str(self.has_share_servers)
        with self.database.writer() as connection:
            execute_writes(connection, [types.new_type(TYPE, specs, self.clock.now(), TYPE)])

    def _add_network(self) -> None:
        """Without a zone and without the details that a network plugin fills in."""
        now = {"created_at": self.clock.now(), "deleted": "False"}
        owner = {"project_id": PROJECT, "user_id": USER}
        self.insert(models.share_networks, id=NETWORK, status="active", **owner, **now)
        self.insert(models.share_network_subnets, id=SUBNET, share_network_id=NETWORK, **now)
