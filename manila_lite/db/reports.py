# SPDX-License-Identifier: Apache-2.0
"""lite_reports: the last capability report of each host, for those who have no scheduler."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db.models.lite import reports

_c = reports.c


def keep(
    connection: Connection, host: str, report: Mapping[str, Any], now: datetime.datetime
) -> None:
    """Keep the host's report in place of the one before."""
    text = json.dumps(dict(report), default=str)
    connection.execute(reports.delete().where(_c.host == host))
    connection.execute(reports.insert().values(host=host, report=text, reported_at=now))


def listed(connection: Connection) -> list[dict[str, Any]]:
    """Return the last report of each host: host, reported_at, report (a dict)."""
    rows = connection.execute(sa.select(reports).order_by(_c.host)).mappings()
    return [{**row, "report": json.loads(row["report"])} for row in rows]
