# SPDX-License-Identifier: Apache-2.0
"""Access rules in a migration: read-only while the driver wants it so, their own levels after."""

from __future__ import annotations

import dataclasses

from oslo_log import log

from manila_lite import exception
from manila_lite.db import access, access_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Operation
from manila_lite.share.flows import access_driver, access_passes, common

LOG = log.getLogger(__name__)


def of(op: Operation, instance: Record) -> list[Record]:
    """Return the rules of the share, with their states on the instance."""
    share_id, key = instance["share_id"], instance["id"]
    return common.read(op, lambda connection: access.rules_of_instance(connection, share_id, key))


def restrict(op: Operation, source: Record) -> None:
    """Have all rules applied read-only.

    Raises ShareMigrationFailed where the driver refuses one, and what it raises.
    """
    key, now = source["id"], op.clock.now()
    op.record(
        "read only",
        [*access_changes.read_only(key, True, now), *access_changes.OF_SHARE.begin(key, now)],
    )
    refused = op.step(
        "restrict access", _send, op, source, True, probe=lambda: AGAIN, retry=common.DRIVER
    )
    settled = access_changes.OF_SHARE.settled(key, op.clock.now(), refused=refused)
    op.record("restricted", settled)
    if refused:
        raise exception.ShareMigrationFailed(
            reason=f"access rules {', '.join(refused)} cannot be made read-only"
        )


def relax(op: Operation, source: Record) -> list[Write]:
    """Apply the rules as they are once more; return what has to be written.

    Where the driver cannot do it now, the rules stay queued, and are taken up later.
    """
    if not source["cast_rules_to_readonly"]:
        return []
    key, now = source["id"], op.clock.now()
    queued = access_changes.read_only(key, False, now)
    try:
        refused = _send(op, source, False)
    except Exception as error:
        LOG.warning("Share instance %s: its rules stay read-only for now: %s", key, error)
        return queued
    changes = access_changes.OF_SHARE
    return [*queued, *changes.begin(key, now), *changes.settled(key, now, refused=refused)]


def _send(op: Operation, source: Record, read_only: bool) -> list[str]:
    """Have the driver make the storage agree with the rules; return those that it refuses."""
    change = access_driver.change_of(of(op, source), read_only)
    if not change.wanted:
        return []
    whole = dataclasses.replace(change, whole=True)
    answer = access_driver.send(
        op.env.driver, op.context, source, whole, common.share_server(op, source)
    )
    access_passes.keep_keys(op, answer)
    return sorted(answer.refused)
