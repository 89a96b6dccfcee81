# SPDX-License-Identifier: Apache-2.0
"""`manila-lite db sync` on empty, on our own, and on Manila's databases."""

import os
import stat
import threading

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from manila_lite.db.migrations.scope import config, settings
from manila_lite.db.models import is_lite, is_ours, metadata
from manila_lite.db.models.base import CINDER_NAMES, HEAD_REVISION, VERSION_TABLE
from manila_lite.db.session import Database
from manila_lite.db.sync import DatabaseUnfit, current_revision, require_current, sync
from tests.fixtures.databases import load_manila_schema

OURS = sorted([VERSION_TABLE, *(name for name in metadata.tables if is_ours(name))])
ALL = sorted([VERSION_TABLE, *metadata.tables])

# The dumps are PostgreSQL's and SQLite's.
on_dumps = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def empty(empty_database_url):
    database = Database(empty_database_url)
    yield database
    database.close()


@pytest.fixture
def manilas(empty):
    load_manila_schema(empty._writer)
    return empty


def tables(database):
    with database.reader() as connection:
        return sorted(sa.inspect(connection).get_table_names())


def shape(database, names):
    """Everything that reflection tells about some tables."""
    with database.reader() as connection:
        inspector = sa.inspect(connection)
        return {
            name: (
                [{**column, "type": str(column["type"])} for column in inspector.get_columns(name)],
                inspector.get_pk_constraint(name),
                inspector.get_foreign_keys(name),
                inspector.get_unique_constraints(name),
                inspector.get_indexes(name),
            )
            for name in names
        }


def execute(database, *statements):
    with database.writer() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_an_empty_database_gets_every_table(empty):
    report = sync(empty)

    assert tables(empty) == ALL
    assert report.created_tables == tuple(ALL)
    assert (report.from_revision, report.to_revision) == (None, HEAD_REVISION)
    assert not report.made_by_manila
    assert str(len(ALL)) in str(report)


def test_a_second_sync_does_nothing(empty):
    sync(empty)
    before = shape(empty, ALL)

    report = sync(empty)

    assert not report.changed
    assert "nothing to do" in str(report)
    assert shape(empty, ALL) == before


@on_dumps
def test_a_database_of_manilas_gets_our_tables_and_keeps_its_own_as_they_were(manilas):
    theirs = tables(manilas)
    before = shape(manilas, theirs)

    report = sync(manilas)

    assert report.made_by_manila
    assert report.created_tables == tuple(OURS)
    assert tables(manilas) == sorted([*theirs, *OURS])
    assert shape(manilas, theirs) == before


@on_dumps
def test_an_older_manila_is_refused_and_left_alone(manilas):
    execute(
        manilas,
        "ALTER TABLE services DROP COLUMN ensuring",
        "DROP TABLE async_operation_data",
    )
    before = tables(manilas)

    with pytest.raises(DatabaseUnfit) as caught:
        sync(manilas)

    assert "services.ensuring" in str(caught.value)
    assert "async_operation_data" in str(caught.value)
    assert tables(manilas) == before


@on_dumps
def test_tables_of_volumes_that_are_there_already_are_left_as_they_are(manilas):
    with manilas.writer() as connection:
        metadata.create_all(connection, tables=[metadata.tables["volume_types"]])
    execute(manilas, "ALTER TABLE volume_types ADD COLUMN of_its_own INTEGER")
    before = shape(manilas, ["volume_types"])

    report = sync(manilas)

    assert "volume_types" not in report.created_tables
    assert "volumes" in report.created_tables
    assert shape(manilas, ["volume_types"]) == before


@on_dumps
def test_tables_of_volumes_that_lack_a_column_are_refused_and_left_alone(manilas):
    with manilas.writer() as connection:
        metadata.create_all(connection, tables=[metadata.tables["volumes"]])
    execute(manilas, "ALTER TABLE volumes DROP COLUMN previous_status")
    before = tables(manilas)

    with pytest.raises(DatabaseUnfit, match=r"volumes\.previous_status.*Cinder"):
        sync(manilas)

    assert tables(manilas) == before


