# SPDX-License-Identifier: Apache-2.0
"""create_share_instance: make a share, empty or from a snapshot."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from manila_lite import exception, states
from manila_lite.db import messages, share_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, Pending, Schedule, flow
from manila_lite.share.flows import common, probes
from manila_lite.share.flows.servers import choosing
from manila_lite.share.flows.snapshots import get_snapshot

# A copy takes minutes to hours; the driver is the one that gives up, this is only the last resort.
COPY_DEADLINE = 7 * 24 * 3600.0  # seconds
COPY_SCHEDULE = Schedule(((0, 1), (10, 2), (60, 10), (3600, 60)))


# What ends a creation for want of a share server.
_NO_SERVER = (
    choosing.NoShareNetwork,
    exception.ShareServerNotCreated,
    exception.ShareServerNotFound,
    exception.ShareNetworkSubnetNotFound,
    exception.InvalidShareServer,
)


def share_of_request(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Find the lane in the request itself: a creation needs no look-up."""
    spec = arguments.get("request_spec")
    share_id = spec.get("share_id") if isinstance(spec, Mapping) else None
    return {} if share_id is None else {"share_id": share_id}


def creation_failed(
    op: Operation,
    error: BaseException,
    share_instance_id: str,
    snapshot_id: str | None = None,
    **rest: Any,
) -> list[Write]:
    """Put the instance into error, with the export locations that the driver left, if any."""
    instance = common.get_instance(op, share_instance_id)
    if instance is None:
        return []
    now = op.clock.now()
    old = common.own_status(instance, states.CREATING, states.CREATING_FROM_SNAPSHOT)
    writes = [
        *share_changes.move(instance["id"], old, states.ERROR, now),
        *_left_behind(instance, error, now),
    ]
    if isinstance(error, choosing.ShareServerNotSetUp):
        return writes
    detail = _detail(error, snapshot_id)
    return writes + common.tell_user(op, instance, messages.ACTION_CREATE, now, detail=detail)


def _detail(error: BaseException, snapshot_id: str | None) -> str:
    if isinstance(error, common.UnexpectedShareNetwork):
        return messages.DETAIL_UNEXPECTED_NETWORK
    if isinstance(error, choosing.MissingSecurityService):
        return messages.DETAIL_MISSING_SECURITY_SERVICE
    if isinstance(error, _NO_SERVER):
        return messages.DETAIL_NO_SHARE_SERVER
    if snapshot_id is not None:
        return messages.DETAIL_DRIVER_FAILED_CREATING_FROM_SNAP
    return messages.DETAIL_UNKNOWN_ERROR


def _left_behind(instance: Record, error: BaseException, now: Any) -> list[Write]:
    """Keep what a driver says that it left on the storage (detail_data), so that it is found."""
    details = getattr(error, "detail_data", None)
    details = details if isinstance(details, Mapping) else {}
    left = details.get("export_locations") or details.get("export_location")
    try:
        return share_changes.located(instance, left, now) if left else []
    except exception.InvalidShareInstance:
        return []


@flow(
    "create_share_instance",
    version="1.4",
    lane="share:{share_id}",
    lane_fields=share_of_request,
    resource=("share_instance", "share_instance_id"),
    first_step="create",
    on_failure=creation_failed,
)
def create_share_instance(
    op: Operation,
    share_instance_id: str,
    request_spec: dict[str, Any],
    filter_properties: dict[str, Any],
    snapshot_id: str | None = None,
) -> None:
    """Have the driver make the share; make it available with its export locations."""
    instance = _new_instance(op, share_instance_id, request_spec)
    if instance is None:
        return common.skip(op, "the share instance is deleted")
    if not _is_to_be_made(instance):
        return common.skip(op, f"the share instance is {instance['status']}")
    _begin(op, instance)
    exports = _make(op, instance, snapshot_id)
    op.finish(share_changes.created(instance, exports, op.clock.now(), zone_id=op.env.zone_id()))


def _new_instance(op: Operation, instance_id: str, request_spec: Any) -> Record | None:
    """Read the instance with one SELECT: its metadata are in the request.

    One that got further before has export locations, perhaps, and is read in full.
    """
    instance: Record | None = op.env.instances.get(instance_id)
    if instance is None:
        return None
    if _needs_more(instance):
        return common.get_instance(op, instance_id)
    instance["metadata"] = instance["share_metadata"] = _requested_metadata(request_spec)
    return instance


