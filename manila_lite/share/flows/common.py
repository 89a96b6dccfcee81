# SPDX-License-Identifier: Apache-2.0
"""What all share flows do, beyond what all flows do: read a share's row, tell its user."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.db import messages, share_servers
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write, execute_writes
from manila_lite.engine import Operation
from manila_lite.engine.common import DRIVER as DRIVER
from manila_lite.engine.common import is_named as is_named
from manila_lite.engine.common import own_status as own_status
from manila_lite.engine.common import read as read
from manila_lite.engine.common import skip as skip
from manila_lite.engine.shown import describe
from manila_lite.share.environment import ShareEnvironment

LOG = log.getLogger(__name__)


def get_instance(op: Operation, instance_id: str) -> Record | None:
    """Return a share instance with metadata and export locations, or None."""
    found: Record | None = op.env.complete_instances.get(instance_id)
    return found


def get_instance_of_share(op: Operation, share_id: str) -> Record | None:
    """Return the instance that speaks for a share: this back end's, if it has one."""

    def work(connection: Connection) -> Record | None:
        template = op.env.share_name_template
        found = share_rows.list_instances_of_share(connection, share_id, template)
        here = [i for i in found if share_rows.backend_of(i["host"]) == op.env.host]
        return share_rows.complete(connection, (here or found)[:1])[0] if found else None

    return read(op, work)


def write(environment: ShareEnvironment, writes: Sequence[Write]) -> None:
    """Write from inside a step what must be there before the step's result is, or is no part of it.

    What comes with an operation's outcome goes into op.record() or op.finish() instead.
    """
    environment.db.run(lambda connection: execute_writes(connection, [writes]))


def share_server(op: Operation, instance: Mapping[str, Any]) -> Record | None:
    """Return the share server that an instance is on, as drivers know it; None where it has none.

    Raises ShareServerNotFound for one that is gone.
    """
    return share_server_of(op.env, instance)


def share_server_of(environment: ShareEnvironment, instance: Mapping[str, Any]) -> Record | None:
    """Return the same, for calls, which have no operation."""
    server_id = instance["share_server_id"]
    if server_id is None:
        return None
    known: Record | None = instance.get("share_server")
    if known is not None and known["id"] == server_id:
        return known
    return get_share_server(environment, server_id)


def get_share_server(environment: ShareEnvironment, server_id: str) -> Record:
    """Read a share server, as drivers know it; raises ShareServerNotFound for one that is gone."""
    found = environment.db.run(lambda c: share_servers.get_server(c, server_id), write=False)
    if found is None:
        raise exception.ShareServerNotFound(share_server_id=server_id)
    return found


def problem(error: BaseException) -> str:
    """Return an error as the result of an operation shows it that goes on all the same."""
    return f"{type(error).__name__}: {describe(error)}"[:1000]


@contextlib.contextmanager
def forgiving(force: bool, *, but: Collection[str] = ()) -> Iterator[None]:
    """Log errors instead of raising them when force is set, except those named in ``but``."""
    try:
        yield
    except Exception as error:
        if not force or is_named(error, *but):
            raise
        LOG.warning("Forced to go on after an error of the driver: %s", error)


def tell_user(
    op: Operation,
    owner: Mapping[str, Any],
    action: str,
    now: datetime.datetime,
    *,
    detail: str = messages.DETAIL_UNKNOWN_ERROR,
    resource: tuple[str, str] | None = None,
) -> list[Write]:
    """Write a message for the project that owns the share.

    resource: (type, id); without it the share of ``owner``, a share instance.
    """
    kind, resource_id = resource or (messages.RESOURCE_SHARE, owner["share_id"])
    return messages.message(
        owner["project_id"] or op.context.project_id,
        kind,
        resource_id,
        action,
        now,
        detail_id=detail,
        request_id=op.request_id,
    )


class UnexpectedShareNetwork(exception.ManilaException):
    message = (
        "Share instance %(instance)s belongs to a share network or a share server, but this back "
        "end works without share servers (driver_handles_share_servers = False)."
    )


def refuse_share_servers(instance: Mapping[str, Any]) -> None:
    """Raise UnexpectedShareNetwork for an instance that would need a share server."""
    if instance["share_network_id"] is not None or instance["share_server_id"] is not None:
        raise UnexpectedShareNetwork(instance=instance["id"])
