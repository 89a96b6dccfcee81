# SPDX-License-Identifier: Apache-2.0
"""Shares and their instances: reading.

A share instance is read as drivers know it: its own columns, those of its share that Manila's
model shows through it, its name on the storage, and (after :func:`complete`) its metadata and
export locations. What a deleted row says is never read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import export_locations, share_servers
from manila_lite.db.models import availability_zones, share_instances, share_metadata, shares
from manila_lite.db.records import Record

DEFAULT_NAME_TEMPLATE = "share-%s"
PAGE = 500

#: Columns of a share that its instances show under the same name.
SHARE_COLUMNS = (
    "user_id",
    "project_id",
    "size",
    "display_name",
    "display_description",
    "snapshot_id",
    "source_backup_id",
    "share_proto",
    "is_public",
    "share_group_id",
    "source_share_group_snapshot_member_id",
    "task_state",
    "replication_type",
    "snapshot_support",
    "create_share_from_snapshot_support",
    "revert_to_snapshot_support",
    "mount_snapshot_support",
    "snapshot_inherit_share_access_support",
    "is_soft_deleted",
)

_i = share_instances.c
_s = shares.c
_LIVE = (_i.deleted == "False",)

INSTANCE_COLUMNS = (
    *share_instances.columns,
    *(shares.c[name] for name in SHARE_COLUMNS),
)
# Plain text: SQLAlchemy's own names make larger and slower dictionaries.
_INSTANCE_NAMES = tuple(sys.intern(str(column.name)) for column in INSTANCE_COLUMNS)
# The same in very many instances, of which 100,000 may be in memory: one text for all of them.
_FEW_VALUES = (
    "deleted", "host", "status", "access_rules_status", "user_id", "project_id", "share_proto",
)  # fmt: skip
_JOINED = share_instances.join(shares, _s.id == _i.share_id)
_SELECT = sa.select(*INSTANCE_COLUMNS).select_from(_JOINED).where(*_LIVE)

_BY_ID = _SELECT.where(_i.id == sa.bindparam("instance_id"))
_BY_IDS = _SELECT.where(_i.id.in_(sa.bindparam("instance_ids", expanding=True)))
_BY_SHARE = _SELECT.where(_i.share_id == sa.bindparam("share_id")).order_by(_i.id)
_ON_SERVER = _SELECT.where(_i.share_server_id == sa.bindparam("server_id")).order_by(_i.id)
_ON_HOST = sa.or_(
    _i.host == sa.bindparam("host"),
    _i.host.like(sa.bindparam("pools"), escape="/"),
)
_OF_HOST = (
    _SELECT.where(_ON_HOST, _i.id > sa.bindparam("after"))
    .order_by(_i.id)
    .limit(sa.bindparam("most"))
)
_OF_HOST_BY_STATUS = _OF_HOST.where(_i.status.in_(sa.bindparam("statuses", expanding=True)))
_REPLICAS_OF_HOST = _OF_HOST.where(
    _i.replica_state.is_not(None), _i.replica_state != states.REPLICA_ACTIVE
)
_SHARE_IDS = sa.select(_i.id, _i.share_id).where(
    _i.id.in_(sa.bindparam("instance_ids", expanding=True))
)
_SHARE = sa.select(shares).where(_s.id == sa.bindparam("share_id"), _s.deleted == "False")
# Apart from the instances, which are read a thousand times a second: a third table in the join
# would cost the server more than the zones' names are worth.
_ZONES = sa.select(availability_zones.c.id, availability_zones.c.name).where(
    availability_zones.c.id.in_(sa.bindparam("ids", expanding=True))
)
_METADATA = (
    sa.select(
        share_metadata.c.share_id,
        share_metadata.c.id,
        share_metadata.c.key,
        share_metadata.c.value,
    )
    .where(
        share_metadata.c.share_id.in_(sa.bindparam("share_ids", expanding=True)),
        share_metadata.c.deleted == 0,
    )
    .order_by(share_metadata.c.id)
)


def pools_of(host: str) -> str:
    """Return the LIKE pattern (escape '/') of all pools of ``host@backend``."""
    escaped = host.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return f"{escaped}#%"


def backend_of(host: str | None) -> str:
    """Return ``host@backend`` of ``host@backend#pool``."""
    return (host or "").partition("#")[0]


def as_instance(row: Any, name_template: str = DEFAULT_NAME_TEMPLATE) -> Record:
    """Build the record of a share instance from a row of INSTANCE_COLUMNS."""
    record = Record(zip(_INSTANCE_NAMES, row, strict=True))
    for name in _FEW_VALUES:
        if record[name] is not None:
            record[name] = sys.intern(record[name])
    record["name"] = record["share_name"] = name_template % record["id"]
    record["pool"] = (record["host"] or "").partition("#")[2] or None
    # Until complete(); drivers read the key all the same.
    record["share_server"] = None
    record["availability_zone"] = None
    export_locations.attach(record, [])
    record["metadata"] = record["share_metadata"] = {}
    return record


def get_instance(
    connection: Connection, instance_id: str, name_template: str = DEFAULT_NAME_TEMPLATE
) -> Record | None:
    """Return a share instance by id, with one SELECT; None when it is deleted or unknown.

    Metadata, export locations and the zone's name are empty until :func:`complete`.
    """
    row = connection.execute(_BY_ID, {"instance_id": instance_id}).first()
    return None if row is None else as_instance(row, name_template)


