# SPDX-License-Identifier: Apache-2.0
"""Bring a database to the state that this release needs, without touching what is Manila's."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Collection, Iterator
from pathlib import Path

import sqlalchemy as sa
from oslo_db import exception as db_exc
from sqlalchemy.engine import Connection

from manila_lite.db.engines import is_memory
from manila_lite.db.models import is_lite, is_ours, metadata
from manila_lite.db.models.base import CINDER_NAMES, HEAD_REVISION, VERSION_TABLE
from manila_lite.db.session import Database
from manila_lite.exception import ManilaException

_MANILA_VERSION_TABLE = "alembic_version"
_LOCK_NAME = "manila-lite db sync"
_LOCK_SECONDS = 20  # of waiting for another sync before the wait starts anew
_LOCK_NUMBER = 0x6D6C6974655F6462

_MANILA = {table.name: table for table in metadata.sorted_tables if not is_ours(table.name)}

# The same shape that alembic gives its version table.
_version = sa.Table(
    VERSION_TABLE, sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True)
)


class DatabaseUnfit(ManilaException):
    """The database holds something that sync must not change."""

    message = "The database cannot be used: %(reason)s."


@dataclasses.dataclass(frozen=True, slots=True)
class SyncReport:
    """What sync() found and did."""

    created_tables: tuple[str, ...]
    from_revision: str | None
    to_revision: str
    made_by_manila: bool

    @property
    def changed(self) -> bool:
        """Whether anything was done at all."""
        return bool(self.created_tables) or self.from_revision != self.to_revision

    def __str__(self) -> str:
        owner = "Manila's tables were found" if self.made_by_manila else "All tables are our own"
        if not self.changed:
            return f"{owner}; nothing to do at revision {self.to_revision}."
        step = f"{self.from_revision or 'none'} to {self.to_revision}"
        return f"{owner}; {len(self.created_tables)} tables created, revision {step}."


def sync(database: Database, *, deadline: float | None = 60.0) -> SyncReport:
    """Create what is missing and apply the migrations of our tables; harmless to repeat.

    An empty database gets all tables. One that Manila made gets ours only (lite_, and those of
    volumes, unless they are there already). Whatever was found must have every
    column that we use. Several processes may call this at once. On SQLite and PostgreSQL it is
    one transaction; on MariaDB a call that died half-way is completed by the next one.

    Waits ``deadline`` seconds for a database that is away (None: for ever). Raises DatabaseUnfit
    when tables or columns are missing from Manila's, or when the tables are somebody else's.
    """
    _make_sqlite_file(database)
    return database.run(_sync, deadline=deadline)


def missing_parts(connection: Connection) -> list[str]:
    """Return tables and ``table.column`` that this release uses and the database lacks."""
    inspector = sa.inspect(connection)
    columns = inspector.get_multi_columns()
    found = {name: {column["name"] for column in rows} for (_, name), rows in columns.items()}
    missing = []
    for name, table in metadata.tables.items():
        if name not in found:
            missing.append(name)
        else:
            missing.extend(f"{name}.{c.name}" for c in table.columns if c.name not in found[name])
    return sorted(missing)


def current_revision(connection: Connection) -> str | None:
    """Return the revision of the lite_ tables, or None where there are none."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.execute(sa.select(_version.c.version_num)).scalar()
    return revision


def require_current(database: Database, *, deadline: float | None = None) -> None:
    """Raise DatabaseUnfit unless the lite_ tables are at this release's revision; cheap."""
    if _lacks_sqlite_file(database):
        raise DatabaseUnfit(
            reason=f"there is no file {database.url.database}; run 'manila-lite db sync'"
        )
    found = database.run(current_revision, write=False, deadline=deadline)
    if found != HEAD_REVISION:
        raise DatabaseUnfit(
            reason=f"its lite_ tables are at revision {found or 'none'}, this release needs "
            f"{HEAD_REVISION}; run 'manila-lite db sync'"
        )


