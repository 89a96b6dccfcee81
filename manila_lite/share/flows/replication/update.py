# SPDX-License-Identifier: Apache-2.0
"""update_share_replica: the driver tells, and mends, how a replica compares to the active one."""

from __future__ import annotations

from typing import Any, Final

from oslo_log import log

from manila_lite import states
from manila_lite.db import messages, replica_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Operation, flow
from manila_lite.share.flows import common
from manila_lite.share.flows.replication.common import View, available_snapshots, look, tell

LOG = log.getLogger(__name__)

#: The same as update_share_replica, by the timer.
UPDATE_STATE: Final = "_update_replica_state"
_TOLD: Final = (states.REPLICA_IN_SYNC, states.REPLICA_OUT_OF_SYNC, states.ERROR)
#: replica_state of those that a driver is asked about.
ASKED_ABOUT: Final = _TOLD


def update_failed(
    op: Operation, error: BaseException, share_replica_id: str, **rest: Any
) -> list[Write]:
    """Put the replica and its replica_state into error; its user is told when they get there."""
    seen = look(op, share_replica_id)
    if seen is None or reason_to_skip(seen.replica) is not None:
        return []
    now, replica = op.clock.now(), seen.replica
    if replica["status"] != states.AVAILABLE:
        return replica_changes.in_state(replica["id"], states.ERROR, now)
    return [
        *replica_changes.failed(replica, states.AVAILABLE, states.ERROR, states.ERROR, now),
        *tell(op, replica, messages.ACTION_UPDATE, now),
    ]


@flow(
    "update_share_replica",
    version="1.8",
    lane="share:{share_id}",
    resource=("share_replica", "share_replica_id"),
    on_failure=update_failed,
)
def update_share_replica(op: Operation, share_replica_id: str, share_id: str | None = None) -> None:
    """Have the driver look at a replica, and mend what keeps it from following the active one.

    The replica_state becomes what the driver says. An administrator mends the status of a replica
    in error.
    """
    seen = look(op, share_replica_id)
    if seen is None:
        return common.skip(op, "the share replica is deleted")
    reason = reason_to_skip(seen.replica)
    if reason is not None:
        return common.skip(op, reason)
    state = op.step("update", _update, op, seen, probe=lambda: AGAIN, retry=common.DRIVER)
    if state is None:
        return op.finish()
    op.finish(replica_changes.in_state(share_replica_id, state, op.clock.now()))


def reason_to_skip(replica: Record) -> str | None:
    """Say why a driver is not asked about a replica; None for one that it is asked about."""
    if replica["replica_state"] not in ASKED_ABOUT:
        return f"the replica_state of the share replica is {replica['replica_state']}"
    if replica["status"] in states.UNDERWAY:
        return f"the share replica is {replica['status']}"
    return None


def _update(op: Operation, seen: View) -> str | None:
    replica = seen.replica
    state = op.env.driver.update_replica_state(
        op.context,
        seen.replicas,
        replica,
        seen.obeyed,
        available_snapshots(seen),
        share_server=common.share_server(op, replica),
    )
    if state is None or state in _TOLD:
        return state
    LOG.warning("Share replica %s: the driver says %.100r of its state", replica["id"], state)
    return None


@flow(
    UPDATE_STATE,
    lane="share:{share_id}",
    resource=("share_replica", "share_replica_id"),
    on_failure=update_failed,
    internal=True,
)
def update_replica_state(op: Operation, share_replica_id: str, share_id: str) -> None:
    """Do the same because it is time to.

    A failure is no failed operation, of which there would be one each round for ever: the
    replica and the operation's result tell of it.
    """
    try:
        update_share_replica(op, share_replica_id, share_id)
    except Exception as error:
        if op.finished:
            raise
        LOG.warning("Share replica %s is asked after again later: %s", share_replica_id, error)
        writes = update_failed(op, error, share_replica_id)
        op.finish(writes, result={"problem": common.problem(error)})
