# SPDX-License-Identifier: Apache-2.0
"""A migration that does not take place: the source is as it was, nothing else is left."""

from __future__ import annotations

from typing import Any

from oslo_log import log

from manila_lite import states
from manila_lite.db import messages, migration_changes, quotas, share_changes, snapshot_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation
from manila_lite.share.flows import common
from manila_lite.share.flows.migration import rules
from manila_lite.share.flows.migration.common import Migration

LOG = log.getLogger(__name__)


def try_to_undo(op: Operation, migration: Migration) -> None:
    """Have the driver give the migration up, if it can; log it where it cannot."""
    try:
        migration.call(op.env.driver.migration_cancel, op.context)
    except NotImplementedError:
        LOG.info("Share %s: the driver cannot cancel migrations", migration.share_id)
    except Exception as error:
        LOG.warning(
            "Share %s: the driver could not cancel its migration: %s", migration.share_id, error
        )


def given_up(op: Operation, migration: Migration, task_state: str) -> list[Write]:
    """Make the source available, its rules what they were, and remove the destination's rows."""
    now = op.clock.now()
    destination = migration.destination
    return [
        *source_freed(op, migration.source, task_state),
        *share_changes.deleted(destination, now),
        *_snapshots(migration, now),
        *usage_moved(migration.source, destination, destination, now),
    ]


def source_freed(op: Operation, source: Record, task_state: str) -> list[Write]:
    """Make the source of a migration available, with its rules as they were."""
    now = op.clock.now()
    old = common.own_status(source, states.MIGRATING)
    return [
        *rules.relax(op, source),
        *share_changes.move(source["id"], old, states.AVAILABLE, now),
        *migration_changes.task(source["share_id"], task_state, now),
    ]


def told(op: Operation, source: Record) -> list[Write]:
    """Say to the share's project that the migration failed."""
    return common.tell_user(op, source, messages.ACTION_UPDATE, op.clock.now())


def _snapshots(migration: Migration, now: Any) -> list[Write]:
    writes: list[Write] = []
    for snapshot in migration.snapshots:
        old = common.own_status(snapshot, states.MIGRATING)
        writes += snapshot_changes.move(snapshot["id"], old, states.AVAILABLE, now)
    for snapshot in migration.mappings.values():
        writes += snapshot_changes.deleted(snapshot, now)
    return writes


def usage_moved(source: Record, destination: Record, gone: Record, now: Any) -> list[Write]:
    """Take the instance that is gone off the usages, where a new type was counted beside the old.

    Whoever asks for a migration to another share type counts the share for both.
    """
    if source["share_type_id"] == destination["share_type_id"]:
        return []
    deltas = {quotas.SHARES: -1, quotas.GIGABYTES: -int(source["size"] or 0)}
    return quotas.change(source, gone["share_type_id"], deltas, now)
