# SPDX-License-Identifier: Apache-2.0
import threading

import pytest
import sqlalchemy as sa

from manila_lite.db import models, quotas
from tests.contract.repositories.conftest import NOW

OWNER = {"project_id": "project", "user_id": "user"}


@pytest.fixture
def usage(database):
    """(in_use, reserved) of a usage row, by its id; made with 10 in use."""
    with database.writer() as connection:
        connection.execute(
            models.quota_usages.insert(),
            [
                {"id": 1, "project_id": "project", "user_id": "user", "resource": "gigabytes",
                 "in_use": 10, "reserved": 3, "deleted": 0, "share_type_id": None},
                {"id": 2, "project_id": "project", "user_id": None, "resource": "gigabytes",
                 "in_use": 10, "reserved": 3, "deleted": 0, "share_type_id": "type"},
                {"id": 3, "project_id": "other", "user_id": "user", "resource": "gigabytes",
                 "in_use": 10, "reserved": 3, "deleted": 0, "share_type_id": None},
            ],
        )  # fmt: skip

    def read(number=1):
        table = models.quota_usages
        with database.reader() as connection:
            query = sa.select(table.c.in_use, table.c.reserved).where(table.c.id == number)
            return tuple(connection.execute(query).one())

    return read


@pytest.fixture
def reserve(database, usage):
    def insert(uuid, delta=3, usage_id=1):
        with database.writer() as connection:
            connection.execute(
                models.reservations.insert(),
                {"uuid": uuid, "usage_id": usage_id, "delta": delta, "resource": "gigabytes",
                 "expire": NOW, "deleted": 0},
            )  # fmt: skip
        return uuid

    return insert


def test_a_commit_turns_what_was_reserved_into_usage(reserve, write, usage):
    write(quotas.commit([reserve("r")], NOW))

    assert usage() == (13, 0)


def test_a_roll_back_gives_back_what_was_reserved(reserve, write, usage):
    write(quotas.roll_back([reserve("r")], NOW))

    assert usage() == (10, 0)


@pytest.mark.parametrize("settle", [quotas.commit, quotas.roll_back])
@pytest.mark.parametrize("again", [quotas.commit, quotas.roll_back])
def test_a_reservation_is_settled_once(reserve, write, usage, settle, again):
    reserve("r")
    write(settle(["r"], NOW))
    settled = usage()

    write(again(["r"], NOW))

    assert usage() == settled


def test_a_reservation_that_takes_away_holds_nothing_reserved(reserve, write, usage):
    write(quotas.commit([reserve("r", delta=-4)], NOW))

    assert usage() == (6, 3)


def test_reservations_of_several_usages_are_settled_each_on_its_own(reserve, write, usage):
    reserve("by user", 3, 1)
    reserve("by type", 3, 2)

    write(quotas.commit(["by user", "by type"], NOW))

    assert (usage(1), usage(2), usage(3)) == ((13, 0), (13, 0), (10, 3))


@pytest.mark.parametrize("uuids", [None, [], ["unknown"]])
def test_no_reservation_and_an_unknown_one_change_nothing(write, usage, uuids):
    write(quotas.commit(uuids, NOW))

    assert usage() == (10, 3)


def test_only_reservations_that_are_not_settled_are_live(reserve, write, read):
    reserve("one")
    reserve("two")
    write(quotas.commit(["one"], NOW))

    assert read(quotas.live_reservations, ["one", "two", "three"]) == ["two"]
    assert read(quotas.live_reservations, None) == []


def test_neither_usage_nor_reserved_becomes_negative(reserve, write, usage):
    write(quotas.commit([reserve("r", delta=-40)], NOW))
    assert usage() == (0, 3)

    write(quotas.roll_back([reserve("s", delta=40)], NOW))
    assert usage() == (0, 0)


def test_a_change_counts_for_the_user_and_for_the_share_type(write, usage):
    write(quotas.change(OWNER, "type", {quotas.GIGABYTES: -4}, NOW))

    assert (usage(1), usage(2), usage(3)) == ((6, 3), (6, 3), (10, 3))


def test_changes_of_several_operations_in_one_transaction_add_up(write, usage):
    write(*(quotas.change(OWNER, "type", {quotas.GIGABYTES: -2}, NOW) for _ in range(4)))

    assert (usage(1), usage(2)) == ((2, 3), (2, 3))


def test_without_a_share_type_only_the_user_counts(write, usage):
    write(quotas.change(OWNER, None, {quotas.GIGABYTES: 1}, NOW))

    assert (usage(1), usage(2)) == ((11, 3), (10, 3))


def test_adding_makes_missing_rows_and_uses_those_that_are_there(site, change, read):
    for _ in range(2):
        change(quotas.add_usage, OWNER, "type", {quotas.SHARES: 1}, NOW)

    rows = read(quotas.list_usages, "project")
    assert [(r.user_id, r.share_type_id, r.in_use) for r in rows] == [
        ("user", None, 2),
        (None, "type", 2),
    ]


def test_two_who_add_the_first_usage_at_once_make_one_row(site, database, read):
    gate = threading.Barrier(2)

    def add():
        gate.wait(10)
        database.run(
            lambda connection: quotas.add_usage(connection, OWNER, None, {quotas.SHARES: 1}, NOW)
        )

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    [row] = read(quotas.list_usages, "project")
    assert row.in_use == 2
