# SPDX-License-Identifier: Apache-2.0
"""Small helpers for the database suites."""

import pytest
import sqlalchemy as sa

from manila_lite.db.models import shares

ADD = sa.update(shares).where(shares.c.id == sa.bindparam("b_id")).values(size=shares.c.size + 1)


class Sizes:
    """Rows of shares whose sizes the tests count with."""

    def __init__(self, database):
        self.database = database

    def create(self, *ids):
        with self.database.writer() as connection:
            connection.execute(shares.insert(), [{"id": key, "size": 0} for key in ids])

    def add(self, connection, key="one"):
        connection.execute(ADD, {"b_id": key})

    def read(self, key="one"):
        query = sa.select(shares.c.size).where(shares.c.id == key)
        return self.database.run(lambda connection: connection.execute(query).scalar(), write=False)


@pytest.fixture
def sizes(database):
    found = Sizes(database)
    found.create("one", "two")
    return found
