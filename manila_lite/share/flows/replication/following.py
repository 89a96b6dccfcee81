# SPDX-License-Identifier: Apache-2.0
"""How snapshots on replicas that are not active come about, or go: asked for by a timer."""

from __future__ import annotations

from typing import Any, Final

from oslo_log import log

from manila_lite import states
from manila_lite.db import messages, replica_changes
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Operation, flow
from manila_lite.share.flows import common, snapshots
from manila_lite.share.flows.replication.common import look, wait_for_turn
from manila_lite.share.flows.replication.snapshots import (
    checked,
    deleted,
    instances_of,
    is_gone,
    updated,
)

LOG = log.getLogger(__name__)

UPDATE_SNAPSHOT: Final = "_update_replicated_snapshot"
#: Statuses of snapshot instances that a driver is asked about.
ASKED_ABOUT: Final = (states.CREATING, states.DELETING)


def _failed(
    op: Operation, error: BaseException, snapshot_instance_id: str, share_replica_id: str, **_: Any
) -> list[Write]:
    """Put the snapshot instance into error."""
    seen = look(op, share_replica_id)
    found = [] if seen is None else seen.of(share_replica_id)
    now = op.clock.now()
    writes: list[Write] = []
    for one in found:
        if one["id"] == snapshot_instance_id and one["status"] in ASKED_ABOUT:
            old, action = one["status"], messages.ACTION_CREATE
            if old == states.DELETING:
                action = messages.ACTION_DELETE
            writes += replica_changes.move_snapshot(one["id"], old, states.ERROR, now)
            writes += snapshots.tell(op, one, action)
    return writes


@flow(
    UPDATE_SNAPSHOT,
    lane="share:{share_id}",
    resource=("snapshot", "snapshot_id"),
    on_failure=_failed,
    internal=True,
)
def update_replicated_snapshot(
    op: Operation,
    snapshot_instance_id: str,
    share_replica_id: str,
    snapshot_id: str,
    share_id: str,
) -> None:
    """Ask the driver how a snapshot is doing on a replica; write what it says.

    One that is being deleted and that the storage does not have is deleted.
    """
    # Two back ends that delete the last two instances must not each believe to leave one.
    wait_for_turn(op, share_id)
    seen = look(op, share_replica_id)
    found = [] if seen is None else seen.of(share_replica_id)
    found = [one for one in found if one["id"] == snapshot_instance_id]
    if seen is None or not found or found[0]["status"] not in ASKED_ABOUT:
        return common.skip(op, "the snapshot has moved on")
    one, replica = found[0], seen.replica

    def ask() -> dict[str, Any]:
        try:
            returned = op.env.driver.update_replicated_snapshot(
                op.context,
                seen.replicas,
                replica,
                instances_of(seen, snapshot_id),
                one,
                share_server=common.share_server(op, replica),
            )
        except Exception as error:
            if not is_gone(error) or one["status"] != states.DELETING:
                raise
            return {"status": states.DELETED}
        return checked(returned)

    answer = op.step("update", ask, probe=lambda: AGAIN, retry=common.DRIVER)
    if answer.get("status") == states.DELETED and one["status"] == states.DELETING:
        return op.finish(deleted(op, seen, found, {one["id"]: answer}))
    op.finish(updated(one, answer, op.clock.now()))