def _sync(connection: Connection) -> SyncReport:
    with _alone(connection):
        before = _table_names(connection)
        made_by_manila = _is_manilas(before)
        if not made_by_manila:
            # First of all, so that a call which dies here finds its own work again.
            _version.create(connection, checkfirst=True)
            metadata.create_all(connection, tables=list(_MANILA.values()), checkfirst=True)
        _refuse_missing(connection)
        from_revision, to_revision = _migrate(connection)
        created = _table_names(connection) - before
    return SyncReport(tuple(sorted(created)), from_revision, to_revision, made_by_manila)


def _table_names(connection: Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


def _is_manilas(names: Collection[str]) -> bool:
    """Tell Manila's database from an empty one and from one that we made or began to make."""
    if _MANILA_VERSION_TABLE not in names and VERSION_TABLE in names:
        return False
    if _MANILA.keys() & names:
        return True
    strangers = sorted(name for name in names if not is_lite(name))
    if strangers:
        raise DatabaseUnfit(reason=f"it holds tables that are not Manila's ({_some(strangers)})")
    return False


def _refuse_missing(connection: Connection) -> None:
    """Raise where tables that others made lack what we use; ours to make are no matter."""
    missing = missing_parts(connection)
    manilas = [name for name in missing if not is_ours(_table_of(name))]
    if manilas:
        raise DatabaseUnfit(
            reason=f"Manila's tables lack {_some(manilas)}; bring them up to date with "
            "'manila-manage db sync' of Manila 23 first. Nothing was changed"
        )
    volumes = [name for name in missing if _table_of(name) in CINDER_NAMES and "." in name]
    if volumes:
        raise DatabaseUnfit(
            reason=f"tables of volumes were found that lack {_some(volumes)}; they must be those "
            "of Cinder 2023.1 or later, or not be there. Nothing was changed"
        )


def _table_of(part: str) -> str:
    """Return the table's name of 'table' or 'table.column'."""
    return part.partition(".")[0]


def _some(names: list[str], most: int = 20) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _migrate(connection: Connection) -> tuple[str | None, str]:
    # Alembic takes as long to import as SQLAlchemy; the daemon does without.
    from alembic import command
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    from manila_lite.db.migrations.scope import config

    settings = config()
    settings.attributes["connection"] = connection
    head = str(ScriptDirectory.from_config(settings).get_current_head())
    before = current_revision(connection)
    try:
        if before != head:
            command.upgrade(settings, "head")
    except CommandError as error:
        raise DatabaseUnfit(
            reason=f"its lite_ tables are at revision {before}, which this release does not "
            f"know ({error}); use the release that made it or a newer one"
        ) from error
    return before, head


@contextlib.contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Keep other syncs out. SQLite's transaction has done so from its start."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_NUMBER)))
    if connection.dialect.name != "mysql":
        yield
        return
    # Named locks are the server's, not the database's.
    name = f"{_LOCK_NAME} {connection.engine.url.database}"[:64]
    if connection.execute(sa.select(sa.func.get_lock(name, _LOCK_SECONDS))).scalar() != 1:
        raise db_exc.RetryRequest(TimeoutError(f"lock {name!r} is held by another sync"))
    try:
        yield
    finally:
        connection.execute(sa.select(sa.func.release_lock(name)))


def _sqlite_file(database: Database) -> Path | None:
    url = database.url
    if database.dialect != "sqlite" or is_memory(url) or not url.database:
        return None
    return Path(url.database.removeprefix("file:"))


def _lacks_sqlite_file(database: Database) -> bool:
    """Whether a reader would complain of the directory, or make an empty file."""
    path = _sqlite_file(database)
    return path is not None and not path.exists()


def _make_sqlite_file(database: Database) -> None:
    """Create the file, for its owner's eyes only: drivers keep passwords in it."""
    path = _sqlite_file(database)
    if path is None:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