def test_a_database_from_before_volumes_gets_their_tables(empty):
    sync(empty)
    doomed = [table for table in reversed(metadata.sorted_tables) if table.name in CINDER_NAMES]
    execute(empty, *(f"DROP TABLE {table.name}" for table in doomed))
    execute(empty, f"UPDATE {VERSION_TABLE} SET version_num = '0001'")

    report = sync(empty)

    assert report.created_tables == tuple(sorted(CINDER_NAMES))
    assert (report.from_revision, report.to_revision) == ("0001", HEAD_REVISION)
    assert tables(empty) == ALL


def test_a_database_of_somebody_else_is_refused_and_left_alone(empty):
    execute(empty, "CREATE TABLE customers (id INTEGER PRIMARY KEY)")

    with pytest.raises(DatabaseUnfit, match="customers"):
        sync(empty)

    assert tables(empty) == ["customers"]


def test_a_sync_that_died_half_way_is_completed_by_the_next(empty):
    sync(empty)
    complete = shape(empty, ALL)
    index = "DROP INDEX ix_lite_operations_lane"
    execute(
        empty,
        index if empty.dialect != "mysql" else f"{index} ON lite_operations",
        "DROP TABLE lite_workers",
        "DROP TABLE quotas",
        f"DELETE FROM {VERSION_TABLE}",
    )

    report = sync(empty)

    assert report.created_tables == ("lite_workers", "quotas")
    after = shape(empty, ALL)
    for found in (complete, after):
        for *_, indexes in found.values():
            indexes.sort(key=lambda index: index["name"])
    assert after == complete


def test_a_database_without_our_tables_is_brought_up_from_the_start(empty):
    sync(empty)
    with empty.writer() as connection:
        down = config()
        down.attributes["connection"] = connection
        command.downgrade(down, "base")
    assert not [name for name in tables(empty) if is_lite(name) and name != VERSION_TABLE]

    report = sync(empty)

    assert (report.from_revision, report.to_revision) == (None, HEAD_REVISION)
    assert tables(empty) == ALL


def test_a_database_of_a_newer_release_is_refused(empty):
    sync(empty)
    execute(empty, f"UPDATE {VERSION_TABLE} SET version_num = 'f9999'")

    with pytest.raises(DatabaseUnfit, match="f9999"):
        sync(empty)


def test_several_syncs_at_once_make_one_schema(empty_database_url):
    met = threading.Barrier(4, timeout=30)
    reports, errors = [], []

    def work():
        database = Database(empty_database_url)
        met.wait()
        try:
            reports.append(sync(database))
        except Exception as error:
            errors.append(error)
        database.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(len(report.created_tables) for report in reports) == [0, 0, 0, len(ALL)]


def test_models_and_migrations_agree(empty):
    sync(empty)
    options = settings()

    with empty.reader() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_a_column_that_no_migration_makes_would_be_noticed(empty):
    sync(empty)
    execute(empty, "ALTER TABLE lite_workers DROP COLUMN hostname")

    with empty.reader() as connection:
        context = MigrationContext.configure(connection, opts=settings())
        (difference,) = compare_metadata(context, metadata)
    assert difference[0] == "add_column"


def test_the_revision_is_what_a_start_asks_for(empty):
    with pytest.raises(DatabaseUnfit, match="db sync"):
        require_current(empty)
    sync(empty)

    require_current(empty)
    with empty.reader() as connection:
        assert current_revision(connection) == HEAD_REVISION
    execute(empty, f"UPDATE {VERSION_TABLE} SET version_num = '0000'")
    with pytest.raises(DatabaseUnfit, match="0000"):
        require_current(empty)


def test_the_newest_migration_is_the_revision_that_the_code_names():
    assert ScriptDirectory.from_config(config()).get_heads() == [HEAD_REVISION]


def test_a_new_sqlite_file_is_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "state" / "x.sqlite"
    before = os.umask(0)
    try:
        database = Database(f"sqlite:///{path}")
        sync(database)
        database.close()
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
