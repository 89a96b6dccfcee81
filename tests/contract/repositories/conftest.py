# SPDX-License-Identifier: Apache-2.0
"""Repositories on SQLite, PostgreSQL and MariaDB, with rows as Manila's API makes them."""

import datetime

import pytest

from manila_lite.db.writes import execute_writes
from tests.support.shares import Site

NOW = datetime.datetime(2026, 5, 6, 7, 8, 9)


@pytest.fixture
def site(database):
    return Site(database)


@pytest.fixture
def write(database):
    """Carry out bundles of writes in one transaction."""

    def carry_out(*bundles):
        with database.writer() as connection:
            execute_writes(connection, bundles)

    return carry_out


@pytest.fixture
def read(database):
    """Call a repository's function with a connection."""

    def call(function, *args, **kwargs):
        with database.reader() as connection:
            return function(connection, *args, **kwargs)

    return call


@pytest.fixture
def change(database):
    """Call a repository's function inside a transaction."""

    def call(function, *args, **kwargs):
        with database.writer() as connection:
            return function(connection, *args, **kwargs)

    return call
