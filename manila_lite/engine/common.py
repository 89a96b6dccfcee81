# SPDX-License-Identifier: Apache-2.0
"""What the flows of every service do: read, find nothing to do, and start further operations.

op.env must have ``db``, as manila_lite.environment.Environment has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import context as contexts
from manila_lite.db.writes import Write
from manila_lite.engine.journal import NewOperation
from manila_lite.engine.operation import Operation

LOG = log.getLogger(__name__)

T = TypeVar("T")

DRIVER = "driver"  # the retry policy of steps that call the driver


def read(op: Operation, work: Callable[[Connection], T]) -> T:
    """Read from the database; ride out one that is away."""
    return op.env.db.run(work, write=False)


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


def internal(method: str, message_id: str | None = None, **arguments: Any) -> NewOperation:
    """An operation of the service's own. message_id: the same one is recorded once."""
    context = contexts.get_admin_context().to_journal()
    if message_id is None:
        return NewOperation(method, arguments, context=context)
    return NewOperation(method, arguments, context=context, message_id=message_id)


def message_id(*parts: Any) -> str:
    """Return an id that is the same for the same parts, and fits the column."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
