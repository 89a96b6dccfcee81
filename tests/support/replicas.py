# SPDX-License-Identifier: Apache-2.0
"""A share with replicas on two back ends, of which this one has the copy."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from manila_lite.db import models, replica_changes
from manila_lite.db.models import lite
from manila_lite.db.records import Record
from tests.support.shares import Crash, RecordingDriver, Site, _recorded

ELSEWHERE = "elsewhere@backend"
METHODS = (
    "create_replica", "delete_replica", "promote_replica", "update_replica_state",
    "create_replicated_snapshot", "delete_replicated_snapshot", "update_replicated_snapshot",
    "revert_to_replicated_snapshot",
)  # fmt: skip


class ReplicatingDriver(RecordingDriver):
    """It makes and removes replicas at once."""

    def __init__(self, configuration: Any) -> None:
        super().__init__(configuration)
        self.answers.update(
            create_replica={"replica_state": "in_sync"}, delete_replica=None, promote_replica=None,
            update_replica_state="in_sync", create_replicated_snapshot=None,
            delete_replicated_snapshot=None, update_replicated_snapshot=None,
            revert_to_replicated_snapshot=None,
        )  # fmt: skip


for _name in METHODS:
    setattr(ReplicatingDriver, _name, _recorded(_name))


class ReplicatedSite(Site):
    """Its driver is a ReplicatingDriver."""

    Crash = Crash

    def __init__(self) -> None:
        super().__init__()
        self.driver = ReplicatingDriver(self.environment.configuration)
        self.environment.driver = self.driver

    def add_active(self, host: str = f"{ELSEWHERE}#pool", **columns: Any) -> Record:
        """Insert a share of type 'readable' with an active replica."""
        made = self.add_share("available", columns={"replica_state": "active", **columns})
        self.set_type(made, "readable")
        self._update(models.share_instances, made["instance_id"], host=host)
        return made

    def set_type(self, share: Record, replication_type: str) -> None:
        self._update(models.shares, share["share_id"], replication_type=replication_type)

    def set_state(self, replica: Record, state: str) -> None:
        self._update(models.share_instances, replica["instance_id"], replica_state=state)

    def _update(self, table: Any, key: Any, **values: Any) -> None:
        with self.database.writer() as connection:
            connection.execute(table.update().where(table.c.id == key).values(values))

    def operations(self) -> list[Record]:
        return self.rows(lite.operations)

    def add_replica(
        self, active: Record, status: str = "available", replica_state: str = "in_sync",
        host: str = "host@backend#pool",
    ) -> Record:  # fmt: skip
        """Insert a replica of the share."""
        key = str(uuid.uuid4())
        row = dict(self.instance(active))
        row.update(id=key, host=host, status=status, replica_state=replica_state)
        row.update(cast_rules_to_readonly=True, updated_at=self.clock.now())
        with self.database.writer() as connection:
            connection.execute(models.share_instances.insert(), row)
        return Record(share_id=active["share_id"], instance_id=key)

    def add_snapshot_instance(self, snapshot: Record, replica: Record, status: str) -> Record:
        """Insert the instance of a snapshot on another replica."""
        key = str(uuid.uuid4())
        row = dict(self.snapshot_instance(snapshot))
        row.update(id=key, share_instance_id=replica["instance_id"], status=status)
        with self.database.writer() as connection:
            connection.execute(models.share_snapshot_instances.insert(), row)
        return Record(snapshot_id=snapshot["snapshot_id"], instance_id=key)

    def on(self, method: str, replica: Record, **arguments: Any) -> dict[str, Any]:
        """Cast a method of replicas, run, and return the operation."""
        share_id, key = replica["share_id"], replica["instance_id"]
        return self.do(method, share_id=share_id, share_replica_id=key, **arguments)

    def state(self, replica: Record) -> tuple[str, str]:
        """(status, replica_state) of a replica."""
        row = self.instance(replica)
        return row["status"], row["replica_state"]

    def elsewhere(self, replica: Record, alive: bool = True) -> int:
        """Have an operation of another host hold the turn of the share's replicas; its id."""
        share_id, key = replica["share_id"], "x"
        uuid_ = self.cast("update_share_replica", share_id=share_id, share_replica_id=key)
        moved = {"host": ELSEWHERE, "lane": "elsewhere"}
        table = lite.operations
        row = dict(self.rows(lite.workers)[0])
        with self.database.writer() as connection:
            connection.execute(table.update().where(table.c.uuid == uuid_).values(moved))
            if alive:
                far = row["lease_until"] + datetime.timedelta(days=1)
                row.update(id=str(uuid.uuid4()), host=ELSEWHERE, lease_until=far)
                connection.execute(lite.workers.insert(), row)
        holder = int(self.operation(uuid_)["id"])
        self._hold(share_id, holder)
        return holder

    def take_turn_away(self, replica: Record) -> int:
        """Give the turn to an operation of another host; its id."""
        with self.database.writer() as connection:
            connection.execute(lite.locks.delete())
        return self.elsewhere(replica)

    def _hold(self, share_id: str, operation_id: int) -> None:
        now = self.clock.now()
        with self.database.writer() as connection:
            assert replica_changes.take_turn(connection, share_id, operation_id, now)

    def finish(self, operation_id: int) -> None:
        """End an operation of another host."""
        self._update(lite.operations, operation_id, finished=1)
