# SPDX-License-Identifier: Apache-2.0
"""create_share_replica: another copy of a share, on this back end."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final

from manila_lite import exception, states
from manila_lite.db import messages, replica_changes, share_changes
from manila_lite.db.export_locations import normalize
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common
from manila_lite.share.flows.replication.common import (
    LEAVING,
    NoActiveReplica,
    View,
    available_snapshots,
    look,
    record_next,
    tell,
    wait_for_turn,
)
from manila_lite.share.flows.servers import choosing

#: What a driver may call rules that a replica obeys: Manila's word, and the state's.
GOOD_RULES: Final = (states.ACCESS_ACTIVE, states.REPLICA_IN_SYNC)


def creation_failed(
    op: Operation, error: BaseException, share_replica_id: str, **rest: Any
) -> list[Write]:
    """Put the replica, its replica_state and its access rules into error."""
    seen = look(op, share_replica_id)
    if seen is None:
        return []
    now, replica = op.clock.now(), seen.replica
    old = common.own_status(replica, states.CREATING)
    writes = [
        *replica_changes.failed(replica, old, states.ERROR, states.ERROR, now),
        *replica_changes.rules_settled(replica["id"], False, now),
        *replica_changes.rules_status(replica["id"], False, now),
    ]
    if isinstance(error, choosing.ShareServerNotSetUp):
        return writes
    detail = messages.DETAIL_UNKNOWN_ERROR
    if isinstance(error, NoActiveReplica):
        detail = messages.DETAIL_NO_ACTIVE_AVAILABLE_REPLICA
    return [*writes, *tell(op, replica, messages.ACTION_CREATE, now, detail=detail)]


@flow(
    "create_share_replica",
    version="1.8",
    lane="share:{share_id}",
    resource=("share_replica", "share_replica_id"),
    on_failure=creation_failed,
)
def create_share_replica(
    op: Operation,
    share_replica_id: str,
    request_spec: Any = None,
    filter_properties: Any = None,
    share_id: str | None = None,
) -> None:
    """Have the driver copy the active replica; the new one obeys the share's access rules.

    Raises NoActiveReplica where there is nothing available to copy.
    """
    seen = look(op, share_replica_id)
    if seen is None:
        return common.skip(op, "the share replica is deleted")
    if seen.replica["status"] not in (states.CREATING, states.ERROR):
        return common.skip(op, f"the share replica is {seen.replica['status']}")
    wait_for_turn(op, seen.replica["share_id"])
    seen = look(op, share_replica_id) or seen
    if seen.active is None or seen.active["status"] != states.AVAILABLE:
        raise NoActiveReplica(share_id=seen.replica["share_id"], more=" and which is available")
    _begin(op, seen)
    server = choosing.provide(op, seen.replica)
    answer = op.step("create", _create, op, seen, server, retry=common.DRIVER)
    op.finish(_created(op, seen.replica, answer, op.clock.now()))


def _begin(op: Operation, seen: View) -> None:
    """Give the replica the rules of its share; show a retry of a failed creation as what it is."""
    replica, now = seen.replica, op.clock.now()
    writes: list[Write] = []
    if replica["status"] == states.ERROR:
        writes += share_changes.move(
            replica["id"], states.ERROR, states.CREATING, now, replica_state=_NEW
        )
    writes += replica_changes.rules_given(replica, _not_given(seen), now)
    record_next(op, "begin", writes)
    replica["status"], replica["replica_state"] = states.CREATING, _NEW


_NEW: Final = states.REPLICA_OUT_OF_SYNC


def _rules(seen: View) -> list[Record]:
    """The rules that the new replica shall obey; those that an earlier try put into error too."""
    return [rule for rule in seen.rules if rule["state"] not in LEAVING]


def _not_given(seen: View) -> list[Record]:
    """Of these, the ones that the replica's rows do not show as being applied."""
    return [rule for rule in _rules(seen) if rule["state"] in (None, states.ACCESS_ERROR)]


def _create(op: Operation, seen: View, server: Record | None) -> dict[str, Any]:
    returned = op.env.driver.create_replica(
        op.context,
        seen.replicas,
        seen.replica,
        _rules(seen),
        available_snapshots(seen),
        share_server=server,
    )
    return checked(returned)


def checked(returned: Any) -> dict[str, Any]:
    """Return what counts of a driver's answer about a replica.

    Raises ReplicationException for an answer that is no dict, and for an unknown replica_state.
    """
    if returned is not None and not isinstance(returned, Mapping):
        raise exception.ReplicationException(
            reason=f"the driver returned {returned!r:.100} for the replica"
        )
    returned = returned or {}
    found: dict[str, Any] = {}
    state = returned.get("replica_state")
    if state is not None:
        if state not in states.REPLICA_STATES:
            raise exception.ReplicationException(
                reason=f"the driver reports the replica_state {state!r:.100}"
            )
        found["replica_state"] = str(state)
    if returned.get("export_locations"):
        found["export_locations"] = normalize(returned["export_locations"])
    if returned.get("access_rules_status") is not None:
        found["access_rules_status"] = str(returned["access_rules_status"])
    return found


def rules_are_good(answer: Mapping[str, Any]) -> bool:
    """Whether the driver applied the rules; one that says nothing did."""
    return answer.get("access_rules_status", states.ACCESS_ACTIVE) in GOOD_RULES


def _created(
    op: Operation, replica: Record, answer: Mapping[str, Any], now: datetime.datetime
) -> list[Write]:
    state = answer.get("replica_state", _NEW)
    good = rules_are_good(answer)
    writes = share_changes.created(
        replica, answer.get("export_locations"), now, zone_id=op.env.zone_id()
    )
    writes += replica_changes.in_state(replica["id"], state, now)
    writes += replica_changes.rules_settled(replica["id"], good, now)
    return writes + ([] if good else replica_changes.rules_status(replica["id"], False, now))
