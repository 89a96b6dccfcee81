# SPDX-License-Identifier: Apache-2.0
"""Migrations: what an API does between a request and its cast.

Each function runs on a connection inside a transaction and returns what is to be sent. Refused
means that nothing was written.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import states, task_states
from manila_lite.cmd import lookup
from manila_lite.cmd.dispatch import Prepared, Request
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.requests import (
    begin_share,
    only_instance,
    refuse_in_group,
    refuse_in_migration,
    set_status,
)
from manila_lite.db import migration_changes, operation_requests, quotas, services, types
from manila_lite.db import shares as share_rows
from manila_lite.db.models import share_instances
from manila_lite.db.records import Record
from manila_lite.db.writes import execute_writes

_POLLING = "_continue_migration"


@dataclasses.dataclass(frozen=True)
class MigrationWish:
    """Where a share shall go, and what is wanted of the way; host with its pool."""

    host: str
    wishes: Mapping[str, bool]
    share_type: str | None = None


def migrate(
    connection: Connection, name_or_id: str, wish: MigrationWish, now: datetime.datetime
) -> tuple[Record, Prepared]:
    """Put a share into 'migrating'; return it as it was."""
    share = lookup.share(connection, name_or_id)
    refuse_in_migration(share)
    refuse_in_group(share)
    instance = only_instance(share)
    type_id = _type_id(connection, instance, wish)
    if wish.host == instance["host"] and type_id == instance["share_type_id"]:
        raise Refused(reason=f"share {share['id']} is on {wish.host} already")
    if services.get_service(connection, share_rows.backend_of(wish.host)) is None:
        raise Refused(reason=f"{wish.host!r} names no back end of which a service has reported")
    if instance["access_rules_status"] == states.ACCESS_ERROR:
        raise Refused(reason=f"share {share['id']} has access rules in error")
    if instance["status"] != states.AVAILABLE:
        raise Refused(reason=f"share {share['id']} is '{instance['status']}'")
    begin_share(connection, share, instance, states.MIGRATING, now)
    task = migration_changes.task(share["id"], task_states.MIGRATION_STARTING, now)
    execute_writes(connection, [task])
    _count(connection, share, instance, type_id, 1, now)
    arguments = {
        "share_id": share["id"],
        "dest_host": wish.host,
        "force_host_assisted_migration": False,
        **wish.wishes,
        "new_share_network_id": None,
        "new_share_type_id": type_id,
    }
    undo = functools.partial(_undo, share, instance, type_id, now)
    return share, Prepared([Request("migration_start", instance["host"], arguments)], undo)


def _type_id(connection: Connection, instance: Record, wish: MigrationWish) -> str | None:
    if wish.share_type is None:
        own: str | None = instance["share_type_id"]
        return own
    found = types.get_type(connection, wish.share_type)
    if found is None:
        raise Refused(reason=f"there is no share type {wish.share_type!r}")
    return str(found["id"])


def _count(
    connection: Connection,
    share: Record,
    instance: Record,
    type_id: str | None,
    sign: int,
    now: datetime.datetime,
) -> None:
    """Count the share for another type, too, until the migration has come to its end."""
    if type_id == instance["share_type_id"]:
        return
    deltas = {quotas.SHARES: sign, quotas.GIGABYTES: sign * int(share["size"])}
    quotas.add_usage(connection, share, type_id, deltas, now)


def _undo(
    share: Record,
    instance: Record,
    type_id: str | None,
    now: datetime.datetime,
    connection: Connection,
) -> None:
    key, migrating = instance["id"], states.MIGRATING
    set_status(share_instances, key, migrating, states.AVAILABLE, connection)
    task = migration_changes.task(share["id"], task_states.MIGRATION_ERROR, now)
    execute_writes(connection, [task])
    _count(connection, share, instance, type_id, -1, now)


def complete(connection: Connection, name_or_id: str) -> tuple[Record, Prepared]:
    """Ask for the second phase. Raises Refused until the first one is done."""
    done = (task_states.MIGRATION_DRIVER_PHASE1_DONE,)
    return _second(connection, name_or_id, "migration_complete", done)


def cancel(connection: Connection, name_or_id: str) -> tuple[Record, Prepared]:
    """Ask for the end of a migration that can still be cancelled."""
    cancellable = (
        task_states.MIGRATION_DRIVER_IN_PROGRESS,
        task_states.MIGRATION_DRIVER_PHASE1_DONE,
    )
    return _second(connection, name_or_id, "migration_cancel", cancellable)


def _second(
    connection: Connection, name_or_id: str, method: str, allowed: tuple[str, ...]
) -> tuple[Record, Prepared]:
    share = lookup.share(connection, name_or_id)
    source, destination = instances_of(share)
    if share["task_state"] not in allowed or source is None or destination is None:
        raise Refused(
            reason=f"share {share['id']} has task state {share['task_state']}; "
            f"wanted: {' or '.join(allowed)}"
        )
    arguments = {"src_instance_id": source["id"], "dest_instance_id": destination["id"]}
    return share, Prepared([Request(method, source["host"], arguments)])


def instances_of(share: Record) -> tuple[Record | None, Record | None]:
    """Return the instances that a share is migrated from and to, those that there are."""
    by_status = {one["status"]: one for one in share["instances"]}
    return by_status.get(states.MIGRATING), by_status.get(states.MIGRATING_TO)


def progress(connection: Connection, name_or_id: str) -> dict[str, Any]:
    """Return how far the migration of a share is."""
    share = lookup.share(connection, name_or_id)
    source, destination = instances_of(share)
    polled = operation_requests.list_operations(
        connection, resource_id=share["id"], method=_POLLING, most=1
    )
    is_polled = share["task_state"] == task_states.MIGRATION_DRIVER_IN_PROGRESS
    return {
        "share_id": share["id"],
        "name": share["display_name"],
        "task_state": share["task_state"],
        "status": share["status"],
        "progress": polled[0]["progress"] if polled and is_polled else None,
        "operation": polled[0]["uuid"] if polled and is_polled else None,
        "source": source and source["host"],
        "destination": destination and destination["host"],
        "host": share["host"],
    }
