# SPDX-License-Identifier: Apache-2.0
"""What all share flows do: read a row, leave work that is nobody's any more, tell the user."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.db import messages
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation

LOG = log.getLogger(__name__)

T = TypeVar("T")

DRIVER = "driver"  # the retry policy of steps that call the driver


def read(op: Operation, work: Callable[[Connection], T]) -> T:
    """Read from the database; ride out one that is away."""
    return op.env.db.run(work, write=False)


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


def skip(op: Operation, reason: str, *writes: Sequence[Write]) -> None:
    """End well without having done anything: the operation shows the reason."""
    LOG.info("%s: nothing to do, %s", op.method, reason)
    op.finish(*writes, result={"skipped": reason})


def own_status(record: Mapping[str, Any], own: str, *others: str) -> str:
    """Return the record's status if it is one of the operation's own, else the first of these.

    What an administrator forced in between must not keep the operation from ending.
    """
    status: str = record["status"]
    return status if status in (own, *others) else own


def is_named(error: BaseException, *names: str) -> bool:
    """Whether the error is of a class of that name: a driver may bring a class of its own."""
    return any(cls.__name__ in names for cls in type(error).__mro__)


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


def refuse_share_servers(op: Operation, instance: Mapping[str, Any]) -> None:
    """Raise where share servers would be needed: this release makes none."""
    if op.env.has_share_servers:
        raise exception.InvalidDriverMode(
            driver_mode="driver_handles_share_servers = True is not served by this release"
        )
    if instance["share_network_id"] is not None or instance["share_server_id"] is not None:
        raise UnexpectedShareNetwork(instance=instance["id"])
