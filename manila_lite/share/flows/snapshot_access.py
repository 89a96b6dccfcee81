# SPDX-License-Identifier: Apache-2.0
"""snapshot_update_access: who may mount a snapshot."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final

from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.db import access, access_changes, messages
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.engine.journal import NewOperation
from manila_lite.share.flows import casting, common
from manila_lite.share.flows.access_driver import Answer, Change
from manila_lite.share.flows.access_passes import Subject, bring_in_line, failed

SNAPSHOT_UPDATE_ACCESS: Final = "_snapshot_update_access"


class _SnapshotRules(Subject):
    """The rules of a snapshot instance. They say nothing of a level: a snapshot is read only."""

    changes = access_changes.OF_SNAPSHOT

    def rules(self) -> list[Record]:
        snapshot_id, key = self.instance["snapshot_id"], self.instance["id"]
        return common.read(
            self.op, lambda c: access.rules_of_snapshot_instance(c, snapshot_id, key)
        )

    def send(self, change: Change) -> Answer:
        share = self.instance["share"]
        if share is None:
            raise exception.ShareNotFound(share_id=self.instance["parent_share_id"])
        self.op.env.driver.snapshot_update_access(
            self.op.context,
            self.instance,
            list(change.wanted),
            add_rules=list(change.added),
            delete_rules=list(change.gone),
            share_server=common.share_server(self.op, share),
        )
        return Answer()

    def tell_user(self, now: datetime.datetime) -> list[Write]:
        resource = (messages.RESOURCE_SNAPSHOT, self.instance["snapshot_id"])
        action = messages.ACTION_UPDATE_ACCESS_RULES
        return common.tell_user(self.op, self.instance, action, now, resource=resource)


def _get(op: Operation, instance_id: str) -> Record | None:
    template, share_template = op.env.snapshot_name_template, op.env.share_name_template

    def work(connection: Connection) -> Record | None:
        found = snapshot_rows.get_instance(connection, instance_id, template)
        if found is None:
            return None
        share_id = found["share_instance_id"]
        share = share_rows.get_instance(connection, share_id, share_template)
        if share is not None:
            share_rows.complete(connection, [share])
        found["share_name"] = share_template % share_id
        found["export_locations"] = snapshot_rows.export_locations_of(connection, instance_id)
        return snapshot_rows.with_share(found, share)

    return common.read(op, work)


def update_failed(op: Operation, error: BaseException, snapshot_instance_id: str) -> list[Write]:
    """Put the rules that were under way into error."""
    instance = _get(op, snapshot_instance_id)
    return [] if instance is None else failed(op, _SnapshotRules(op, instance))


@flow(
    "snapshot_update_access",
    version="1.17",
    lane="share:{share_id}",
    resource=("snapshot_instance", "snapshot_instance_id"),
    on_failure=update_failed,
)
def snapshot_update_access(op: Operation, snapshot_instance_id: str) -> None:
    """Apply and deny what is queued on the snapshot instance, until nothing is."""
    instance = _get(op, snapshot_instance_id)
    if instance is None:
        return common.skip(op, "the snapshot instance is deleted")
    bring_in_line(op, _SnapshotRules(op, instance))


@flow(
    SNAPSHOT_UPDATE_ACCESS,
    lane="share:{share_id}",
    resource=("snapshot_instance", "snapshot_instance_id"),
    on_failure=update_failed,
    internal=True,
)
def snapshot_update_access_again(op: Operation, snapshot_instance_id: str) -> None:
    """The same, asked for by the service itself."""
    snapshot_update_access(op, snapshot_instance_id)


def stuck(
    connection: Connection, host: str, before: datetime.datetime
) -> Iterator[tuple[str, NewOperation]]:
    """Yield (lane, update) for each snapshot instance with rules that nobody takes up."""
    hour = before.strftime("%Y-%m-%d %H")
    for row in access.snapshot_instances_with_rules_due(connection, host, before):
        message_id = casting.message_id(SNAPSHOT_UPDATE_ACCESS, row["id"], row["changed"], hour)
        yield (
            casting.lane_of(row["share_id"]),
            casting.internal(
                SNAPSHOT_UPDATE_ACCESS, message_id=message_id, snapshot_instance_id=row["id"]
            ),
        )
