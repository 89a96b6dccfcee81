# SPDX-License-Identifier: Apache-2.0
"""promote_share_replica: another copy becomes the one that is written to."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final

from oslo_log import log

from manila_lite import exception, states
from manila_lite.db import messages, replica_changes, share_changes, snapshot_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common
from manila_lite.share.flows.replication.common import (
    NoActiveReplica,
    View,
    look,
    record_next,
    tell,
    wait_for_turn,
)
from manila_lite.share.flows.replication.create import checked, rules_are_good

LOG = log.getLogger(__name__)

_UNSURE: Final = (states.CREATING, states.DELETING)


def promotion_failed(
    op: Operation, error: BaseException, share_replica_id: str, **rest: Any
) -> list[Write]:
    """Put all replicas of the share into error: nobody knows how far the driver came.

    Their replica_state stays, until the driver tells it. Where the driver was not asked, the
    replica that was to be promoted is the only one that shows the failure.
    """
    seen = look(op, share_replica_id)
    if seen is None:
        return []
    now = op.clock.now()
    writes: list[Write] = []
    was_asked = op.is_done("begin") and not isinstance(error, NoActiveReplica)
    for one in seen.replicas:
        if one["id"] == share_replica_id:
            old = common.own_status(one, states.REPLICATION_CHANGE)
        elif one["status"] == states.AVAILABLE and was_asked:
            old = states.AVAILABLE
        else:
            continue
        writes += share_changes.move(one["id"], old, states.ERROR, now)
        detail = messages.DETAIL_UNKNOWN_ERROR
        if isinstance(error, NoActiveReplica):
            detail = messages.DETAIL_NO_ACTIVE_REPLICA
        writes += tell(op, one, messages.ACTION_PROMOTE, now, detail=detail)
    return writes


@flow(
    "promote_share_replica",
    version="1.24",
    lane="share:{share_id}",
    resource=("share_replica", "share_replica_id"),
    on_failure=promotion_failed,
)
def promote_share_replica(
    op: Operation,
    share_replica_id: str,
    share_id: str | None = None,
    quiesce_wait_time: int | None = None,
) -> None:
    """Have the driver make a replica the active one, and the active one a copy.

    quiesce_wait_time: seconds that the driver may wait for the source to come to rest. Raises
    NoActiveReplica where no replica is active.
    """
    seen = look(op, share_replica_id)
    if seen is None:
        return common.skip(op, "the share replica is deleted")
    wait_for_turn(op, seen.replica["share_id"])
    seen = look(op, share_replica_id) or seen
    replica = seen.replica
    own = states.REPLICATION_CHANGE
    if replica["status"] not in (own, states.AVAILABLE, states.ERROR):
        return common.skip(op, f"the share replica is {replica['status']}")
    if replica["replica_state"] == states.REPLICA_ACTIVE:
        back = share_changes.move(replica["id"], own, states.AVAILABLE, op.clock.now())
        return common.skip(op, "the share replica is the active one", back)
    old = seen.active
    if old is None:
        raise NoActiveReplica(share_id=replica["share_id"], more="")
    _begin(op, replica)
    answers = op.step("promote", _promote, op, seen, quiesce_wait_time, retry=common.DRIVER)
    op.finish(_promoted(seen, old, answers, op.clock.now()))


def _begin(op: Operation, replica: Record) -> None:
    """Show what is going on, where the API has not; from here on all replicas are concerned."""
    status, own = replica["status"], states.REPLICATION_CHANGE
    op.record("begin", ())
    if status != own:
        record_next(op, "show", share_changes.move(replica["id"], status, own, op.clock.now()))
    replica["status"] = own


def _promote(op: Operation, seen: View, quiesce_wait_time: int | None) -> dict[str, Any]:
    """Return {replica id: what counts of the driver's answer about it}."""
    replica = seen.replica
    promote = op.env.driver.promote_replica
    more: dict[str, Any] = {}
    if quiesce_wait_time is not None:
        if _takes(promote, "quiesce_wait_time"):
            more["quiesce_wait_time"] = quiesce_wait_time
        else:
            LOG.warning("This driver knows of no time to wait before it promotes a replica")
    returned = promote(
        op.context,
        seen.replicas,
        replica,
        seen.obeyed,
        share_server=common.share_server(op, replica),
        **more,
    )
    return _checked(returned, seen)


def _takes(function: Any, name: str) -> bool:
    parameters = inspect.signature(function).parameters
    return name in parameters or any(
        one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()
    )


def _checked(returned: Any, seen: View) -> dict[str, Any]:
    if returned is not None and (
        isinstance(returned, (str, bytes, Mapping)) or not isinstance(returned, Sequence)
    ):
        raise exception.ReplicationException(
            reason=f"the driver returned a {type(returned).__name__} instead of a list of replicas"
        )
    known = {one["id"] for one in seen.replicas}
    found: dict[str, Any] = {}
    for one in returned or ():
        if not isinstance(one, Mapping) or one.get("id") not in known:
            raise exception.ReplicationException(
                reason="the driver returned something else than replicas of the share"
            )
        found[one["id"]] = checked(one)
    return found


def _promoted(
    seen: View, old: Record, answers: Mapping[str, Any], now: datetime.datetime
) -> list[Write]:
    writes: list[Write] = []
    replica = seen.replica
    if not answers:
        roles = {replica["id"]: states.REPLICA_ACTIVE, old["id"]: states.REPLICA_OUT_OF_SYNC}
        answers = {key: {"replica_state": state} for key, state in roles.items()}
    for one in seen.replicas:
        writes += _answered(one, answers.get(one["id"], {}), now)
    writes += share_changes.move(replica["id"], replica["status"], states.AVAILABLE, now)
    return writes + _snapshots_of(seen, old, now)


def _answered(one: Record, answer: Mapping[str, Any], now: datetime.datetime) -> list[Write]:
    writes: list[Write] = []
    if "replica_state" in answer:
        writes += replica_changes.with_role(one, answer["replica_state"], now)
    if "export_locations" in answer:
        writes += share_changes.located(one, answer["export_locations"], now)
    if "access_rules_status" in answer:
        writes += replica_changes.rules_status(one["id"], rules_are_good(answer), now)
    return writes


def _snapshots_of(seen: View, old: Record, now: datetime.datetime) -> list[Write]:
    """What was under way on the old active replica has nobody any more who brings it to an end."""
    writes: list[Write] = []
    for one in seen.of(old["id"]):
        if one["status"] in _UNSURE:
            new = states.SNAPSHOT_ERROR_STATUS[one["status"]]
            writes += snapshot_changes.move(one["id"], one["status"], new, now)
    return writes
