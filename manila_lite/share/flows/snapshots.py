# SPDX-License-Identifier: Apache-2.0
"""create_snapshot and delete_snapshot."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.db import access, messages, quotas, snapshot_changes
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common

DEFERRED = (states.DEFERRED_DELETING, states.ERROR_DEFERRED_DELETING)
_GONE = ("SnapshotResourceNotFound", "ShareSnapshotResourceNotFound")
_BUSY = "ShareSnapshotIsBusy"
_MAX_LOCATION = 255


@dataclasses.dataclass
class Doomed:
    """A snapshot instance that is to go, with the rows that go with it."""

    instance: Record
    rules: list[Record]
    metadata: list[Record]


def get_snapshot(op: Operation, snapshot_id: str) -> Record | None:
    """Return the instance of a snapshot, with its share, export locations and all; or None."""
    return common.read(op, lambda connection: _get(op, connection, snapshot_id))


def _get(op: Operation, connection: Connection, snapshot_id: str) -> Record | None:
    template, share_template = op.env.snapshot_name_template, op.env.share_name_template
    found = snapshot_rows.list_instances(connection, snapshot_id, template, share_template)
    for instance in found:
        share = share_rows.get_instance(connection, instance["share_instance_id"], share_template)
        snapshot_rows.with_share(instance, share)
    if not found:
        return None
    instance = min(found, key=lambda one: not _is_here(op, one["share"]))
    if instance["share"] is not None:
        share_rows.complete(connection, [instance["share"]])
    instance["export_locations"] = snapshot_rows.export_locations_of(connection, instance["id"])
    return instance


def _is_here(op: Operation, share: Mapping[str, Any] | None) -> bool:
    return share is not None and share_rows.backend_of(share["host"]) == op.env.host


def tell(op: Operation, instance: Record, action: str) -> list[Write]:
    """Write a message for the snapshot's project."""
    resource = (messages.RESOURCE_SNAPSHOT, instance["snapshot_id"])
    return common.tell_user(op, instance, action, op.clock.now(), resource=resource)


# -- create ------------------------------------------------------------------------------------


def creation_failed(
    op: Operation, error: BaseException, share_id: str, snapshot_id: str
) -> list[Write]:
    """Put the snapshot into error."""
    instance = get_snapshot(op, snapshot_id)
    if instance is None:
        return []
    now = op.clock.now()
    return [
        *snapshot_changes.move(instance["id"], states.CREATING, states.ERROR, now),
        *tell(op, instance, messages.ACTION_CREATE),
    ]


@flow(
    "create_snapshot",
    version="1.0",
    lane="share:{share_id}",
    resource=("snapshot", "snapshot_id"),
    first_step="create",
    on_failure=creation_failed,
)
def create_snapshot(op: Operation, share_id: str, snapshot_id: str) -> None:
    """Have the driver make the snapshot; keep what it returns about it."""
    instance = get_snapshot(op, snapshot_id)
    if instance is None:
        return common.skip(op, "the snapshot is deleted")
    if instance["status"] not in (states.CREATING, states.ERROR):
        return common.skip(op, f"the snapshot is {instance['status']}")
    begin(op, instance, states.CREATING)
    returned = op.step(
        "create",
        op.env.driver.create_snapshot,
        op.context,
        with_its_share(instance),
        share_server=common.share_server(op, instance["share"]),
        retry=common.DRIVER,
    )
    op.finish(snapshot_changes.created(instance, checked(returned), op.clock.now()))


def begin(op: Operation, instance: Record, own: str) -> None:
    """Show an operator's retry of a failed operation as what it is."""
    status = instance["status"]
    if status not in states.UNDERWAY and own in states.SNAPSHOT_TRANSITIONS.get(status, ()):
        now = op.clock.now()
        op.record("begin", snapshot_changes.move(instance["id"], status, own, now))
    instance["status"] = own


def with_its_share(instance: Record) -> Record:
    """Return the snapshot instance. Raises ShareNotFound where its share is gone."""
    if instance["share"] is None:
        raise exception.ShareNotFound(share_id=instance["parent_share_id"])
    return instance


def checked(returned: Any) -> Mapping[str, Any]:
    """Return what the driver says of a snapshot, as a dict.

    Raises InvalidShareSnapshotInstance for anything but a dict of an available snapshot, or None.
    """
    if returned is not None and not isinstance(returned, Mapping):
        raise exception.InvalidShareSnapshotInstance(
            reason=f"the driver returned {returned!r:.100} for the snapshot"
        )
    status = (returned or {}).get("status")
    if status not in (None, states.AVAILABLE):
        raise exception.InvalidShareSnapshotInstance(
            reason=f"the driver reports the snapshot as {status!r:.100}"
        )
    location = (returned or {}).get("provider_location")
    if location is not None and len(str(location)) > _MAX_LOCATION:
        raise exception.InvalidShareSnapshotInstance(
            reason=f"its provider_location has more than {_MAX_LOCATION} characters"
        )
    return returned or {}


