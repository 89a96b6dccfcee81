# SPDX-License-Identifier: Apache-2.0
"""The application's two functions, on the database: look a snapshot up, record a callback.

A callback is recorded for the back end that has the snapshot's volume, whoever took it in: the
processes of all back ends share one port.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from oslo_db import exception as db_exc
from oslo_log import log
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Connection

from manila_lite.callback.faults import Fault, Unavailable
from manila_lite.clock import Clock
from manila_lite.db import volume_snapshots
from manila_lite.db.records import Record
from manila_lite.db.session import Database
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.engine.registry import FlowRegistry

LOG = log.getLogger(__name__)

T = TypeVar("T")


class Recorder:
    """Reads snapshots and records callbacks; waits for a database that is away, within bounds."""

    def __init__(
        self,
        database: Database,
        registry: FlowRegistry,
        clock: Clock,
        *,
        deadline: float = 20.0,
        own_host: str | None = None,
        own_journal: Journal | None = None,
    ) -> None:
        """deadline: seconds. own_journal: the engine's for own_host ('host@backend'), which
        notices at once what is recorded; other engines look for it by themselves.
        """
        self._database = database
        self._registry = registry
        self._clock = clock
        self._deadline = deadline
        self._own_host = own_host
        self._own_journal = own_journal

    def snapshot(self, snapshot_id: str) -> Mapping[str, Any] | None:
        """Return the snapshot's row, None where there is none. Raises Unavailable."""
        return self._run(lambda connection: self._find(connection, snapshot_id), write=False)

    def journal(
        self,
        method: str,
        arguments: Mapping[str, Any],
        context: Mapping[str, Any],
        message_id: str,
    ) -> None:
        """Record a callback for the back end of its snapshot; committed when this returns.

        Raises Unavailable where the database is not to be had, Fault 404 where the snapshot is
        gone by now.
        """
        new = NewOperation(method, arguments, context=context, message_id=message_id)

        def work(connection: Connection) -> Journal:
            journal = self._journal_of(self._host_of(connection, arguments["snapshot_id"]))
            journal.insert_on(connection, [new])
            return journal

        self._run(work).on_recorded()

    def _run(self, work: Callable[[Connection], T], *, write: bool = True) -> T:
        try:
            return self._database.run(work, write=write, deadline=self._deadline)
        except (db_exc.DBError, sa_exc.SQLAlchemyError) as error:
            LOG.error("A callback found no database: %s", type(error).__name__)
            raise Unavailable("The database is not to be had just now.") from error

    def _find(self, connection: Connection, snapshot_id: str) -> Record | None:
        # Nova asks for each snapshot twice a second: one query has to do.
        return volume_snapshots.with_host(connection, snapshot_id)

    def _host_of(self, connection: Connection, snapshot_id: str) -> str:
        found = self._find(connection, snapshot_id)
        host: str = "" if found is None else found["host"] or ""
        if not host:
            raise Fault(404, f"Snapshot {snapshot_id} could not be found.")
        return host.partition("#")[0]

    def _journal_of(self, host: str) -> Journal:
        if host == self._own_host and self._own_journal is not None:
            return self._own_journal
        return Journal(self._database, host, self._registry, self._clock)
