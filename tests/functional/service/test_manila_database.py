# SPDX-License-Identifier: Apache-2.0
"""The daemon on a database that Manila's own migrations made: nothing of Manila's is altered."""

import pytest
import sqlalchemy as sa

from manila_lite import states
from manila_lite.db import models
from manila_lite.db.session import Database
from tests.fixtures.databases import fresh_url, load_manila_schema
from tests.functional.service.conftest import ALPHA, BETA
from tests.functional.service.rows import SIZE


def shape(database):
    """Columns, keys and indexes of all tables but ours."""
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
            for name in inspector.get_table_names()
            if not models.is_ours(name)
        }


# The dumps are PostgreSQL's and SQLite's.
@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def manilas(request, tmp_path_factory):
    """URL and shape of a database as Manila leaves it."""
    with fresh_url(request.param, tmp_path_factory.mktemp("manila")) as url:
        database = Database(url)
        load_manila_schema(database._writer)
        before = shape(database)
        database.close()
        yield url, before


@pytest.fixture(scope="module")
def service(manilas, services, rabbitmq):
    url, _ = manilas
    made = services(url=url, broker=rabbitmq)
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="module")
def senders(service):
    return {"recorded": service.raw(), "share_api": service.api()}


@pytest.fixture
def do(do_recorded):
    return do_recorded


def test_a_shares_whole_life_leaves_manilas_tables_as_they_are(do, rows, service, manilas):
    share = rows.share(BETA)
    assert do("create_share_instance", share)["state"] == "succeeded"
    snapshot = rows.snapshot(share)
    assert do("create_snapshot", snapshot)["state"] == "succeeded"
    copy = rows.share(BETA, of=snapshot)
    do("create_share_instance", copy, snapshot_id=snapshot.snapshot_id)
    assert rows.status(copy) == states.AVAILABLE
    rows.begin(share, states.EXTENDING)
    reserved = rows.reserve(share, 1)
    do("extend_share", share, new_size=SIZE + 1, reservations=reserved)
    assert rows.of_share(share)["size"] == SIZE + 1
    rows.begin(share, states.SHRINKING)
    do("shrink_share", share, new_size=1)
    assert (rows.status(share), rows.of_share(share)["size"]) == (states.AVAILABLE, 1)
    rows.begin(snapshot, states.DELETING)
    do("delete_snapshot", snapshot)
    rows.begin(share, states.DELETING)
    do("delete_share_instance", share)
    assert rows.instance(share)["deleted"] == share.instance_id
    assert rows.usage(share)["gigabytes"][:2] == (0, 0)
    assert shape(service.daemon.database) == manilas[1]


def test_a_failure_is_told_in_manilas_messages(do, rows):
    share = rows.share(ALPHA, told="create_share=InvalidShare")
    do("create_share_instance", share)
    assert rows.status(share) == states.ERROR
    (message,) = rows.all(models.messages, resource_id=share.share_id)
    assert (message["project_id"], message["message_level"]) == (share.project_id, "ERROR")
    assert message["expires_at"] > message["created_at"]


def test_manilas_scheduler_finds_the_services(rows):
    found = rows.all(models.services, binary="manila-share", topic="manila-share", deleted=0)
    assert {row["host"] for row in found} == {"mbase@alpha", "mbase@beta"}
    assert {(row["state"], bool(row["disabled"])) for row in found} == {("up", False)}
