# SPDX-License-Identifier: Apache-2.0
"""Managing, unmanaging, reverting and transferring, from the broker to the rows and the storage."""

import pytest

from manila_lite import states
from manila_lite.context import RequestContext
from manila_lite.db import messages, models
from tests.functional.service.conftest import ALPHA, BETA
from tests.functional.service.rows import SIZE

REVERTED = messages.ACTION_REVERT_TO_SNAPSHOT


@pytest.fixture
def ask(service, senders):
    """Cast by our own client, of whom there are no recordings; wait for the operation's end."""

    def cast(method, share, **arguments):
        context = RequestContext(project_id="admin", user_id="admin", is_admin=True)
        senders["share_api"].api.send(context, method, share.host, **arguments)
        return service.ended(context.request_id)

    return cast


@pytest.fixture
def call(senders):
    """Call by our own client."""

    def call(method, share, **arguments):
        context = RequestContext(project_id="other", user_id="other", is_admin=True)
        return getattr(senders["share_api"].api, method)(context, share.host, **arguments)

    return call


def in_use(rows, share):
    return {resource: used[0] for resource, used in rows.usage(share).items()}


def managed(rows, pool, **columns):
    """A share as the API makes it for what is to be managed: nothing is counted yet."""
    share = rows.share(pool, states.MANAGE_STARTING, **columns)
    rows.database.run(
        lambda c: c.execute(
            models.quota_usages.delete().where(models.quota_usages.c.project_id == share.project_id)
        )
    )
    return share


def reverting(rows, **options):
    share = rows.share(ALPHA, states.REVERTING, **options)
    return share, rows.snapshot(share, states.RESTORING)


def test_a_share_goes_back_to_its_snapshot(do, rows, service):
    share, snapshot = reverting(rows)
    assert do("revert_to_snapshot", snapshot)["state"] == "succeeded"
    assert (rows.status(share), rows.status(snapshot)) == (states.AVAILABLE, states.AVAILABLE)
    assert service.called("revert_to_snapshot", snapshot.instance_id) == 1


def test_a_share_that_has_grown_since_gets_its_size_back(do_recorded, rows):
    share, snapshot = reverting(rows)
    set_size(rows, share, SIZE + 3)
    reserved = rows.reserve(share, -3)
    assert do_recorded("revert_to_snapshot", snapshot, reservations=reserved)["state"] == (
        "succeeded"
    )
    assert rows.of_share(share)["size"] == SIZE
    assert in_use(rows, share)["gigabytes"] == SIZE
    assert rows.reservations(reserved) == 0


def set_size(rows, share, size):
    shares, usages = models.shares, models.quota_usages

    def work(connection):
        connection.execute(shares.update().where(shares.c.id == share.share_id).values(size=size))
        connection.execute(
            usages.update()
            .where(usages.c.project_id == share.project_id, usages.c.resource == "gigabytes")
            .values(in_use=size)
        )

    rows.database.run(work)


def test_a_failed_revert_is_an_error_of_the_share_alone(do, rows):
    share, snapshot = reverting(rows, told="revert_to_snapshot=ShareBackendException")
    assert do("revert_to_snapshot", snapshot)["state"] == "failed"
    assert (rows.status(share), rows.status(snapshot)) == (
        states.REVERTING_ERROR, states.AVAILABLE,
    )  # fmt: skip
    expected = [(share.project_id, REVERTED, messages.DETAIL_UNKNOWN_ERROR)]
    assert rows.messages(share.share_id) == expected


