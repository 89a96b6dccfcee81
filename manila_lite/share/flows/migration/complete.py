# SPDX-License-Identifier: Apache-2.0
"""migration_complete: the second phase. The destination becomes the share, the source goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import exception, states, task_states
from manila_lite.db import (
    access,
    access_changes,
    export_locations,
    migration_changes,
    share_changes,
    snapshot_changes,
    types,
)
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Operation, flow
from manila_lite.share.flows import casting, snapshots
from manila_lite.share.flows import common as flows
from manila_lite.share.flows.migration import common, ending, rules
from manila_lite.share.flows.migration.common import Migration

LOG = log.getLogger(__name__)

_READY: Final = (task_states.MIGRATION_DRIVER_PHASE1_DONE, task_states.MIGRATION_COMPLETING)
_GOING: Final = (states.ACCESS_QUEUED_TO_DENY, states.ACCESS_DENYING)


def completion_failed(
    op: Operation, error: BaseException, src_instance_id: str, dest_instance_id: str
) -> list[Write]:
    """Put both instances into error: nobody can tell which one has all data.

    A completion that never began changes nothing.
    """
    migration = common.read(op.env, src_instance_id, dest_instance_id)
    if migration is None or migration.task_state != task_states.MIGRATION_COMPLETING:
        return []
    now = op.clock.now()
    writes = [
        *_moved(share_changes, migration.source, states.MIGRATING, states.ERROR, now),
        *_moved(share_changes, migration.destination, states.MIGRATING_TO, states.ERROR, now),
        *migration_changes.task(migration.share_id, task_states.MIGRATION_ERROR, now),
    ]
    for snapshot in migration.snapshots:
        writes += _moved(snapshot_changes, snapshot, states.MIGRATING, states.AVAILABLE, now)
    for snapshot in migration.mappings.values():
        writes += _moved(snapshot_changes, snapshot, states.MIGRATING_TO, states.ERROR, now)
    return [*writes, *ending.told(op, migration.source)]


def _moved(changes: Any, row: Record, old: str, new: str, now: Any) -> list[Write]:
    writes: list[Write] = changes.move(row["id"], old, new, now) if row["status"] == old else []
    return writes


@flow(
    "migration_complete",
    version="1.12",
    lane="share:{share_id}",
    resource=("share_instance", "src_instance_id"),
    on_failure=completion_failed,
)
def migration_complete(op: Operation, src_instance_id: str, dest_instance_id: str) -> None:
    """Have the driver do the second phase; the share is where it was migrated to from then on.

    No cancel breaks it off. An operator's retry of one that failed has the driver do it again.
    """
    if not op.is_done("switch"):
        migration = common.read(op.env, src_instance_id, dest_instance_id)
        reason = _reason_to_skip(migration)
        if migration is None or reason is not None:
            return flows.skip(op, reason or "")
        op.record("begin", _begun(migration, op.clock.now()))
        op.begin_clean_up()
        migration = common.read(op.env, src_instance_id, dest_instance_id) or migration
        _switch(op, migration)
    op.begin_clean_up()
    op.step("apply rules", _apply_rules, op, dest_instance_id, probe=lambda: AGAIN)
    op.finish()


def _reason_to_skip(migration: Migration | None) -> str | None:
    if migration is None:
        return "the migration is over"
    source, task_state = migration.source, migration.task_state
    if task_state in _READY and source["status"] == states.MIGRATING:
        return None
    if task_state == task_states.MIGRATION_ERROR and source["status"] == states.ERROR:
        return None
    return f"the share is {source['status']}, its task state {task_state}"


def _begun(migration: Migration, now: Any) -> list[Write]:
    """Show that the second phase has begun, also where an operator tries it again."""
    writes = migration_changes.task(migration.share_id, task_states.MIGRATION_COMPLETING, now)
    moves: list[tuple[Any, Record, str]] = [
        (share_changes, migration.source, states.MIGRATING),
        (share_changes, migration.destination, states.MIGRATING_TO),
        *((snapshot_changes, one, states.MIGRATING) for one in migration.snapshots),
        *((snapshot_changes, one, states.MIGRATING_TO) for one in migration.mappings.values()),
    ]
    for changes, row, status in moves:
        if row["status"] != status:
            writes += changes.move(row["id"], row["status"], status, now)
    return writes


# -- the driver --------------------------------------------------------------------------------


def _switch(op: Operation, migration: Migration) -> None:
    # In doubt it is done again: what it returns is known to nobody else.
    updates = op.step("complete", _complete, op, migration, probe=lambda: AGAIN, retry=flows.DRIVER)
    now = op.clock.now()
    op.record(
        "switch",
        [
            *_destination(migration, updates, now),
            *_snapshots(op, migration, updates, now),
            *_rules(op, migration, now),
            *_type(op, migration, now),
            *migration_changes.task(migration.share_id, task_states.MIGRATION_SUCCESS, now),
        ],
    )


def _complete(op: Operation, migration: Migration) -> dict[str, Any]:
    """Return what changed: checked here, so that a wrong answer is the driver's error."""
    returned = migration.call(op.env.driver.migration_complete, op.context)
    if returned is not None and not isinstance(returned, Mapping):
        raise exception.ShareMigrationFailed(reason=f"the driver returned {returned!r:.100}")
    returned = returned or {}
    found: dict[str, Any] = {"export_locations": None, "snapshot_updates": {}}
    if returned.get("export_locations"):
        found["export_locations"] = export_locations.normalize(returned["export_locations"])
    updates = returned.get("snapshot_updates") or {}
    for key in {snapshot["id"] for snapshot in migration.mappings.values()} & set(updates):
        update = snapshots.checked(updates[key])
        found["snapshot_updates"][key] = {
            "provider_location": update.get("provider_location"),
            "export_locations": export_locations.normalize(update.get("export_locations")),
        }
    return found


