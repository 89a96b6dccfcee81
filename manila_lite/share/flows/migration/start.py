# SPDX-License-Identifier: Apache-2.0
"""migration_start: a destination is made, found fit, and the driver begins."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from manila_lite import exception, states, task_states
from manila_lite.db import migration_changes, services, snapshot_changes, types
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Operation, flow
from manila_lite.share.flows import common as flows
from manila_lite.share.flows.migration import common, ending, phase1, rules
from manila_lite.share.flows.migration.common import Migration

_BEGINNING: Final = (
    task_states.MIGRATION_STARTING,
    task_states.MIGRATION_IN_PROGRESS,
    task_states.MIGRATION_DRIVER_STARTING,
)
_WISHES: Final = ("writable", "preserve_metadata", "nondisruptive", "preserve_snapshots")


def start_failed(op: Operation, error: BaseException, share_id: str, **rest: Any) -> list[Write]:
    """Leave the share as it was, with migration_error, and no destination."""
    return _ended(op, share_id, task_states.MIGRATION_ERROR, tell=True)


def start_cancelled(op: Operation, error: BaseException, share_id: str, **rest: Any) -> list[Write]:
    """The same, with migration_cancelled."""
    return _ended(op, share_id, task_states.MIGRATION_CANCELLED, tell=False)


def _ended(op: Operation, share_id: str, task_state: str, tell: bool) -> list[Write]:
    source = common.source_of(op.env, share_id)
    if source is None:
        return []
    message = ending.told(op, source) if tell else []
    destination = op.env.complete_instances.get(_destination_id(op))
    if destination is None:
        return [*ending.source_freed(op, source, task_state), *message]
    migration = common.with_snapshots(op.env, source, destination)
    if op.is_done("driver starting"):
        ending.try_to_undo(op, migration)
    return [*ending.given_up(op, migration, task_state), *message]


@flow(
    "migration_start",
    version="1.15",
    lane="share:{share_id}",
    resource=("share", "share_id"),
    on_failure=start_failed,
    on_cancel=start_cancelled,
)
def migration_start(
    op: Operation,
    share_id: str,
    dest_host: str,
    force_host_assisted_migration: bool = False,
    preserve_metadata: bool = False,
    writable: bool = False,
    nondisruptive: bool = False,
    preserve_snapshots: bool = False,
    new_share_network_id: str | None = None,
    new_share_type_id: str | None = None,
) -> None:
    """Have the driver begin to migrate a share to dest_host (with its pool).

    What is wanted of the migration must be offered by the driver, or nothing begins. The operation
    ends when the driver has begun; another one sees to the first phase.
    """
    source = common.source_of(op.env, share_id)
    if source is None:
        return flows.skip(op, "no instance of the share on this back end is migrating")
    if source["task_state"] not in (*_BEGINNING, task_states.MIGRATION_DRIVER_IN_PROGRESS):
        return flows.skip(op, f"the share's task state is {source['task_state']}")
    _show(op, "begin", share_id, task_states.MIGRATION_IN_PROGRESS)
    if force_host_assisted_migration:
        raise exception.ShareMigrationFailed(
            reason="force_host_assisted_migration: this service has the driver migrate, or nobody"
        )
    _refuse(source, new_share_network_id)
    migration = _prepared(op, source, dest_host, new_share_type_id)
    wanted = dict(
        zip(_WISHES, (writable, preserve_metadata, nondisruptive, preserve_snapshots), strict=True)
    )
    offered = op.step(
        "check", _check, op, migration, wanted, probe=lambda: AGAIN, retry=flows.DRIVER
    )
    _map_snapshots(op, migration, offered)
    if not offered["writable"]:
        rules.restrict(op, source)
    _start(op, common.with_snapshots(op.env, source, migration.destination))
    op.finish(result=offered)


def _show(op: Operation, name: str, share_id: str, task_state: str) -> None:
    op.record(name, migration_changes.task(share_id, task_state, op.clock.now()))


def _refuse(source: Record, new_share_network_id: str | None) -> None:
    reason = None
    if source["replica_state"] is not None:
        reason = f"share {source['share_id']} has replicas"
    elif new_share_network_id is not None or source["share_server_id"] is not None:
        reason = "shares on share servers are not migrated by this service"
    if reason is not None:
        raise exception.ShareMigrationFailed(reason=reason)


# -- the destination ---------------------------------------------------------------------------


def _destination_id(op: Operation) -> str:
    """The same at every entry, and of no other operation."""
    return str(uuid.uuid5(uuid.UUID(op.uuid), "destination"))


def _prepared(op: Operation, source: Record, dest_host: str, new_type_id: str | None) -> Migration:
    """Make the destination's row; return the migration, without snapshots as yet.

    Raises ShareMigrationFailed for a host without a back end, or a type that is gone.
    """
    key = _destination_id(op)
    if not op.is_done("prepare"):
        type_id = new_type_id or source["share_type_id"]
        zone_id = _zone_id(op, dest_host)
        if type_id is not None and flows.read(op, lambda c: types.get_type(c, type_id)) is None:
            raise exception.ShareMigrationFailed(
                reason=f"share type {type_id!r:.100} does not exist"
            )
        op.record(
            "prepare",
            migration_changes.destination(
                key,
                source,
                dest_host,
                op.clock.now(),
                share_type_id=type_id,
                zone_id=zone_id,
            ),
        )
    destination = op.env.complete_instances.get(key)
    if destination is None:
        raise exception.ShareMigrationFailed(reason=f"share instance {key} is gone")
    return common.with_snapshots(op.env, source, destination)


def _zone_id(op: Operation, dest_host: str) -> str | None:
    """Return the zone of a back end: this one, or another one that reports."""
    host = share_rows.backend_of(dest_host)
    if host == op.env.host:
        own: str = op.env.zone_id()
        return own
    service = flows.read(op, lambda connection: services.get_service(connection, host))
    if service is None:
        raise exception.ShareMigrationFailed(
            reason=f"dest_host {dest_host!r:.200} names no back end of which a service reports"
        )
    found: str | None = service["availability_zone_id"]
    return found


def _check(op: Operation, migration: Migration, wanted: Mapping[str, bool]) -> dict[str, bool]:
    """Ask the driver what it offers. Raises ShareMigrationFailed where it is not enough."""
    source, destination = migration.source, migration.destination
    answer = op.env.driver.migration_check_compatibility(
        op.context,
        source,
        destination,
        share_server=source["share_server"],
        destination_share_server=destination["share_server"],
    )
    if not isinstance(answer, Mapping) or not answer.get("compatible"):
        raise exception.ShareMigrationFailed(
            reason=f"the driver cannot migrate share {source['share_id']} to {destination['host']}"
        )
    offered = {name: bool(answer.get(name)) for name in _WISHES}
    missing = [name for name in _WISHES if wanted[name] and not offered[name]]
    if missing:
        raise exception.ShareMigrationFailed(
            reason=f"the driver does not offer {', '.join(missing)} for {destination['host']}"
        )
    return offered


# -- snapshots ---------------------------------------------------------------------------------


def _map_snapshots(op: Operation, migration: Migration, offered: Mapping[str, bool]) -> None:
    """Make a destination for each snapshot.

    Raises ShareMigrationFailed where there are snapshots that cannot go along, or not now.
    """
    if op.is_done("map snapshots"):
        return
    found = common.snapshots_of(op.env, migration.source)
    if not found:
        return
    if not offered["preserve_snapshots"]:
        raise exception.ShareMigrationFailed(
            reason=f"the share has {len(found)} snapshots, and the driver does not offer "
            "preserve_snapshots"
        )
    busy = [one for one in found if one["status"] != states.AVAILABLE]
    if busy:
        raise exception.ShareMigrationFailed(
            reason=f"snapshot {busy[0]['snapshot_id']} is {busy[0]['status']}"
        )
    op.record("map snapshots", _mapped(op, found, migration.destination["id"]))


def _mapped(op: Operation, found: Sequence[Record], destination_id: str) -> list[Write]:
    now = op.clock.now()
    writes: list[Write] = []
    for snapshot in found:
        key = str(uuid.uuid5(uuid.UUID(op.uuid), snapshot["id"]))
        writes += snapshot_changes.move(snapshot["id"], states.AVAILABLE, states.MIGRATING, now)
        writes += migration_changes.snapshot_destination(key, snapshot, destination_id, now)
    return writes


# -- the driver --------------------------------------------------------------------------------


def _start(op: Operation, migration: Migration) -> None:
    """Have the driver begin, and somebody see to the first phase.

    In doubt what was begun is given up first: drivers begin nothing twice.
    """
    share_id = migration.share_id
    driver = op.env.driver

    def undone() -> Any:
        migration.call(driver.migration_cancel, op.context)
        return AGAIN

    _show(op, "driver starting", share_id, task_states.MIGRATION_DRIVER_STARTING)
    op.step(
        "start",
        migration.call,
        driver.migration_start,
        op.context,
        probe=undone,
        retry=flows.DRIVER,
    )
    _show(op, "started", share_id, task_states.MIGRATION_DRIVER_IN_PROGRESS)
    op.step("wait for phase 1", phase1.begin, op, migration, probe=lambda: AGAIN)
