# SPDX-License-Identifier: Apache-2.0
"""Operations that the service starts itself, in the lanes of the shares they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.context import RequestContext
from manila_lite.db import backups, share_groups
from manila_lite.db import operations as operation_rows
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.models.lite import operations
from manila_lite.engine import registry
from manila_lite.engine.common import internal as internal
from manila_lite.engine.common import message_id as message_id
from manila_lite.engine.journal import Journal, LaneResolver, NewOperation
from manila_lite.share.environment import ShareEnvironment

T = TypeVar("T")

_UNFINISHED = sa.select(operations.c.message_id).where(
    operations.c.host == sa.bindparam("host"),
    operations.c.message_id.in_(sa.bindparam("message_ids", expanding=True)),
    operations.c.finished == 0,
)
_FAILURE = sa.select(operations.c.error).where(
    operations.c.host == sa.bindparam("host"),
    operations.c.message_id == sa.bindparam("message_id"),
    operations.c.finished == 1,
)


def lane_of(share_id: str) -> str:
    """The lane on which all operations of a share and of its snapshots run."""
    return f"share:{share_id}"


#: {argument: (lane field, look-up for a whole batch)}: casts that name no share.
LANE_RESOLVERS: Mapping[str, tuple[str, LaneResolver]] = {
    "share_instance_id": ("share_id", share_rows.share_ids_of_instances),
    "src_instance_id": ("share_id", share_rows.share_ids_of_instances),
    "snapshot_id": ("share_id", snapshot_rows.share_ids_of_snapshots),
    "snapshot_instance_id": ("share_id", snapshot_rows.share_ids_of_instances),
    "backup_id": ("share_id", backups.share_ids_of_backups),
    "share_group_snapshot_id": ("share_group_id", share_groups.group_ids_of_snapshots),
}


def journal_of(environment: ShareEnvironment) -> Journal:
    """Return the engine's journal, or one that the engine notices at its next poll."""
    if environment.journal is not None:
        return environment.journal
    return Journal(environment.db, environment.host, registry, environment.clock, LANE_RESOLVERS)


def cast_to(
    environment: ShareEnvironment,
    context: RequestContext,
    host: str,
    method: str,
    **arguments: Any,
) -> None:
    """Send a cast to the back end of a host (a pool may be named), this one or another.

    Over the broker; without one, into the journal of that back end. Raises what the client raises.
    """
    server = share_rows.backend_of(host)
    if server == environment.host:
        journal = journal_of(environment)
    elif environment.share_api is not None:
        return environment.share_api.send(context, method, host, **arguments)
    else:
        journal = Journal(environment.db, server, registry, environment.clock, LANE_RESOLVERS)
    version = registry.flows[method].version
    journal.record([NewOperation(method, arguments, version=version, context=context.to_journal())])


def on_idle_lanes(connection: Connection, host: str, found: Iterable[tuple[str, T]]) -> list[T]:
    """Return what is on a lane of the host that has no unfinished operation: (lane, what)."""
    pairs = list(found)
    lanes = {lane for lane, _ in pairs}
    busy = operation_rows.open_lanes(connection, host, lanes) if lanes else set()
    return [one for lane, one in pairs if lane not in busy]


def record_due(
    environment: ShareEnvironment,
    journal: Journal,
    find: Callable[[Connection], Iterable[tuple[str, NewOperation]]],
) -> int:
    """Journal what find() returns, (lane, operation), where the lane is idle; return the number.

    The others wait for the next round of the timer: none piles up.
    """
    new = environment.db.run(lambda c: on_idle_lanes(c, environment.host, find(c)), write=False)
    if new:
        journal.record(new)
    return len(new)


def unfinished(connection: Connection, host: str, message_ids: Sequence[str]) -> set[str]:
    """Return those operations that have not come to an end."""
    found = connection.execute(_UNFINISHED, {"host": host, "message_ids": list(message_ids)})
    return set(found.scalars())


def failure_of(connection: Connection, host: str, message_id: str) -> str | None:
    """Return what an operation has failed with; None where it has not failed, or not yet."""
    found = connection.execute(_FAILURE, {"host": host, "message_id": message_id}).scalar()
    return None if found is None else str(found)
