# SPDX-License-Identifier: Apache-2.0
"""Claims: taking the heads of lanes, once, whatever happens to the connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite.clock import Clock
from manila_lite.db import operations as rows
from manila_lite.db import workers
from manila_lite.db.session import Database
from manila_lite.engine import crashpoints
from manila_lite.engine.commits import GroupCommitter
from manila_lite.engine.probation import Probation
from manila_lite.engine.registry import FlowRegistry
from manila_lite.engine.settings import ERROR, EngineSettings


def claim(
    database: Database,
    host: str,
    owner: str,
    clock: Clock,
    most: int,
    first_step: Callable[[str], str | None],
    probation: Probation,
) -> list[dict[str, Any]]:
    """Take up to `most` lane heads for the owner and return their rows as claimed.

    first_step: by method, the step whose intent is recorded along with the claim; such rows
    have an additional "announced" that names it. probation: decides which suspects may be
    among them.

    Rides out a database that is away. When the connection breaks in the COMMIT and the claim
    went through nevertheless, its rows are found again: nobody else would ever run them, for
    their owner is alive.
    """
    tried: list[dict[str, Any]] = []

    def work(connection: Connection) -> list[dict[str, Any]]:
        held = rows.held_claims(connection, owner, tried) if tried else []
        if held:
            return held
        if not workers.is_active(connection, owner):
            # What it claimed now would be taken away at once, in the middle of a step.
            return []
        tried[:] = rows.claim(
            connection,
            host,
            owner,
            clock.now(),
            most,
            first_step,
            suspect_from=probation.starts,
            admits=probation.admission().admits,
        )
        if tried:
            crashpoints.reach("claim.before_commit")
        return list(tried)

    claimed = database.run(work)
    if claimed:
        crashpoints.reach("claim.after_commit")
    return claimed


def announcing(registry: FlowRegistry, settings: EngineSettings) -> Callable[[str], str | None]:
    """Return the function that says by method which step a claim announces.

    None where a step in doubt is an error: a crash would fail all operations that were claimed,
    also those that had not begun.
    """
    if settings.interrupted_operation_policy == ERROR:
        return lambda method: None
    return registry.first_step


def mend_lanes(database: Database, host: str, committer: GroupCommitter) -> int:
    """Learn in which lanes operations wait behind others, and free those whose turn has come.

    Another worker may have recorded them, or a race may have left a hint wrong: so that no lane
    stops, this is done at start and again and again. Returns how many were freed.
    """

    def look(connection: Connection) -> list[str]:
        return rows.blocked_lanes(connection, host)

    def mend(connection: Connection) -> int:
        return rows.unblock_next(connection, host, lanes)

    lanes = database.run(look, write=False)
    committer.replace_blocked(lanes)
    return database.run(mend) if lanes else 0