# -- delete ------------------------------------------------------------------------------------


def deletion_failed(
    op: Operation, error: BaseException, snapshot_id: str, **rest: Any
) -> list[Write]:
    """Put the snapshot into error_deleting; one that is busy back to available."""
    instance = get_snapshot(op, snapshot_id)
    if instance is None:
        return []
    old = own_deletion(instance)
    new = states.SNAPSHOT_ERROR_STATUS[old]
    if common.is_named(error, _BUSY) and old == states.DELETING:
        new = states.AVAILABLE
    moved = snapshot_changes.move(instance["id"], old, new, op.clock.now())
    if old == states.DEFERRED_DELETING:
        # It is tried again and again, on a snapshot that its user does not see any more.
        return moved
    return [*moved, *tell(op, instance, messages.ACTION_DELETE)]


def own_deletion(instance: Mapping[str, Any]) -> str:
    """Return the status of the deletion under way: deferred ones have counted already."""
    return states.DEFERRED_DELETING if instance["status"] in DEFERRED else states.DELETING


@flow(
    "delete_snapshot",
    version="1.27",
    lane="share:{share_id}",
    resource=("snapshot", "snapshot_id"),
    first_step="delete",
    on_failure=deletion_failed,
)
def delete_snapshot(
    op: Operation, snapshot_id: str, force: bool = False, deferred_delete: bool = False
) -> None:
    """Have the driver remove the snapshot, or leave that to the periodic deletion."""
    doomed = doomed_of(op, snapshot_id)
    if doomed is None:
        return common.skip(op, "the snapshot is already deleted")
    instance = doomed.instance
    counted = instance["status"] not in DEFERRED
    begin(op, instance, own_deletion(instance))
    now = op.clock.now()
    usage = freed(instance, now) if counted else []
    if deferred_delete:
        old, new = instance["status"], states.DEFERRED_DELETING
        return op.finish(snapshot_changes.move(instance["id"], old, new, now), usage)
    _remove(op, doomed, force)
    op.finish(
        snapshot_changes.deleted(
            instance, op.clock.now(), rules=doomed.rules, metadata=doomed.metadata
        ),
        usage,
    )


def doomed_of(op: Operation, snapshot_id: str) -> Doomed | None:
    """Read a snapshot with the rows that go with it; None where it is gone already."""

    def work(connection: Connection) -> Doomed | None:
        instance = _get(op, connection, snapshot_id)
        if instance is None:
            return None
        rules = access.rules_of_snapshot_instance(connection, snapshot_id, instance["id"])
        return Doomed(instance, rules, snapshot_rows.metadata_of(connection, snapshot_id))

    return common.read(op, work)


def freed(instance: Record, now: Any) -> list[Write]:
    """Take a snapshot off the usages; one without a size was never counted: managing it failed."""
    if not instance["size"]:
        return []
    deltas = {quotas.SNAPSHOTS: -1, quotas.SNAPSHOT_GIGABYTES: -int(instance["size"] or 0)}
    share = instance["share"]
    return quotas.change(instance, share and share["share_type_id"], deltas, now)


def _remove(op: Operation, doomed: Doomed, force: bool) -> None:
    driver, instance = op.env.driver, doomed.instance
    mapped = [rule for rule in doomed.rules if rule["mapping_id"] is not None]
    with common.forgiving(force, but=(_BUSY,)):
        with_its_share(instance)
        server = common.share_server(op, instance["share"])
        if mapped:
            op.step(
                "deny access",
                deny_all,
                driver,
                op.context,
                instance,
                mapped,
                server,
                retry=common.DRIVER,
            )
        op.step("delete", _delete, driver, op.context, instance, server, retry=common.DRIVER)


def deny_all(
    driver: Any, context: Any, instance: Record, rules: list[Record], server: Record | None
) -> None:
    """Take all rules away; a snapshot that is not on the storage has none."""
    try:
        driver.snapshot_update_access(
            context, instance, [], add_rules=[], delete_rules=rules, share_server=server
        )
    except NotImplementedError:
        return
    except Exception as error:
        if not common.is_named(error, *_GONE):
            raise


def _delete(driver: Any, context: Any, instance: Record, server: Record | None) -> str | None:
    """Delete; a snapshot that is not on the storage is deleted."""
    try:
        driver.delete_snapshot(context, instance, share_server=server)
    except Exception as error:
        if not common.is_named(error, *_GONE):
            raise
        return "it was already gone"
    return None
