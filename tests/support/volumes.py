# SPDX-License-Identifier: Apache-2.0
"""What tests of volume flows share: a site with one back end, a driver that writes down what it is
asked and answers as the test says, and a Nova and an image service of the same kind."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from manila_lite.conf import opts
from manila_lite.db import (
    messages,
    models,
    operation_requests,
    volume_creation,
)
from manila_lite.db import volumes as volume_rows
from manila_lite.db.records import Record
from manila_lite.db.session import Database
from manila_lite.engine.journal import NewOperation
from manila_lite.engine.settings import EngineSettings
from manila_lite.testing.clock import ManualClock
from manila_lite.testing.engine import SteppedEngine, empty
from manila_lite.volume import flows
from manila_lite.volume.configuration import Configuration
from manila_lite.volume.environment import VolumeEnvironment
from tests.support.engine import Crash, SharedClock

HOST = "host@backend"
POOL = f"{HOST}#pool"
OTHER_POOL = f"{HOST}#other"
PROJECT, USER = "project", "user"
SHARE = "server:/share"
PLAN = {"delete_info": {"file_to_merge": None}, "file_to_delete": "x"}

__all__ = ["HOST", "OTHER_POOL", "PLAN", "POOL", "SHARE", "Crash", "Recorder", "Site", "Turns"]


class Turns(list[Any]):
    """Answers of a method, one for each call."""


class Recorder:
    """Any method: calls are (method, id of the first record); answers {method: value, error, ...}.

    What has no answer raises NotImplementedError.
    """

    def __init__(self, **answers: Any) -> None:
        self.calls: list[tuple[str, str | None]] = []
        self.arguments: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = answers

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in self.answers:
            raise AttributeError(name)
        return functools.partial(self._answer, name)

    def _answer(self, name: str, *args: Any, **kwargs: Any) -> Any:
        resource = next((a for a in args if isinstance(a, Record)), None)
        self.calls.append((name, resource and resource["id"]))
        self.arguments.append(args)
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

    def methods(self) -> list[str]:
        """Names of the methods that were called, in order."""
        return [method for method, _ in self.calls]

    def argument(self, name: str, position: int) -> Any:
        """What the last call of the method got there."""
        found = [a for a, (m, _) in zip(self.arguments, self.calls, strict=True) if m == name]
        return found[-1][position]


class RecordingDriver(Recorder):
    """A volume driver with phases, for which everything goes well unless a test says otherwise."""

    initialized = True
    has_online_phases = True

    def __init__(self) -> None:
        placed = {"provider_location": SHARE}
        super().__init__(
            create_volume=placed, create_volume_from_snapshot=placed, create_cloned_volume=placed,
            copy_image_to_volume=None, copy_volume_to_image=None, discard_unfinished_volume=None,
            delete_volume=None, extend_volume=None, revert_to_snapshot=None, unmanage=None,
            create_snapshot=None, delete_snapshot=None, unmanage_snapshot=None,
            create_export=None, remove_export=None, ensure_export=None, validate_connector=None,
            initialize_connection={"driver_volume_type": "local", "data": {"name": "file"}},
            terminate_connection=None, attach_volume=None, detach_volume=None,
            manage_existing=placed, manage_existing_get_size=3, migrate_volume=(True, {}),
            get_volume_stats={"pools": [{"pool_name": "pool", "free_capacity_gb": 7.0}]},
            prepare_online_snapshot={"new_file": "overlay"}, online_snapshot_state="unswitched",
            complete_online_snapshot=None, abandon_online_snapshot=None,
            plan_online_deletion=PLAN, online_deletion_state="undone",
            complete_online_deletion=None, abandon_online_deletion=None,
        )  # fmt: skip


@functools.cache
def conf_of_back_end() -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    opts.register_all(conf)
    opts.register_volume_backend(conf, "backend")
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
        self.conf = conf_of_back_end()
        self.conf.clear_override("interrupted_operation_policy", group="backend")
        if policy is not None:
            self.conf.set_override("interrupted_operation_policy", policy, group="backend")
        self.settings = EngineSettings(interrupted_operation_policy=policy or "retry")
        self.environment = VolumeEnvironment.build(
            database=database, conf=self.conf, host=HOST, backend="backend", clock=self.clock,
            configuration=Configuration([], config_group="backend", conf=self.conf),
        )  # fmt: skip
        self.driver = self.environment.driver = RecordingDriver()
        self.nova = self.environment.nova = Recorder(
            create_volume_snapshot={}, delete_volume_snapshot=None
        )
        self.images = self.environment.images = Recorder(
            show={"id": "image", "status": "active", "name": "Image", "disk_format": "raw",
                  "properties": {"os": "linux"}}, delete=None,
        )  # fmt: skip
        self.worker = self.new_worker()

    # -- running -------------------------------------------------------------------------------

    def new_worker(self) -> SteppedEngine:
        engine = SteppedEngine(
            self.database, flows.registry, self.clock, host=HOST, env=self.environment,
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
        step = 1 if seconds <= 60 else 10
        self.worker.run_until_idle()
        for _ in range(int(seconds) // step):
            self.clock.advance(step)
            self.worker.run_until_idle()

    def leap(self, seconds: float) -> None:
        """Let much time pass in which nothing happens, and run what is due then."""
        self.worker.run_until_idle()
        self.clock.advance(seconds)
        self.worker.run_until_idle()

    def do(self, method: str, *, seconds: float = 0, **arguments: Any) -> dict[str, Any]:
        """Cast, run, and return the operation's row."""
        uuid = self.cast(method, **arguments)
        self.run(seconds)
        return self.operation(uuid)

    def call(self, method: str, **arguments: Any) -> Any:
        """Carry a call out."""
        from manila_lite.context import RequestContext

        context = RequestContext(project_id=PROJECT, user_id=USER)
        return flows.registry.flows[method].function(self.environment, context, **arguments)

    def crash_in(self, method: str, on: str, by: Recorder | None = None, **arguments: Any) -> str:
        """Cast and let the process die when the driver is called; take over with a new worker."""
        recorder = by or self.driver
        answer = recorder.answers.get(on)

        def die(*args: Any, **kwargs: Any) -> None:
            raise Crash()

        recorder.answers[on] = die
        uuid = self.cast(method, **arguments)
        try:
            self.worker.run_until_idle()
        except Crash:
            self.take_over()
        else:
            raise AssertionError(f"{on} was not called")
        finally:
            recorder.answers[on] = answer
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

    def call_back(self, snapshot_id: str, status: str, progress: str = "90%") -> None:
        """Nova says something of a snapshot."""
        self.cast(
            "update_snapshot_status", snapshot_id=snapshot_id, status=status, progress=progress
        )

    # -- rows ----------------------------------------------------------------------------------

    def add_volume(self, status: str = "available", **columns: Any) -> str:
        """Insert a volume of 5 GiB; return its id. One that is not new lies on SHARE."""
        if status != "creating":
            columns = {"provider_location": SHARE, "launched_at": self.clock.now(), **columns}
        if status == "in-use":
            columns = {"attach_status": "attached", **columns}
        with self.database.writer() as connection:
            made = volume_creation.new_volume(
                connection, self.clock.now(), host=columns.pop("host", POOL), size=5,
                project_id=PROJECT, user_id=USER, status=status, **columns,
            )  # fmt: skip
        if status == "in-use":
            self.attach(made["volume_id"])
        return str(made["volume_id"])

    def attach(self, volume_id: str, attach_status: str = "attached", **columns: Any) -> str:
        """Insert an attachment; return its id."""
        row = {
            "id": f"attachment-{volume_id[:8]}", "volume_id": volume_id, "deleted": False,
            "instance_uuid": "guest", "attach_status": attach_status, **columns,
        }  # fmt: skip
        with self.database.writer() as connection:
            connection.execute(models.volume_attachment.insert(), row)
        return str(row["id"])

    def add_snapshot(self, volume_id: str, status: str = "creating", **columns: Any) -> str:
        """Insert a snapshot; return its id."""
        with self.database.writer() as connection:
            volume = volume_rows.get_volume(connection, volume_id)
            assert volume is not None
            made = volume_creation.new_snapshot(
                connection, self.clock.now(), volume, status=status, **columns
            )
        return str(made["snapshot_id"])

    def set(self, table: sa.Table, key: str, **values: Any) -> None:
        """What an administrator, or another service, writes."""
        with self.database.writer() as connection:
            connection.execute(table.update().where(table.c.id == key).values(**values))

    def rows(self, table: sa.Table, **where: Any) -> list[Record]:
        statement = sa.select(table)
        for name, value in where.items():
            statement = statement.where(table.c[name] == value)
        with self.database.reader() as connection:
            return Record.all(connection.execute(statement))

    def volume(self, volume_id: str) -> Record:
        return self.rows(models.volumes, id=volume_id)[0]

    def snapshot(self, snapshot_id: str) -> Record:
        return self.rows(models.snapshots, id=snapshot_id)[0]

    def status(self, volume_id: str) -> str:
        return str(self.volume(volume_id)["status"])

    def words(self, snapshot_id: str) -> tuple[str, str | None]:
        row = self.snapshot(snapshot_id)
        return row["status"], row["progress"]

    def messages(self, resource_id: str) -> list[tuple[str, str]]:
        """(action id, detail id) of the messages about a resource."""
        with self.database.reader() as connection:
            found = messages.list_messages(connection, resource_id)
        return [(row["action_id"], row["detail_id"]) for row in found]

    def image_of(self, volume_id: str) -> Mapping[str, str]:
        """What the volume remembers of an image."""
        found = self.rows(models.volume_glance_metadata, volume_id=volume_id)
        return {row["key"]: row["value"] for row in found}

    def operation(self, uuid: str) -> dict[str, Any]:
        return self.worker.operation(uuid)

    def result(self, operation: Mapping[str, Any]) -> Any:
        from manila_lite import jsontext

        return operation["result"] and jsontext.decode(operation["result"])

    def methods(self) -> list[str]:
        """Methods of all operations, in order."""
        return [row["method"] for row in self.rows(models.lite.operations)]
