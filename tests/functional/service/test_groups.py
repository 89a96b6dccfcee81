# SPDX-License-Identifier: Apache-2.0
"""Casts about share groups, from the broker to the rows, on each database."""

from pathlib import Path

import pytest

from manila_lite import states
from manila_lite.db import group_creation, models, share_groups
from tests.functional.service.casting import envelope, recording
from tests.functional.service.conftest import ALPHA, BETA
from tests.functional.service.rows import USER, now

LIKE = "create_snapshot.to-share"


@pytest.fixture
def ask(service, senders):
    """Cast as Manila's API does, by a body of its form; wait for the operation's end."""
    numbers = iter(range(1000))

    def cast(method, server="mbase@alpha", **arguments):
        message = dict(recording(LIKE)["oslo.message"])
        unique = f"{method}-{next(numbers)}-{'-'.join(arguments.values())}"
        message.update(method=method, args=arguments, version="1.16", _unique_id=unique[:64])
        message["_context_request_id"] = f"req-{unique}"[:255]
        senders["recorded"].publish(envelope(message), server, like=LIKE)
        return service.ended(message["_context_request_id"])

    return cast


class Groups:
    def __init__(self, rows):
        self.rows = rows
        self.owner = {"project_id": "groups", "user_id": USER}

    def run(self, function, *args, **options):
        return self.rows.database.run(lambda c: function(c, *args, **options))

    def add(self, host=ALPHA, **options):
        return self.run(group_creation.new_group, now(), host=host, **self.owner, **options)

    def add_share(self, group_id, host=ALPHA, status=states.AVAILABLE, **options):
        share = self.rows.share(host, status, **options)
        self.run(group_creation.put_in_group, share.share_id, group_id)
        return share

    def add_snapshot(self, group_id):
        def work(connection):
            instances = share_groups.shares_of_group(connection, group_id)
            return group_creation.new_group_snapshot(
                connection, now(), {"id": group_id}, instances, **self.owner
            )

        return self.rows.database.run(work)

    def add_copy(self, snapshot_id, host=ALPHA):
        group_id = self.add(host, source_id=snapshot_id)

        def work(connection):
            snapshot = share_groups.get_group_snapshot(connection, snapshot_id)
            group_creation.new_shares_of_snapshot(connection, now(), group_id, snapshot, self.owner)

        self.rows.database.run(work)
        return group_id

    def set(self, table, key, status):
        self.rows.database.run(
            lambda c: c.execute(table.update().where(table.c.id == key).values(status=status))
        )

    def group(self, group_id):
        return self.rows.one(models.share_groups, id=group_id)

    def snapshot(self, snapshot_id):
        return self.rows.one(models.share_group_snapshots, id=snapshot_id)

    def members(self, snapshot_id):
        return self.rows.all(models.share_snapshot_instances, share_group_snapshot_id=snapshot_id)


@pytest.fixture
def groups(rows):
    return Groups(rows)


def test_a_group_from_its_creation_to_its_deletion(ask, groups):
    group_id = groups.add()

    assert ask("create_share_group", share_group_id=group_id)["state"] == "succeeded"
    row = groups.group(group_id)
    assert (row["status"], row["consistent_snapshot_support"]) == ("available", None)
    assert row["availability_zone_id"] is not None

    groups.set(models.share_groups, group_id, states.DELETING)
    assert ask("delete_share_group", share_group_id=group_id)["state"] == "succeeded"
    assert groups.group(group_id)["deleted"] == group_id


def test_a_group_snapshot_and_a_group_that_is_made_from_it(ask, groups, rows, service):
    group_id = groups.add()
    ask("create_share_group", share_group_id=group_id)
    shares = [groups.add_share(group_id) for _ in range(2)]
    snapshot_id = groups.add_snapshot(group_id)

    taken = ask("create_share_group_snapshot", share_group_snapshot_id=snapshot_id)

    assert (taken["state"], groups.snapshot(snapshot_id)["status"]) == ("succeeded", "available")
    members = groups.members(snapshot_id)
    assert {member["share_instance_id"] for member in members} == {s.instance_id for s in shares}
    for member in members:
        assert (member["status"], member["progress"]) == ("available", "100%")
        assert member["provider_location"] == f"share-snapshot-{member['id']}"
        assert service.called("create_snapshot", member["id"]) == 1

    copy = groups.add_copy(snapshot_id)
    assert ask("create_share_group", share_group_id=copy)["state"] == "succeeded"
    assert groups.group(copy)["status"] == "available"
    with rows.database.reader() as connection:
        made = share_groups.shares_of_group(connection, copy)
    assert [share["status"] for share in made] == ["available"] * 2
    for share in made:
        assert share["export_location"] == f"null:/share-{share['id']}"
        assert service.called("create_share_from_snapshot", share["id"]) == 1

    groups.set(models.share_group_snapshots, snapshot_id, states.DELETING)
    ended = ask("delete_share_group_snapshot", share_group_snapshot_id=snapshot_id)
    assert ended["state"] == "succeeded"
    assert groups.snapshot(snapshot_id)["deleted"] == snapshot_id
    for member in groups.members(snapshot_id):
        assert member["deleted"] == member["id"]
        assert service.called("delete_snapshot", member["id"]) == 1


def test_a_group_snapshot_of_which_one_share_fails_is_undone(ask, groups, rows, service):
    group_id = groups.add()
    groups.add_share(group_id)
    groups.add_share(group_id, told="create_snapshot=InvalidShare")
    snapshot_id = groups.add_snapshot(group_id)

    operation = ask("create_share_group_snapshot", share_group_snapshot_id=snapshot_id)

    assert operation["state"] == "failed"
    assert groups.snapshot(snapshot_id)["status"] == "error"
    members = groups.members(snapshot_id)
    assert [member["status"] for member in members] == ["error"] * 2
    made = sum(service.called("create_snapshot", m["id"], "end") for m in members)
    undone = sum(service.called("delete_snapshot", m["id"], "end") for m in members)
    assert made == undone
    assert rows.messages(group_id) == [("groups", "002", "001")]


def test_a_copy_of_a_group_of_directories_holds_what_the_shares_held(
    ask, groups, rows, do_recorded
):
    beta = BETA.partition("#")[0]
    group_id = groups.add(BETA)
    ask("create_share_group", beta, share_group_id=group_id)
    shares = [groups.add_share(group_id, BETA, states.CREATING) for _ in range(2)]
    for number, share in enumerate(shares):
        do_recorded("create_share_instance", share)
        write(rows.exports(share), f"then {number}")
    snapshot_id = groups.add_snapshot(group_id)

    taken = ask("create_share_group_snapshot", beta, share_group_snapshot_id=snapshot_id)
    for share in shares:
        write(rows.exports(share), "now")
    copy = groups.add_copy(snapshot_id, BETA)
    made = ask("create_share_group", beta, share_group_id=copy)

    assert (taken["state"], made["state"]) == ("succeeded", "succeeded")
    with rows.database.reader() as connection:
        copies = share_groups.shares_of_group(connection, copy)
    assert {read([share["export_location"]]) for share in copies} == {"then 0", "then 1"}
    groups.set(models.share_group_snapshots, snapshot_id, states.DELETING)
    ended = ask("delete_share_group_snapshot", beta, share_group_snapshot_id=snapshot_id)
    assert ended["state"] == "succeeded"


def file_in(exports):
    return Path(exports[0].partition(":")[2]) / "file"


def write(exports, text):
    file_in(exports).write_text(text)


def read(exports):
    return file_in(exports).read_text()
