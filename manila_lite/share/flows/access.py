# SPDX-License-Identifier: Apache-2.0
"""update_access and update_access_for_instances: who may reach a share."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import access, access_changes, messages
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Operation, flow
from manila_lite.engine.journal import NewOperation
from manila_lite.share.flows import access_driver, casting, common
from manila_lite.share.flows.access_passes import Subject, bring_in_line, failed

#: The same as update_access, asked for by the service itself.
UPDATE_ACCESS: Final = "_update_access"


class _ShareRules(Subject):
    """The rules of a share instance. server_id: its share server, where it is not its row's."""

    changes = access_changes.OF_SHARE

    def __init__(self, op: Operation, instance: Record, server_id: str | None = None) -> None:
        super().__init__(op, instance)
        self.read_only = bool(instance["cast_rules_to_readonly"])
        self._server_id = server_id

    def rules(self) -> list[Record]:
        share_id, key = self.instance["share_id"], self.instance["id"]
        return common.read(self.op, lambda c: access.rules_of_instance(c, share_id, key))

    def send(self, change: access_driver.Change) -> access_driver.Answer:
        server = self._server()
        return access_driver.send(
            self.op.env.driver, self.op.context, self.instance, change, server
        )

    def _server(self) -> Record | None:
        if self._server_id is None:
            return common.share_server(self.op, self.instance)
        return common.get_share_server(self.op.env, self._server_id)

    def tell_user(self, now: datetime.datetime) -> list[Write]:
        return common.tell_user(self.op, self.instance, messages.ACTION_UPDATE_ACCESS_RULES, now)

    def is_untold(self, rules: Sequence[Record]) -> bool:
        if self.instance["access_rules_status"] != states.ACCESS_ERROR:
            return False
        return all(rule["state"] != states.ACCESS_ERROR for rule in rules)

    def at_rest(self, now: datetime.datetime) -> list[Write]:
        if self.instance["access_rules_status"] in (states.ACCESS_ACTIVE, states.ACCESS_ERROR):
            return []
        return access_changes.status_of_rules(self.instance["id"], now)


def update_failed(
    op: Operation, error: BaseException, share_instance_id: str, share_server_id: str | None = None
) -> list[Write]:
    """Put the rules that were under way into error, and access_rules_status too."""
    instance = common.get_instance(op, share_instance_id)
    return [] if instance is None else failed(op, _ShareRules(op, instance))


@flow(
    "update_access",
    version="1.14",
    lane="share:{share_id}",
    resource=("share_instance", "share_instance_id"),
    on_failure=update_failed,
)
def update_access(op: Operation, share_instance_id: str) -> None:
    """Apply and deny what is queued on the instance, until nothing is.

    An operator's retry of an update that failed has the driver make the storage agree with the
    rules that are active.
    """
    _update(op, share_instance_id)


@flow(
    UPDATE_ACCESS,
    lane="share:{share_id}",
    resource=("share_instance", "share_instance_id"),
    on_failure=update_failed,
    internal=True,
)
def update_access_on(
    op: Operation, share_instance_id: str, share_server_id: str | None = None
) -> None:
    """The same, on a share server that the instance's row may not name yet."""
    _update(op, share_instance_id, share_server_id)


def _update(op: Operation, instance_id: str, server_id: str | None = None) -> None:
    instance = common.get_instance(op, instance_id)
    if instance is None:
        return common.skip(op, "the share instance is deleted")
    bring_in_line(op, _ShareRules(op, instance, server_id))


@flow("update_access_for_instances", version="1.21", lane="update_access:{host}")
def update_access_for_instances(
    op: Operation, share_instance_ids: list[str], share_server_id: str | None = None
) -> None:
    """Start an update for each of the instances, in the lane of its share."""
    ids = sorted(set(share_instance_ids))
    op.step("start", _start, op, ids, share_server_id, probe=lambda: AGAIN)
    op.finish(result={"started": len(ids)})


def _start(op: Operation, ids: list[str], server_id: str | None) -> None:
    casting.journal_of(op.env).record(
        [
            casting.internal(
                UPDATE_ACCESS,
                message_id=casting.message_id(UPDATE_ACCESS, op.uuid, key),
                share_instance_id=key,
                share_server_id=server_id,
            )
            for key in ids
        ]
    )


def stuck(
    connection: Connection, host: str, before: datetime.datetime
) -> Iterator[tuple[str, NewOperation]]:
    """Yield (lane, update) for each instance of the host with rules that nobody takes up."""
    hour = before.strftime("%Y-%m-%d %H")
    for row in access.instances_with_rules_due(connection, host, before):
        message_id = casting.message_id(UPDATE_ACCESS, row["id"], row["changed"], hour)
        yield (
            casting.lane_of(row["share_id"]),
            casting.internal(UPDATE_ACCESS, message_id=message_id, share_instance_id=row["id"]),
        )