# -- rows --------------------------------------------------------------------------------------


def _destination(migration: Migration, updates: Mapping[str, Any], now: Any) -> list[Write]:
    """The destination is the share; exports that the driver does not name have not changed."""
    source, destination = migration.source, migration.destination
    exports = updates["export_locations"]
    if exports is None:
        exports = export_locations.normalize([dict(one) for one in source["export_locations"]])
    columns = {"progress": share_changes.DONE, "launched_at": now}
    return [
        *share_changes.move(
            destination["id"], states.MIGRATING_TO, states.AVAILABLE, now, **columns
        ),
        *share_changes.located(destination, exports, now),
    ]


def _snapshots(
    op: Operation, migration: Migration, updates: Mapping[str, Any], now: Any
) -> list[Write]:
    writes: list[Write] = []
    for snapshot in migration.snapshots:
        there = migration.mappings[snapshot["id"]]
        update = updates["snapshot_updates"].get(there["id"]) or {}
        location = update.get("provider_location") or snapshot["provider_location"]
        known = {
            "provider_location": location,
            "export_locations": update.get("export_locations") or snapshot["export_locations"],
        }
        there["status"] = states.MIGRATING_TO
        writes += snapshot_changes.created(there, known, now)
        mapped = [rule for rule in _rules_of(op, snapshot) if rule["mapping_id"] is not None]
        writes += migration_changes.snapshot_rules_to_apply(
            there["id"], [rule["access_id"] for rule in mapped], now
        )
        writes += snapshot_changes.deleted(snapshot, now, rules=mapped)
    return writes


def _rules_of(op: Operation, snapshot: Record) -> list[Record]:
    def work(connection: Connection) -> list[Record]:
        return access.rules_of_snapshot_instance(
            connection, snapshot["snapshot_id"], snapshot["id"]
        )

    return flows.read(op, work)


def _rules(op: Operation, migration: Migration, now: Any) -> list[Write]:
    """The rules, as they are, are due at the destination; the source goes with its own."""
    found = rules.of(op, migration.source)
    mapped = [rule for rule in found if rule["mapping_id"] is not None]
    going = [rule["access_id"] for rule in mapped if rule["state"] in _GOING]
    staying = [rule["access_id"] for rule in mapped if rule["state"] not in _GOING]
    key = migration.destination["id"]
    writes = [
        *migration_changes.rules_to_apply(key, staying, now),
        *share_changes.deleted(migration.source, now, rules=mapped),
        *access_changes.status_of_rules(key, now),
    ]
    for access_id in going:
        writes += access_changes.OF_SHARE.forgotten(access_id, now)
    return writes


def _type(op: Operation, migration: Migration, now: Any) -> list[Write]:
    """What a new share type says of shares, and the usage of the old one."""
    source, destination = migration.source, migration.destination
    type_id = destination["share_type_id"]
    if type_id is None or type_id == source["share_type_id"]:
        return []
    found = flows.read(op, lambda connection: types.get_type(connection, type_id))
    typed = [] if found is None else migration_changes.typed(migration.share_id, found, now)
    return [*typed, *ending.usage_moved(source, destination, source, now)]


# -- the destination's back end ----------------------------------------------------------------


def _apply_rules(op: Operation, instance_id: str) -> str | None:
    """Tell the destination's back end that rules are due; it finds them by itself in the end."""
    instance = op.env.complete_instances.get(instance_id)
    if instance is None or instance["access_rules_status"] == states.ACCESS_ACTIVE:
        return None
    try:
        casting.cast_to(
            op.env, op.context, instance["host"], "update_access", share_instance_id=instance_id
        )
    except Exception as error:
        # Of any class: the share has been migrated, whatever the broker says.
        LOG.warning("Share instance %s: its access rules wait: %s", instance_id, error)
        return flows.problem(error)
    return None
