# SPDX-License-Identifier: Apache-2.0
"""Shares and their instances: writing, as data."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from manila_lite import states
from manila_lite.db import export_locations
from manila_lite.db.guards import status_write
from manila_lite.db.models import (
    share_access_map,
    share_access_rules_metadata,
    share_instance_access_map,
    share_instances,
    share_metadata,
    shares,
)
from manila_lite.db.records import Record
from manila_lite.db.writes import Write

DONE = "100%"

_i = share_instances.c
_s = shares.c

_RESIZE = (
    shares.update()
    .where(_s.id == sa.bindparam("b_id"), _s.deleted == "False")
    .values(size=sa.bindparam("b_size"), updated_at=sa.bindparam("b_now"))
)

# The storage is gone: whatever status stands there, the row goes too.
_DELETE_INSTANCE = (
    share_instances.update()
    .where(_i.id == sa.bindparam("b_id"), _i.deleted == "False")
    .values(
        status=states.DELETED,
        deleted=_i.id,
        deleted_at=sa.bindparam("b_now"),
        updated_at=sa.bindparam("b_now"),
        terminated_at=sa.func.coalesce(_i.terminated_at, sa.bindparam("b_now")),
    )
)
# Whoever deletes another instance of the share at the same time waits here, and then sees this one
# as deleted: else each would think that the other's is left.
_LOCK_SHARE = shares.update().where(_s.id == sa.bindparam("b_share_id")).values(deleted=_s.deleted)
# "The last one" is asked of the other instances only, so that the order of writes is no matter.
_others = share_instances.alias("others")
_NO_OTHER_INSTANCE = ~sa.exists(
    sa.select(_others.c.id).where(
        _others.c.share_id == sa.bindparam("b_share_id"),
        _others.c.deleted == "False",
        _others.c.id != sa.bindparam("b_instance_id"),
    )
)
_DELETE_SHARE = (
    shares.update()
    .where(_s.id == sa.bindparam("b_share_id"), _s.deleted == "False", _NO_OTHER_INSTANCE)
    .values(deleted=_s.id, deleted_at=sa.bindparam("b_now"))
)
_DELETE_METADATA = (
    share_metadata.update()
    .where(
        share_metadata.c.id == sa.bindparam("b_id"),
        share_metadata.c.deleted == 0,
        _NO_OTHER_INSTANCE,
    )
    .values(deleted=share_metadata.c.id, deleted_at=sa.bindparam("b_now"))
)
_DELETE_ACCESS = (
    share_access_map.update()
    .where(
        share_access_map.c.id == sa.bindparam("b_id"),
        share_access_map.c.deleted == "False",
        _NO_OTHER_INSTANCE,
    )
    .values(deleted=share_access_map.c.id, deleted_at=sa.bindparam("b_now"))
)
_of_rule = share_access_rules_metadata.c
# The column is text here, and the key is a number.
_DELETE_METADATA_OF_RULE = (
    share_access_rules_metadata.update()
    .where(
        _of_rule.access_id == sa.bindparam("b_id"), _of_rule.deleted == "False", _NO_OTHER_INSTANCE
    )
    .values(deleted=sa.cast(_of_rule.id, sa.String(36)), deleted_at=sa.bindparam("b_now"))
)
_mapping = share_instance_access_map.c
_DELETE_MAPPING = (
    share_instance_access_map.update()
    .where(_mapping.id == sa.bindparam("b_id"), _mapping.deleted == "False")
    .values(
        deleted=_mapping.id,
        state=states.ACCESS_DELETED,
        deleted_at=sa.bindparam("b_now"),
        updated_at=sa.bindparam("b_now"),
    )
)


def move(
    instance_id: str, old: str, new: str, now: datetime.datetime, **columns: Any
) -> list[Write]:
    """Take a share instance from one status to the next; columns are set beside it.

    Raises InvalidStatusTransition. Changes nothing where the row meanwhile shows the
    transitional status of another operation.
    """
    return [
        status_write(
            share_instances,
            states.check_share_instance_transition,
            instance_id,
            old,
            new,
            now,
            columns,
        )
    ]


def created(
    instance: Record,
    returned: Any,
    now: datetime.datetime,
    *,
    zone_id: str | None = None,
) -> list[Write]:
    """Make an instance available with the export locations that the driver returned.

    zone_id: the back end's availability zone, for an instance that was asked for without one.
    The instance's ``export_locations`` must be what is in the database, empty for a new one.
    """
    columns = {"progress": DONE, "launched_at": now}
    if zone_id is not None and instance["availability_zone_id"] is None:
        columns["availability_zone_id"] = zone_id
    if instance["replication_type"] and instance["replica_state"] is None:
        # The first replica of a share that can have others is the active one.
        columns["replica_state"] = states.REPLICA_ACTIVE
    return [
        *move(instance["id"], instance["status"], states.AVAILABLE, now, **columns),
        *located(instance, returned, now),
    ]


def located(instance: Record, returned: Any, now: datetime.datetime) -> list[Write]:
    """Make the instance's export locations those that the driver returned."""
    current = instance["export_locations"]
    if not current:
        return export_locations.add(instance["id"], returned, now)
    return export_locations.replace(instance["id"], current, returned, now)


def resized(instance: Record, new_size: int, now: datetime.datetime, **columns: Any) -> list[Write]:
    """Make an instance available and its share new_size GiB large; columns are the instance's."""
    return [
        *move(instance["id"], instance["status"], states.AVAILABLE, now, **columns),
        *sized(instance["share_id"], new_size, now),
    ]


def sized(share_id: str, size: int, now: datetime.datetime) -> list[Write]:
    """Say that a share has so many GiB."""
    return [Write(_RESIZE, {"b_id": share_id, "b_size": int(size), "b_now": now})]


def deleted(
    instance: Record,
    now: datetime.datetime,
    *,
    rules: Iterable[Mapping[str, Any]] = (),
    metadata: Iterable[Mapping[str, Any]] = (),
) -> list[Write]:
    """Mark an instance as deleted, and the share with all it has when this was its last one.

    rules: rows of db.access.rules_of_instance; metadata: rows of db.shares.metadata_of.
    """
    share = {"b_share_id": instance["share_id"], "b_instance_id": instance["id"], "b_now": now}
    writes = [
        Write(_LOCK_SHARE, {"b_share_id": instance["share_id"]}),
        Write(_DELETE_INSTANCE, {"b_id": instance["id"], "b_now": now}),
        Write(_DELETE_SHARE, share),
    ]
    for location in instance["export_locations"]:
        writes += export_locations.delete_one(location, now)
    for rule in rules:
        writes += _without_rule(rule, share)
    for pair in metadata:
        writes.append(Write(_DELETE_METADATA, {"b_id": pair["id"], **share}))
    return writes


def _without_rule(rule: Mapping[str, Any], share: dict[str, Any]) -> list[Write]:
    parameters = {"b_id": rule["access_id"], **share}
    writes = [Write(_DELETE_ACCESS, parameters), Write(_DELETE_METADATA_OF_RULE, parameters)]
    if rule["mapping_id"] is not None:
        parameters = {"b_id": rule["mapping_id"], "b_now": share["b_now"]}
        writes.append(Write(_DELETE_MAPPING, parameters))
    return writes


def without_mappings(rules: Sequence[Mapping[str, Any]], now: datetime.datetime) -> list[Write]:
    """Mark as deleted what says that rules hold on an instance; the rules themselves stay."""
    return [
        Write(_DELETE_MAPPING, {"b_id": rule["mapping_id"], "b_now": now})
        for rule in rules
        if rule["mapping_id"] is not None
    ]
