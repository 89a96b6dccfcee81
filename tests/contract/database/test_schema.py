# SPDX-License-Identifier: Apache-2.0
"""Our tables on PostgreSQL against those that Manila's own migrations made there."""

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from manila_lite.db.models import is_ours
from manila_lite.db.session import Database
from tests.fixtures.databases import fresh_url, load_manila_schema

# Manila's migrations leave this table without its primary key; SQLite and MariaDB need one.
WITHOUT_KEY = {"drivers_private_data": ["entity_uuid", "key"]}


def reflected(engine):
    found = sa.MetaData()
    found.reflect(engine)
    tables = found.tables.items()
    return {n: t for n, t in tables if not is_ours(n) and n != "alembic_version"}


@pytest.fixture(scope="module")
def manila(tmp_path_factory):
    with fresh_url("postgresql", tmp_path_factory.mktemp("manila")) as url:
        database = Database(url)
        load_manila_schema(database._writer)
        yield reflected(database._writer)
        database.close()


@pytest.fixture(scope="module")
def ours(synced_url):
    database = Database(synced_url("postgresql"))
    yield reflected(database._writer)
    database.close()


def columns(table):
    return {
        column.name: (repr(type_of(column)), column.nullable, default_of(column))
        for column in table.columns
    }


def type_of(column):
    if isinstance(column.type, postgresql.ENUM):
        return column.type.name, column.type.enums
    return column.type


def default_of(column):
    """The server's default; numbered keys have a sequence whatever its name."""
    if column.server_default is None:
        return None
    text = str(column.server_default.arg)
    return "sequence" if text.startswith("nextval") else text


def uniques(table):
    return {
        constraint.name: set(constraint.columns.keys())
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    }


def foreign_keys(table):
    return {
        (key.constraint.name, key.parent.name, key.target_fullname, key.ondelete, key.onupdate)
        for key in table.foreign_keys
    }


def indexes(table):
    return {(i.name, tuple(i.columns.keys()), i.unique) for i in table.indexes}


def test_the_tables_are_the_same(manila, ours):
    assert set(ours) == set(manila)
    assert len(ours) == 52


@pytest.mark.parametrize("part", [columns, uniques, foreign_keys, indexes])
def test_every_part_of_every_table_is_the_same(manila, ours, part):
    for name in manila:
        assert (name, part(ours[name])) == (name, part(manila[name]))


def test_primary_keys_are_the_same_but_for_the_table_that_has_none(manila, ours):
    differing = {
        name: list(ours[name].primary_key.columns.keys())
        for name in manila
        if ours[name].primary_key.columns.keys() != manila[name].primary_key.columns.keys()
    }

    assert differing == WITHOUT_KEY
