# SPDX-License-Identifier: Apache-2.0
"""Backups under the daemon: casts with a row in them, as Manila's API sends them, become copies."""

import functools
import uuid
from pathlib import Path

import pytest

from manila_lite import states
from manila_lite.context import RequestContext
from manila_lite.db import backups, models
from manila_lite.db.records import Record
from manila_lite.testing import trees
from tests.functional.service.conftest import ALPHA, BETA
from tests.functional.service.rows import USER, now

SECRET = "the key of the vault"  # noqa: S105 - options of a backup may hold such things


@pytest.fixture(scope="module")
def api(service):
    return service.api().api


@pytest.fixture
def cast(service, api):
    """Cast a method with the backup's row, and return the operation when it is over."""

    def work(method, backup, **arguments):
        context = RequestContext(project_id="admin", user_id="admin", is_admin=True)
        row = {name: None if hasattr(v, "isoformat") else v for name, v in backup.items()}
        row["backup_options"] = {"key": SECRET}
        send = getattr(api, method)
        send(context, backup["host"], backup=row, **arguments)
        return service.ended(context.request_id)

    return work


def one_of(table, key, connection):
    return Record.of(connection.execute(table.select().where(table.c.id == key)).one())


@pytest.fixture
def look(rows):
    return lambda backup: rows.database.run(
        functools.partial(one_of, models.share_backups, backup["id"]), write=False
    )


@pytest.fixture
def ask(rows):
    """What the API does before it casts create_backup: returns the backup's row."""

    def work(share, connection):
        instance = one_of(models.share_instances, share.instance_id, connection)
        instance["size"] = one_of(models.shares, share.share_id, connection)["size"]
        host = share.host.partition("#")[0]
        made = backups.new_backup(
            connection, now(), instance, host=host, topic="manila-share",
            project_id=share.project_id, user_id=USER,
        )  # fmt: skip
        backups.set_source(connection, share.share_id, made)
        return one_of(models.share_backups, made, connection)

    def make(share):
        rows.begin(share, states.BACKUP_CREATING)
        return rows.database.run(functools.partial(work, share))

    return make


@pytest.fixture
def begin(rows):
    def work(backup, status):
        begun = functools.partial(backups.begin, backup_id=backup["id"], status=status, now=now())
        assert rows.database.run(begun)

    return work


def test_a_backup_is_made_restored_and_deleted(service, rows, do_recorded, cast, ask, look, begin):
    share = rows.share(BETA)
    do_recorded("create_share_instance", share)
    [location] = rows.exports(share)
    top = Path(location.partition(":")[2])
    trees.grow_zoo(top)
    then = trees.describe(top)
    backup = ask(share)

    operation = cast("create_backup", backup)

    assert operation["state"] == "succeeded"
    assert SECRET not in str(operation)
    made = look(backup)
    assert (made["status"], made["progress"]) == (states.AVAILABLE, "100")
    assert rows.status(share) == states.AVAILABLE
    copy = service.backups / "backups" / f"share-backup-{backup['id']}"
    assert trees.describe(copy) == then

    (top / "later").write_bytes(b"later")
    begin(backup, states.RESTORING)
    rows.begin(share, states.BACKUP_RESTORING)
    assert cast("restore_backup", backup, share_id=share.share_id)["state"] == "succeeded"
    assert trees.describe(top) == then
    assert (look(backup)["restore_progress"], rows.status(share)) == ("100", states.AVAILABLE)

    begin(backup, states.DELETING)
    assert cast("delete_backup", backup)["state"] == "succeeded"
    assert not copy.exists()
    assert look(backup)["deleted"] == backup["id"]


def test_a_driver_without_backups_says_so_in_the_rows(rows, cast, ask, look):
    share = rows.share(ALPHA, states.AVAILABLE)
    backup = ask(share)

    assert cast("create_backup", backup)["state"] == "failed"

    made = look(backup)
    assert made["status"] == states.ERROR
    assert "create_backup" in made["fail_reason"]
    assert rows.status(share) == states.AVAILABLE


def test_a_backup_of_which_there_is_no_row_ends_nothing(cast):
    lost = {"id": str(uuid.uuid4()), "host": BETA.partition("#")[0]}

    operation = cast("delete_backup", lost)

    assert "already deleted" in operation["result"]