def get_instances(
    connection: Connection,
    instance_ids: Sequence[str],
    name_template: str = DEFAULT_NAME_TEMPLATE,
) -> dict[str, Record]:
    """Return {id: share instance}, as get_instance() reads one, of those that exist."""
    rows = connection.execute(_BY_IDS, {"instance_ids": list(instance_ids)})
    return {row.id: as_instance(row, name_template) for row in rows}


def list_instances_of_share(
    connection: Connection, share_id: str, name_template: str = DEFAULT_NAME_TEMPLATE
) -> list[Record]:
    """Return the live instances of a share, the one that speaks for it first."""
    rows = connection.execute(_BY_SHARE, {"share_id": share_id})
    return by_precedence([as_instance(row, name_template) for row in rows])


def on_server(
    connection: Connection, server_id: str, name_template: str = DEFAULT_NAME_TEMPLATE
) -> list[Record]:
    """Return the live share instances on a share server, by id."""
    rows = connection.execute(_ON_SERVER, {"server_id": server_id})
    return [as_instance(row, name_template) for row in rows]


def by_precedence(instances: Iterable[Record]) -> list[Record]:
    """Sort instances of one share: first the one whose status is the share's.

    A replica that is not 'active' comes after those that are, except during a promotion.
    """
    instances = list(instances)
    promoting = any(i["status"] == states.REPLICATION_CHANGE for i in instances)

    def key(instance: Record) -> tuple[bool, int]:
        passive = instance["replica_state"] not in (None, states.REPLICA_ACTIVE)
        return (passive and not promoting, states.rank(instance["status"]))

    return sorted(instances, key=key)


def iterate_instances(
    connection: Connection,
    host: str,
    statuses: Sequence[str] | None = None,
    name_template: str = DEFAULT_NAME_TEMPLATE,
    page: int = PAGE,
    after: str = "",
) -> Iterator[list[Record]]:
    """Yield pages of the live instances on a back end (all its pools), by id."""
    parameters: dict[str, Any] = {"host": host, "pools": pools_of(host), "most": page}
    statement = _OF_HOST
    if statuses is not None:
        statement = _OF_HOST_BY_STATUS
        parameters["statuses"] = list(statuses)
    while True:
        rows = connection.execute(statement, {**parameters, "after": after}).all()
        if rows:
            yield [as_instance(row, name_template) for row in rows]
        if len(rows) < page:
            return
        after = rows[-1].id


def iterate_replicas(connection: Connection, host: str, page: int = PAGE) -> Iterator[list[Record]]:
    """Yield pages of the replicas on a back end that are not the active ones, by id."""
    parameters: dict[str, Any] = {"host": host, "pools": pools_of(host), "most": page}
    after = ""
    while True:
        rows = connection.execute(_REPLICAS_OF_HOST, {**parameters, "after": after}).all()
        if rows:
            yield [as_instance(row) for row in rows]
        if len(rows) < page:
            return
        after = rows[-1].id


def complete(connection: Connection, instances: Sequence[Record]) -> Sequence[Record]:
    """Add metadata, export locations and zones' names to instances, with one SELECT each.

    Those on share servers get these too.
    """
    if not instances:
        return instances
    _name_zones(connection, instances)
    share_servers.attach(connection, instances)
    found = export_locations.of_instances(connection, [i["id"] for i in instances])
    metadata = metadata_of(connection, {i["share_id"] for i in instances})
    for instance in instances:
        export_locations.attach(instance, found.get(instance["id"], []))
        pairs = metadata.get(instance["share_id"], [])
        instance["metadata"] = instance["share_metadata"] = {p.key: p.value for p in pairs}
    return instances


def _name_zones(connection: Connection, instances: Iterable[Record]) -> None:
    with_zone = [i for i in instances if i["availability_zone_id"] is not None]
    if not with_zone:
        return
    ids = list({i["availability_zone_id"] for i in with_zone})
    names = {row.id: row.name for row in connection.execute(_ZONES, {"ids": ids})}
    for instance in with_zone:
        instance["availability_zone"] = names.get(instance["availability_zone_id"])


def metadata_of(connection: Connection, share_ids: Iterable[str]) -> dict[str, list[Record]]:
    """Return {share id: rows (id, key, value) of its metadata}."""
    found: dict[str, list[Record]] = {}
    for row in connection.execute(_METADATA, {"share_ids": list(share_ids)}):
        found.setdefault(row.share_id, []).append(Record.of(row))
    return found


def get_share(connection: Connection, share_id: str) -> Record | None:
    """Return a share with ``instances`` and, from the one that speaks for it, status and host."""
    row = connection.execute(_SHARE, {"share_id": share_id}).first()
    if row is None:
        return None
    share = Record.of(row)
    share["instances"] = list_instances_of_share(connection, share_id)
    _name_zones(connection, share["instances"])
    return with_instance(share)


def with_instance(share: Record) -> Record:
    """Give a share the values that it takes from its first instance; return it."""
    instance = share["instances"][0] if share["instances"] else Record()
    share["instance"] = instance or None
    # The words of Manila's model for a share that has lost its last instance.
    share["status"] = instance.get("status", states.DELETED)
    for name in ("host", "progress", "share_type_id", "availability_zone", "access_rules_status"):
        share[name] = instance.get(name)
    return share


def share_ids_of_instances(connection: Connection, instance_ids: Sequence[str]) -> dict[str, str]:
    """Return {instance id: share id}, deleted instances included: the lane outlives the row."""
    rows = connection.execute(_SHARE_IDS, {"instance_ids": list(instance_ids)})
    return {row.id: row.share_id for row in rows}
