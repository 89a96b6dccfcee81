# SPDX-License-Identifier: Apache-2.0
"""Claims: taking the heads of lanes, once, whatever happens to the connection."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from manila_lite.clock import Clock
from manila_lite.db import operations as rows
from manila_lite.db.session import Database
from manila_lite.engine import crashpoints


def claim(
    database: Database, host: str, owner: str, clock: Clock, most: int
) -> list[dict[str, Any]]:
    """Take up to `most` lane heads for the owner and return their rows as claimed.

    Rides out a database that is away. When the connection breaks in the COMMIT and the claim
    went through nevertheless, its rows are found again: nobody else would ever run them, for
    their owner is alive.
    """
    tried: list[dict[str, Any]] = []

    def work(connection: Connection) -> list[dict[str, Any]]:
        held = rows.held_claims(connection, owner, tried) if tried else []
        if held:
            return held
        tried[:] = rows.claim(connection, host, owner, clock.now(), most)
        if tried:
            crashpoints.reach("claim.before_commit")
        return list(tried)

    claimed = database.run(work)
    if claimed:
        crashpoints.reach("claim.after_commit")
    return claimed
