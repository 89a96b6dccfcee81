# SPDX-License-Identifier: Apache-2.0
"""Quota limits, as far as somebody has set them.

Manila's API falls back to its own numbers (50 shares, 1000 GiB ...) where the tables say nothing.
Whoever uses this command line has the database in hand: only limits that were set on purpose, for
the project or in the class ``default``, stop them.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.db.models import quota_classes, quota_usages, quotas

PER_SHARE = "per_share_gigabytes"
_DEFAULT_CLASS = "default"


class LimitExceeded(exception.QuotaError):
    """The project would have more than it is allowed."""

    message = (
        "Project %(project_id)s may have %(limit)s %(resource)s and has %(used)s; "
        "%(wanted)s more are too many."
    )


def require_room(
    connection: Connection, project_id: str, wanted: Mapping[str, int], share_size: int = 0
) -> None:
    """Raise LimitExceeded where ``wanted`` (resource: how many more; sizes in GiB) is too much.

    share_size: GiB that the share would have then. Two commands at the same moment may both find
    room for the last share; a limit is a fence, not a lock.
    """
    limits = limits_of(connection, project_id)
    largest = limits.get(PER_SHARE, -1)
    if 0 <= largest < share_size:
        raise LimitExceeded(
            f"A share of project {project_id} may have {largest} GiB, not {share_size}."
        )
    for resource, more in wanted.items():
        limit = limits.get(resource, -1)
        used = _used(connection, project_id, resource) if limit >= 0 else 0
        if 0 <= limit < used + more:
            raise LimitExceeded(
                project_id=project_id, resource=resource, limit=limit, used=used, wanted=more
            )


def limits_of(connection: Connection, project_id: str) -> dict[str, int]:
    """{resource: limit} that apply to a project; -1 means none."""
    c, q = quota_classes.c, quotas.c
    of_class = sa.select(c.resource, c.hard_limit).where(
        c.class_name == _DEFAULT_CLASS, c.deleted == 0
    )
    of_project = sa.select(q.resource, q.hard_limit).where(
        q.project_id == project_id, q.deleted == 0
    )
    rows = [*connection.execute(of_class), *connection.execute(of_project)]
    return {resource: limit for resource, limit in rows if limit is not None}


def _used(connection: Connection, project_id: str, resource: str) -> int:
    u = quota_usages.c
    query = sa.select(sa.func.coalesce(sa.func.sum(u.in_use + u.reserved), 0)).where(
        u.project_id == project_id,
        u.resource == resource,
        u.user_id.is_not(None),
        u.deleted == 0,
    )
    return int(connection.execute(query).scalar_one())