def test_what_exists_is_managed_and_let_go_of(ask, rows, service):
    share = managed(rows, ALPHA)
    operation = ask("manage_share", share, share_id=share.share_id, driver_options={"size": "7"})
    assert operation["state"] == "succeeded"
    assert (rows.status(share), rows.of_share(share)["size"]) == (states.AVAILABLE, 7)
    assert rows.exports(share) == [f"null:/{share.name}"]
    assert in_use(rows, share) == {"shares": 1, "gigabytes": 7}
    snapshot = rows.snapshot(share, states.UNMANAGE_STARTING)
    assert ask("unmanage_snapshot", share, snapshot_id=snapshot.snapshot_id)["state"] == (
        "succeeded"
    )
    assert rows.of_snapshot(snapshot)["deleted"] == snapshot.instance_id
    rows.begin(share, states.UNMANAGE_STARTING)
    assert ask("unmanage_share", share, share_id=share.share_id)["state"] == "succeeded"
    assert rows.of_share(share)["deleted"] == share.share_id
    assert set(in_use(rows, share).values()) == {0}
    assert service.called("delete_share", share.instance_id) == 0


def test_a_share_that_the_driver_refuses_is_an_error_that_the_project_is_told(ask, rows):
    share = managed(rows, ALPHA, told="manage_existing=ManageInvalidShare")
    operation = ask("manage_share", share, share_id=share.share_id, driver_options={})
    assert operation["state"] == "failed"
    assert "manage_existing failed" in operation["error"]
    assert (rows.status(share), rows.of_share(share)["size"]) == (states.MANAGE_ERROR, 0)
    expected = [(share.project_id, messages.ACTION_CREATE, messages.DETAIL_UNKNOWN_ERROR)]
    assert rows.messages(share.share_id) == expected


def test_a_snapshot_that_exists_is_managed(ask, rows):
    share = rows.share(ALPHA, states.AVAILABLE)
    snapshot = rows.snapshot(share, states.MANAGE_STARTING)
    operation = ask(
        "manage_snapshot", share, snapshot_id=snapshot.snapshot_id, driver_options={"size": "5"}
    )
    assert operation["state"] == "succeeded"
    assert rows.of_snapshot(snapshot)["status"] == states.AVAILABLE
    assert rows.one(models.share_snapshots, id=snapshot.snapshot_id)["size"] == 5


def test_a_directory_becomes_a_share_and_stays_when_it_is_let_go_of(ask, rows, service):
    theirs = service.root / "theirs"
    theirs.mkdir()
    (theirs / "song").write_text("la")
    share = managed(rows, BETA)
    options = {"path": "theirs"}
    operation = ask("manage_share", share, share_id=share.share_id, driver_options=options)
    assert (operation["state"], operation["error"]) == ("succeeded", None)
    (path,) = rows.exports(share)
    assert path.startswith("files.example.org:/")
    rows.begin(share, states.UNMANAGE_STARTING)
    assert ask("unmanage_share", share, share_id=share.share_id)["state"] == "succeeded"
    found = service.root / "shares" / share.name / "song"
    assert found.read_text() == "la"


def test_nobody_keeps_access_to_a_share_that_goes_over_to_another_project(call, rows, service):
    share = rows.share(ALPHA, states.AWAITING_TRANSFER)
    rule, mapping = rows.rule(share)
    call(
        "transfer_accept", share, share_id=share.share_id, new_user="u2", new_project="p2",
        clear_rules=True,
    )  # fmt: skip
    assert rows.one(models.share_access_map, id=rule)["deleted"] == rule
    assert rows.one(models.share_instance_access_map, id=mapping)["deleted"] == mapping
    assert service.called("update_access", share.instance_id) == 1
    assert rows.of_share(share)["project_id"] == share.project_id


def test_metadata_that_the_driver_does_not_act_on_are_told_of(ask, rows):
    share = rows.share(ALPHA, states.AVAILABLE)
    operation = ask(
        "update_share_from_metadata", share, share_id=share.share_id, metadata={"a": "b"}
    )
    assert operation["state"] == "failed"
    assert rows.status(share) == states.AVAILABLE
    detail = messages.DETAIL_UPDATE_METADATA_FAILURE
    expected = [(share.project_id, messages.ACTION_UPDATE_METADATA, detail)]
    assert rows.messages(share.share_id) == expected
