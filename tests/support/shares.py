# SPDX-License-Identifier: Apache-2.0
"""What tests of share flows share: a site with one back end, and a driver that writes down what it
is asked and answers as the test says."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.engine import Connection

from manila_lite.conf import opts
from manila_lite.db import backups, creation, messages, models, operation_requests, types
from manila_lite.db.records import Record
from manila_lite.db.session import Database
from manila_lite.db.writes import execute_writes
from manila_lite.engine import registry
from manila_lite.engine.journal import NewOperation
from manila_lite.engine.settings import EngineSettings
from manila_lite.share import flows
from manila_lite.share.configuration import Configuration
from manila_lite.share.driver import ShareDriver
from manila_lite.share.environment import ShareEnvironment
from manila_lite.testing.clock import ManualClock
from manila_lite.testing.engine import SteppedEngine, empty
from tests.support.engine import Crash, SharedClock

HOST = "host@backend"
POOL = f"{HOST}#pool"
PROJECT, USER = "project", "user"
EXPORT = "10.0.0.1:/share"

__all__ = ["EXPORT", "HOST", "POOL", "Crash", "RecordingDriver", "Site", "Turns"]

_METHODS = (
    "create_share", "create_share_from_snapshot", "delete_share", "extend_share", "shrink_share",
    "create_snapshot", "delete_snapshot", "update_access", "allow_access", "deny_access",
    "snapshot_update_access", "ensure_share", "ensure_shares", "get_backend_info",
    "get_share_status", "update_share_usage_size", "get_pool",
    "manage_existing", "manage_existing_with_server", "unmanage", "unmanage_with_server",
    "manage_existing_snapshot", "manage_existing_snapshot_with_server", "unmanage_snapshot",
    "unmanage_snapshot_with_server", "migration_check_compatibility", "migration_start",
    "migration_continue", "migration_complete", "migration_cancel", "migration_get_progress",
    "revert_to_snapshot", "create_backup",
    "create_backup_continue", "delete_backup", "restore_backup", "restore_backup_continue",
)  # fmt: skip


class Turns(list[Any]):
    """Answers of a method, one for each call."""


class RecordingDriver(ShareDriver):
    """calls: (method, first resource's id) in order; answers: {method: value, error or function}.

    What has no answer is not implemented, except for the few methods that every driver has.
    """

    #: The modes of driver_handles_share_servers that it supports.
    modes: Any = False

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(self.modes, configuration=configuration)
        self.calls: list[tuple[str, str | None]] = []
        self.arguments: list[inspect.BoundArguments] = []
        #: (args, kwargs) of each call, for methods that the interface does not declare.
        self.call_arguments: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.answers: dict[str, Any] = {
            "create_share": [{"path": EXPORT, "is_admin_only": False, "metadata": {}}],
            "delete_share": None,
            "extend_share": None,
            "shrink_share": None,
            "create_snapshot": None,
            "delete_snapshot": None,
            "update_access": None,
            "get_pool": None,
            "unmanage": None,
            "unmanage_with_server": None,
            "unmanage_snapshot": None,
            "unmanage_snapshot_with_server": None,
            "revert_to_snapshot": None,
        }

    def _answer(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        resource = next((a for a in args if isinstance(a, Record)), None)
        self.calls.append((name, resource and resource["id"]))
        self.call_arguments.append((args, kwargs))
        declared = getattr(ShareDriver, name, None)
        if declared is not None:
            # Held to the contract: wrong names of arguments are an error of the flow.
            self.arguments.append(inspect.signature(declared).bind(self, *args, **kwargs))
        if name not in self.answers:
            raise NotImplementedError(name)
        answer = self.answers[name]
        if isinstance(answer, Turns):
            answer = answer.pop(0)
        if isinstance(answer, BaseException) or (
            isinstance(answer, type) and issubclass(answer, BaseException)
        ):
            raise answer
        return answer(*args, **kwargs) if callable(answer) else answer

    def called(self, name: str) -> int:
        return [method for method, _ in self.calls].count(name)

    def argument(self, method: str, name: str) -> Any:
        """What the last call of the method got for a parameter."""
        found = [a for a, (m, _) in zip(self.arguments, self.calls, strict=False) if m == method]
        return found[-1].arguments[name]


def _recorded(name: str) -> Callable[..., Any]:
    def method(self: RecordingDriver, *args: Any, **kwargs: Any) -> Any:
        return self._answer(name, args, kwargs)

    return method


for _name in _METHODS:
    setattr(RecordingDriver, _name, _recorded(_name))


@functools.cache
def _conf() -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    opts.register_all(conf)
    opts.register_backend(conf, "backend")
    conf([], project="manila_lite", default_config_files=[], default_config_dirs=[])
    return conf


@functools.cache
def _shared() -> tuple[Database, SharedClock]:
    """One database for all tests of a process: SQLAlchemy compiles each statement once."""
    clock = SharedClock()
    database = Database("sqlite://", clock=clock)
    with database.writer() as connection:
        models.metadata.create_all(connection)
    return database, clock


class Site:
    """A back end with its rows. Given no database, the one in memory is emptied and used."""

    def __init__(self, database: Database | None = None, policy: str | None = None) -> None:
        self.clock = ManualClock()
        if database is None:
            database, shared = _shared()
            shared.current = self.clock
            empty(database)
        self.database = database
        self.conf = _conf()
        self.conf.clear_override("interrupted_operation_policy", group="backend")
        self.conf.clear_override("driver_handles_share_servers", group="backend")
        self.conf.set_override("driver_handles_share_servers", False, group="backend")
        if policy is not None:
            self.conf.set_override("interrupted_operation_policy", policy, group="backend")
        self.settings = EngineSettings(interrupted_operation_policy=policy or "retry")
        configuration = Configuration([], config_group="backend", conf=self.conf)
        self.environment = ShareEnvironment.build(
            database=database, conf=self.conf, host=HOST, backend="backend", clock=self.clock,
            configuration=configuration,
        )  # fmt: skip
        self.driver = RecordingDriver(configuration)
        self.environment.driver = self.driver
        self.worker = self.new_worker()
        with database.writer() as connection:
            execute_writes(
                connection,
                [types.new_type("default", {"snapshot_support": "True"}, self.clock.now(), "type")],
            )

    # -- running -------------------------------------------------------------------------------

    def new_worker(self) -> SteppedEngine:
        engine = SteppedEngine(
            self.database, registry, self.clock, host=HOST, env=self.environment,
            settings=self.settings, resolvers=flows.LANE_RESOLVERS,
        )  # fmt: skip
        self.environment.journal = engine.journal
        return engine

    def cast(self, method: str, **arguments: Any) -> str:
        context = {"project_id": PROJECT, "user_id": USER, "request_id": "req-1"}
        new = NewOperation(method, arguments, context=context)
        return self.worker.journal.record([new])[0].uuid

    def run(self, seconds: float = 0) -> None:
        """Run all that can run now, and what comes due within so many seconds."""
        self.worker.run_until_idle()
        for _ in range(int(seconds)):
            self.clock.advance(1)
            self.worker.run_until_idle()

    def do(self, method: str, *, seconds: float = 0, **arguments: Any) -> dict[str, Any]:
        """Cast, run, and return the operation's row."""
        uuid = self.cast(method, **arguments)
        self.run(seconds)
        return self.operation(uuid)

    def crash_in(self, method: str, on: str, after: bool = False, **arguments: Any) -> str:
        """Cast and let the process die when the driver is called; take over with a new worker."""
        answer = self.driver.answers.get(on)

        def die(*args: Any, **kwargs: Any) -> None:
            raise Crash()

        self.driver.answers[on] = die
        uuid = self.cast(method, **arguments)
        try:
            self.worker.run_until_idle()
        except Crash:
            self.take_over()
        else:
            raise AssertionError(f"{on} was not called")
        finally:
            self.driver.answers[on] = answer
        return uuid

    def take_over(self) -> None:
        self.worker.die()
        self.worker = self.new_worker()

    def retry(self, uuid: str) -> None:
        self.database.run(lambda c: operation_requests.request_retry(c, uuid, self.clock.now()))
        self.run()

    def cancel(self, uuid: str) -> None:
        self.database.run(lambda c: operation_requests.request_cancel(c, uuid))
        self.worker.look_for_requests()
        self.run()

    # -- rows ----------------------------------------------------------------------------------

    def add_share(self, status: str = "creating", **options: Any) -> Record:
        """Insert a share of 5 GiB; return its share_id and instance_id."""
        columns = options.pop("columns", {})
        with self.database.writer() as connection:
            made = creation.new_share(
                connection, self.clock.now(), host=POOL, size=5, share_proto="NFS",
                project_id=PROJECT, user_id=USER, share_type={"id": "type"}, **options,
            )  # fmt: skip
            if status != "creating":
                columns = {"launched_at": self.clock.now(), "progress": "100%", **columns}
            self._set(connection, models.share_instances, made["instance_id"], status, columns)
        return made

    def add_snapshot(self, share: Record, status: str = "creating") -> Record:
        with self.database.writer() as connection:
            instance = {
                "id": share["instance_id"], "share_id": share["share_id"], "size": 5,
                "share_proto": "NFS", "share_type_id": "type", "project_id": PROJECT,
                "user_id": USER,
            }  # fmt: skip
            made = creation.new_snapshot(connection, self.clock.now(), instance)
            table = models.share_snapshot_instances
            self._set(connection, table, made["instance_id"], status, {})
        return made

    def add_backup(self, share: Record, status: str = "creating") -> str:
        """Insert a backup of the share's 5 GiB; return its id."""
        with self.database.writer() as connection:
            instance = {"share_id": share["share_id"], "size": 5, "availability_zone_id": None}
            backup_id = backups.new_backup(
                connection, self.clock.now(), instance, host=HOST, topic="manila-share",
                project_id=PROJECT, user_id=USER,
            )  # fmt: skip
            self._set(connection, models.share_backups, backup_id, status, {})
        return backup_id

    def backup(self, backup_id: str) -> Record:
        return self.rows(models.share_backups, id=backup_id)[0]

    def add_rule(self, share: Record, access_to: str = "10.0.0.2") -> str:
        rule = f"rule-{access_to}"
        with self.database.writer() as connection:
            connection.execute(
                models.share_access_map.insert(),
                {"id": rule, "share_id": share["share_id"], "access_type": "ip",
                 "access_to": access_to, "access_level": "rw", "deleted": "False"},
            )  # fmt: skip
            connection.execute(
                models.share_instance_access_map.insert(),
                {"id": f"map-{rule}", "share_instance_id": share["instance_id"],
                 "access_id": rule, "state": "active", "deleted": "False"},
            )  # fmt: skip
        return rule

    def _set(
        self, connection: Connection, table: sa.Table, key: str, status: str,
        columns: Mapping[str, Any],
    ) -> None:  # fmt: skip
        values = {"status": status, **columns}
        connection.execute(table.update().where(table.c.id == key).values(values))

    def force(self, share: Record, status: str) -> None:
        """What an administrator's reset-state does."""
        with self.database.writer() as connection:
            self._set(connection, models.share_instances, share["instance_id"], status, {})

    def rows(self, table: sa.Table, **where: Any) -> list[Record]:
        statement = sa.select(table)
        for name, value in where.items():
            statement = statement.where(table.c[name] == value)
        with self.database.reader() as connection:
            return Record.all(connection.execute(statement))

    def instance(self, share: Record) -> Record:
        return self.rows(models.share_instances, id=share["instance_id"])[0]

    def share(self, share: Record) -> Record:
        return self.rows(models.shares, id=share["share_id"])[0]

    def snapshot_instance(self, snapshot: Record) -> Record:
        return self.rows(models.share_snapshot_instances, id=snapshot["instance_id"])[0]

    def status(self, share: Record) -> str:
        return str(self.instance(share)["status"])

    def exports(self, share: Record) -> list[str]:
        table = models.share_instance_export_locations
        found = self.rows(table, share_instance_id=share["instance_id"], deleted=0)
        return [row["path"] for row in found]

    def messages(self, resource_id: str) -> list[tuple[str, str]]:
        """(action id, detail id) of the messages about a resource."""
        with self.database.reader() as connection:
            found = messages.list_messages(connection, resource_id)
        return [(row["action_id"], row["detail_id"]) for row in found]

    def usage(self, resource: str) -> tuple[int, int]:
        """Usage of the resource by the user, and by the share type."""
        found = self.rows(models.quota_usages, resource=resource)
        by_type = {row["share_type_id"] is not None: row["in_use"] for row in found}
        return by_type[False], by_type[True]

    def operation(self, uuid: str) -> dict[str, Any]:
        return self.worker.operation(uuid)

    def unfinished(self) -> int:
        table = models.lite.operations
        return len(self.rows(table, finished=0))

    def methods(self) -> list[str]:
        """Methods of all operations, in order."""
        return [row["method"] for row in self.rows(models.lite.operations)]
