# SPDX-License-Identifier: Apache-2.0
"""The declared tables against the SQLite rendering of Manila's own declarations."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from manila_lite.db import models
from manila_lite.db.models import CINDER_NAMES, is_lite, is_ours, metadata

SCHEMA = Path(__file__).parents[2] / "data" / "manila-schema-sqlite.sql"

# Where Manila's classes differ from what its migrations made of the database; ours follow the
# latter, which tests/contract/database compares with PostgreSQL in full.
TYPES = {
    "project_user_quotas.resource": "VARCHAR(25)",
    "resource_locks.lock_context": "VARCHAR(16)",
    "resource_locks.resource_type": "VARCHAR(255)",
    "resource_locks.resource_action": "VARCHAR(255)",
    "share_backups.fail_reason": "VARCHAR(255)",
    "share_group_type_projects.share_group_type_id": "VARCHAR(36)",
    "share_instances.access_rules_status": "VARCHAR(255)",
    "share_networks.status": "VARCHAR(36)",
    "share_servers.status": "VARCHAR(32)",
    "share_snapshot_instance_access_map.state": "VARCHAR(255)",
    "share_type_projects.share_type_id": "VARCHAR(36)",
    "transfers.resource_type": "VARCHAR(255)",
}
FOREIGN_KEYS_ONLY_IN_CLASSES = {("share_groups.availability_zone_id", "availability_zones.id")}
FOREIGN_KEYS_ONLY_IN_MIGRATIONS = {("share_snapshots.share_id", "shares.id")}
INDEXES_ONLY_IN_CLASSES = {"ix_quotas_project_id"}
INDEXES_ONLY_IN_MIGRATIONS = {"share_instances_share_id_idx", "reservations_deleted_expire_idx"}


def reflected(script):
    """Reflect the tables that a script makes, without a file."""
    raw = sqlite3.connect(":memory:", check_same_thread=False)
    raw.executescript(script)
    engine = sa.create_engine("sqlite://", creator=lambda: raw, poolclass=sa.pool.StaticPool)
    found = sa.MetaData()
    found.reflect(engine)
    return found.tables


@pytest.fixture(scope="module")
def manila():
    return reflected(SCHEMA.read_text())


@pytest.fixture(scope="module")
def ours():
    engine = sa.create_engine("sqlite://")
    script = ";\n".join(
        str(sa.schema.CreateTable(table).compile(engine)) for table in metadata.sorted_tables
    )
    indexes = ";\n".join(
        str(sa.schema.CreateIndex(index).compile(engine))
        for table in metadata.sorted_tables
        for index in table.indexes
    )
    tables = reflected(f"{script};\n{indexes};")
    return {name: table for name, table in tables.items() if not is_ours(name)}


def pairs(manila, ours):
    return [(manila[name], ours[name]) for name in sorted(manila)]


def foreign_keys(tables):
    return {
        (f"{table.name}.{key.parent.name}", key.target_fullname)
        for table in tables.values()
        for key in table.foreign_keys
    }


def indexes(tables):
    return {
        index.name: (table.name, tuple(index.columns.keys()), bool(index.unique))
        for table in tables.values()
        for index in table.indexes
    }


def test_all_52_tables_of_manila_are_declared_and_no_other(manila, ours):
    assert len(manila) == 52
    assert set(ours) == set(manila)


def test_every_table_has_exactly_manilas_columns(manila, ours):
    for theirs, mine in pairs(manila, ours):
        assert set(mine.columns.keys()) == set(theirs.columns.keys()), theirs.name


def test_column_types_are_manilas_or_those_of_its_migrations(manila, ours):
    differing = {
        f"{theirs.name}.{column.name}": str(mine.columns[column.name].type)
        for theirs, mine in pairs(manila, ours)
        for column in theirs.columns
        if str(column.type) != str(mine.columns[column.name].type)
    }

    assert differing == TYPES


def test_primary_keys_are_manilas(manila, ours):
    for theirs, mine in pairs(manila, ours):
        assert mine.primary_key.columns.keys() == theirs.primary_key.columns.keys(), theirs.name


def test_foreign_keys_are_manilas_or_those_of_its_migrations(manila, ours):
    theirs, mine = foreign_keys(manila), foreign_keys(ours)

    assert theirs - mine == FOREIGN_KEYS_ONLY_IN_CLASSES
    assert mine - theirs == FOREIGN_KEYS_ONLY_IN_MIGRATIONS


def test_indexes_are_manilas_or_those_of_its_migrations(manila, ours):
    theirs, mine = indexes(manila), indexes(ours)

    assert set(theirs) - set(mine) == INDEXES_ONLY_IN_CLASSES
    assert set(mine) - set(theirs) == INDEXES_ONLY_IN_MIGRATIONS
    assert {name: mine[name] for name in theirs if name in mine} == {
        name: theirs[name] for name in theirs if name in mine
    }


def test_every_table_of_manila_is_an_attribute_under_its_own_name(ours):
    for name in ours:
        assert getattr(models, name) is metadata.tables[name]


def test_a_row_is_inserted_as_living_whichever_form_its_deleted_column_has():
    flags = {
        name: table.columns["deleted"].default.arg
        for name, table in metadata.tables.items()
        if not is_ours(name)
    }

    assert flags["shares"] == "False"
    assert flags["services"] == 0
    assert {repr(flag) for flag in flags.values()} == {"'False'", "0"}


def test_names_fit_every_database():
    names = [
        item.name
        for table in metadata.tables.values()
        for item in (*table.constraints, *table.indexes)
        if item.name
    ]

    assert max(len(str(name)) for name in names) <= 63


def test_the_tables_of_volumes_have_cinders_names_and_are_ours_to_make():
    for name in CINDER_NAMES:
        assert getattr(models, name) is metadata.tables[name]
        assert is_ours(name)
    assert {name for name in metadata.tables if is_ours(name) and not is_lite(name)} == CINDER_NAMES


def test_a_volume_is_inserted_as_living_by_a_boolean():
    for name in CINDER_NAMES:
        assert metadata.tables[name].columns["deleted"].default.arg is False


def test_the_tables_of_volumes_refer_to_each_other_only():
    referred = {
        key.column.table.name for name in CINDER_NAMES for key in metadata.tables[name].foreign_keys
    }

    assert referred <= CINDER_NAMES
