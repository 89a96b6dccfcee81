# SPDX-License-Identifier: Apache-2.0
"""delete_share_instance: remove a share from the storage and from the rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import access, messages, quotas, share_changes, share_server_changes
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common
from manila_lite.share.flows.access_driver import Change, call
from manila_lite.share.flows.servers import tear_down

DEFERRED = (states.DEFERRED_DELETING, states.ERROR_DEFERRED_DELETING)
_GONE = ("ShareResourceNotFound",)


@dataclasses.dataclass
class Doomed:
    """A share instance that is to go, with the rows that go with it."""

    instance: Record
    rules: list[Record]
    metadata: list[Record]


def own_deletion(instance: Mapping[str, Any]) -> str:
    """Return the status of the deletion under way: deferred ones have counted already."""
    return states.DEFERRED_DELETING if instance["status"] in DEFERRED else states.DELETING


def deletion_failed(
    op: Operation, error: BaseException, share_instance_id: str, **rest: Any
) -> list[Write]:
    """Put the instance into error_deleting, or error_deferred_deleting for a deferred deletion."""
    instance = common.get_instance(op, share_instance_id)
    if instance is None:
        return []
    old, now = own_deletion(instance), op.clock.now()
    moved = share_changes.move(instance["id"], old, states.SHARE_ERROR_STATUS[old], now)
    if old == states.DEFERRED_DELETING:
        # It is tried again and again, on a share that its user does not see any more.
        return moved
    return [*moved, *common.tell_user(op, instance, messages.ACTION_DELETE, now)]


@flow(
    "delete_share_instance",
    version="1.27",
    lane="share:{share_id}",
    resource=("share_instance", "share_instance_id"),
    first_step="delete",
    on_failure=deletion_failed,
)
def delete_share_instance(
    op: Operation, share_instance_id: str, force: bool = False, deferred_delete: bool = False
) -> None:
    """Have the driver remove the share, or leave that to the periodic deletion.

    force: errors of the driver are logged and ignored; what it left stays on the storage.
    deferred_delete: usages are freed at once.
    """
    doomed = _doomed(op, share_instance_id)
    if doomed is None:
        return common.skip(op, "the share instance is already deleted")
    instance = doomed.instance
    counted = instance["status"] not in DEFERRED
    _begin(op, instance)
    now = op.clock.now()
    usage = _freed(instance, now) if counted else []
    if deferred_delete:
        old, new = instance["status"], states.DEFERRED_DELETING
        return op.finish(share_changes.move(instance["id"], old, new, now), usage)
    _remove(op, doomed, force)
    tear_down.give_up(op, instance)
    now = op.clock.now()
    op.finish(
        share_changes.deleted(instance, now, rules=doomed.rules, metadata=doomed.metadata),
        share_server_changes.left(instance["share_server_id"], now),
        usage,
    )


def _doomed(op: Operation, instance_id: str) -> Doomed | None:
    def work(connection: Connection) -> Doomed | None:
        template = op.env.share_name_template
        instance = share_rows.get_instance(connection, instance_id, template)
        if instance is None:
            return None
        share_rows.complete(connection, [instance])
        share_id = instance["share_id"]
        return Doomed(
            instance,
            access.rules_of_instance(connection, share_id, instance_id),
            share_rows.metadata_of(connection, [share_id]).get(share_id, []),
        )

    return common.read(op, work)


def _begin(op: Operation, instance: Record) -> None:
    """Show what is going on, where the API has not: a retry, or a status forced in between."""
    own = own_deletion(instance)
    status = instance["status"]
    if status not in states.UNDERWAY and own in states.SHARE_TRANSITIONS.get(status, ()):
        op.record("begin", share_changes.move(instance["id"], status, own, op.clock.now()))
    instance["status"] = own


def _freed(instance: Record, now: Any) -> list[Write]:
    """Take a share off the usages; one without a size was never counted: managing it failed."""
    if not instance["size"]:
        return []
    deltas = {quotas.SHARES: -1, quotas.GIGABYTES: -int(instance["size"] or 0)}
    if instance["replica_state"] is not None:
        # Asked for a whole share, of which this is the last replica.
        deltas.update({quotas.REPLICAS: -1, quotas.REPLICA_GIGABYTES: -int(instance["size"] or 0)})
    return quotas.change(instance, instance["share_type_id"], deltas, now)


def _remove(op: Operation, doomed: Doomed, force: bool) -> None:
    driver, instance = op.env.driver, doomed.instance
    mapped = [rule for rule in doomed.rules if rule["mapping_id"] is not None]
    with common.forgiving(force):
        if mapped:
            server = common.share_server(op, instance)
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
            # Said now, lest rules look active on a share whose deletion fails after this.
            op.record("denied", share_changes.without_mappings(mapped, op.clock.now()))
    with common.forgiving(force):
        server = common.share_server(op, instance)
        op.step("delete", _delete, driver, op.context, instance, server, retry=common.DRIVER)


def deny_all(
    driver: Any,
    context: Any,
    instance: Record,
    rules: list[Record],
    server: Record | None = None,
) -> None:
    """Take all rules away; a share that is not on the storage has none."""
    try:
        _update_access(driver, context, instance, rules, server)
    except Exception as error:
        if not common.is_named(error, *_GONE):
            raise


def _update_access(
    driver: Any, context: Any, instance: Record, rules: list[Record], server: Record | None
) -> None:
    try:
        call(driver, context, instance, Change(wanted=[], gone=rules), server)
    except NotImplementedError:
        _deny_each(driver, context, instance, rules, server)


def _deny_each(
    driver: Any, context: Any, instance: Record, rules: list[Record], server: Record | None
) -> None:
    try:
        for rule in rules:
            driver.deny_access(context, instance, rule, share_server=server)
    except NotImplementedError:
        common.LOG.debug("This driver has no access rules")


def _delete(driver: Any, context: Any, instance: Record, server: Record | None) -> str | None:
    """Delete; a share that is not on the storage is deleted."""
    try:
        driver.delete_share(context, instance, share_server=server)
    except Exception as error:
        if not common.is_named(error, *_GONE):
            raise
        return "it was already gone"
    return None