def _needs_more(instance: Record) -> bool:
    """Whether the instance has export locations, perhaps, or a zone that somebody asked for."""
    is_new = instance["status"] == states.CREATING and instance["launched_at"] is None
    return not is_new or instance["availability_zone_id"] is not None


def _requested_metadata(request_spec: Any) -> dict[str, Any]:
    spec = request_spec if isinstance(request_spec, Mapping) else {}
    properties = spec.get("share_properties") or {}
    metadata = properties.get("metadata") if isinstance(properties, Mapping) else None
    return dict(metadata) if isinstance(metadata, Mapping) else {}


def _is_to_be_made(instance: Record) -> bool:
    status = instance["status"]
    if status == states.AVAILABLE:
        # Without a launch, somebody forced it: the share is still to be made.
        return instance["launched_at"] is None
    return status in (states.CREATING, states.CREATING_FROM_SNAPSHOT, states.ERROR)


def _begin(op: Operation, instance: Record) -> None:
    """Show an operator's retry of a failed creation as what it is."""
    if instance["status"] == states.ERROR:
        now = op.clock.now()
        op.record(
            "begin",
            share_changes.move(instance["id"], states.ERROR, states.CREATING, now),
        )
    instance["status"] = common.own_status(instance, states.CREATING, states.CREATING_FROM_SNAPSHOT)


def _make(op: Operation, instance: Record, snapshot_id: str | None) -> Any:
    driver = op.env.driver
    arguments = [op.context, instance]
    function = driver.create_share
    snapshot = None
    if snapshot_id is not None:
        function = driver.create_share_from_snapshot
        snapshot = _source(op, snapshot_id)
        arguments.append(snapshot)
    server = choosing.provide(op, instance, snapshot)
    returned = op.step(
        "create",
        function,
        *arguments,
        share_server=server,
        probe=functools.partial(probes.was_created, op, instance),
        retry=common.DRIVER,
    )
    return copied(op, instance, returned)


def _source(op: Operation, snapshot_id: str) -> Record:
    snapshot = get_snapshot(op, snapshot_id)
    if snapshot is None:
        raise exception.ShareSnapshotNotFound(snapshot_id=snapshot_id)
    return snapshot


def copied(op: Operation, instance: Record, returned: Any, which: str = "") -> Any:
    """Return the export locations, after waiting for a driver that is still copying.

    which: tells this copy from others of the same operation. Raises InvalidShareInstance when
    the driver reports a status that a new share cannot have.
    """
    if not isinstance(returned, Mapping) or "status" not in returned:
        return returned
    if returned["status"] != states.CREATING_FROM_SNAPSHOT:
        return _settled(returned, None)
    first = returned.get("export_locations")
    _show_copying(op, instance, which)
    return op.wait(
        f"copy{which}",
        # It may wait for days, among very many: it keeps no more than it needs.
        functools.partial(_ask_for_copy, op.env.driver, instance, first),
        schedule=COPY_SCHEDULE,
        deadline=COPY_DEADLINE,
    )


def _show_copying(op: Operation, instance: Record, which: str) -> None:
    new = states.CREATING_FROM_SNAPSHOT
    now = op.clock.now()
    op.record(
        f"copying{which}",
        share_changes.move(instance["id"], instance["status"], new, now, progress="0%"),
    )
    instance["status"] = new


def _ask_for_copy(driver: Any, instance: Record, first: Any) -> Any:
    found = probes.share_status(driver, instance)
    if found is None:
        raise exception.InvalidShareInstance(
            reason="the driver copies in the background but has no get_share_status"
        )
    if found.get("status") in (states.CREATING_FROM_SNAPSHOT, states.CREATING):
        progress = found.get("progress")
        return Pending(None if progress is None else str(progress))
    return _settled(found, first)


def _settled(found: Mapping[str, Any], first: Any) -> Any:
    if found["status"] != states.AVAILABLE:
        raise exception.InvalidShareInstance(
            reason=f"the driver reports the new share as {found['status']!r:.100}"
        )
    return found.get("export_locations") or first
