# SPDX-License-Identifier: Apache-2.0
import datetime
import threading

import pytest

from manila_lite.db import backend_info, messages, models, private_data, services, types
from tests.contract.repositories.conftest import NOW

HOST = "host@backend"


def later(seconds):
    return NOW + datetime.timedelta(seconds=seconds)


def test_the_first_sign_of_life_makes_the_row_and_the_zone(change, site):
    made = change(services.register, HOST, "here", NOW)

    assert (made.host, made.binary, made.topic) == (HOST, "manila-share", "manila-share")
    assert (made.report_count, made.state, made.updated_at) == (1, "up", NOW)
    assert (made.disabled, made.ensuring) == (False, False)
    [zone] = site.rows(models.availability_zones)
    assert (zone.name, zone.id) == ("here", made.availability_zone_id)


def test_every_further_sign_of_life_counts_and_makes_no_row(change, site):
    change(services.register, HOST, "here", NOW)
    change(services.register, HOST, "here", later(10))

    [row] = site.rows(models.services)
    assert (row.report_count, row.updated_at, row.created_at) == (2, later(10), NOW)
    assert len(site.rows(models.availability_zones)) == 1


def test_a_service_that_was_disabled_stays_so(change, site):
    change(services.register, HOST, "here", NOW)
    with site.database.writer() as connection:
        connection.execute(models.services.update().values(disabled=True, disabled_reason="why"))

    again = change(services.register, HOST, "here", later(10))

    assert (again.disabled, again.disabled_reason) == (True, "why")


def test_services_of_other_back_ends_and_binaries_have_rows_of_their_own(change, write, site):
    change(services.register, HOST, "here", NOW)
    change(services.register, "host@backend2", "here", NOW)
    change(services.register, HOST, "here", NOW, binary="manila-data")

    write(services.beat(HOST, later(5)))

    counts = {(r.host, r.binary): r.report_count for r in site.rows(models.services)}
    assert counts == {
        (HOST, "manila-share"): 2,
        ("host@backend2", "manila-share"): 1,
        (HOST, "manila-data"): 1,
    }


@pytest.mark.parametrize(("age", "up"), [(59, True), (60, True), (61, False)])
def test_a_service_is_up_as_long_as_its_last_sign_of_life_is_young(change, read, age, up):
    change(services.register, HOST, "here", NOW)

    [found] = read(services.list_services, later(age), 60)

    assert (found.is_up, found.availability_zone) == (up, "here")


def test_a_service_that_was_stopped_is_down_at_once_and_comes_back(change, write, read):
    change(services.register, HOST, "here", NOW)
    write(services.stopped(HOST, NOW))
    assert read(services.list_services, NOW, 60)[0].is_up is False

    change(services.register, HOST, "here", NOW)

    assert read(services.list_services, NOW, 60)[0].is_up is True


def test_ensuring_is_a_flag_of_the_row(change, write, read):
    change(services.register, HOST, "here", NOW)

    write(services.ensuring(HOST, True))
    assert read(services.get_service, HOST).ensuring is True
    write(services.ensuring(HOST, False))
    assert read(services.get_service, HOST).ensuring is False


def test_two_who_need_the_same_zone_at_once_get_the_same_one(database, site):
    gate = threading.Barrier(2)
    found = []

    def need():
        gate.wait(10)
        found.append(database.run(lambda connection: types.ensure_zone(connection, "z", NOW)))

    threads = [threading.Thread(target=need) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    [zone] = site.rows(models.availability_zones)
    assert found == [zone.id, zone.id]


def test_a_share_type_is_found_by_name_and_by_id_with_its_extra_specs(write, read):
    specs = {"driver_handles_share_servers": "False", "snapshot_support": "True"}
    write(types.new_type("gold", specs, NOW, "type-id"))

    for wanted in ("gold", "type-id"):
        found = read(types.get_type, wanted)
        assert (found.id, found.name, found.extra_specs) == ("type-id", "gold", specs)
    assert read(types.get_type, "silver") is None
    assert [t.name for t in read(types.list_types)] == ["gold"]


# -- private data ------------------------------------------------------------------------------


def test_private_data_are_kept_by_entity_and_key(change, read):
    change(private_data.update, "e", {"a": "1", "b": "2"}, NOW)
    change(private_data.update, "e", {"a": "3"}, NOW)
    change(private_data.update, "f", {"a": "4"}, NOW)

    assert read(private_data.get, "e") == {"a": "3", "b": "2"}
    assert read(private_data.get_one, "f", "a") == "4"
    assert read(private_data.get_one, "f", "b") is None


def test_private_data_that_were_deleted_can_come_back(change, read):
    change(private_data.update, "e", {"a": "1", "b": "2"}, NOW)
    change(private_data.delete, "e", NOW, "a")
    assert read(private_data.get, "e") == {"b": "2"}
    change(private_data.delete, "e", NOW)
    assert read(private_data.get, "e") == {}

    change(private_data.update, "e", {"a": "1"}, NOW)
    # The same value at the same time: a row that matches but does not change.
    change(private_data.update, "e", {"a": "1"}, NOW)

    assert read(private_data.get, "e") == {"a": "1"}


def test_private_data_can_be_replaced_as_a_whole(change, read):
    change(private_data.update, "e", {"a": "1", "b": "2"}, NOW)

    change(private_data.update, "e", {"b": "3"}, NOW, delete_existing=True)

    assert read(private_data.get, "e") == {"b": "3"}


# -- hashes and messages -----------------------------------------------------------------------


def test_the_hash_of_a_back_end_is_kept_and_replaced(write, read):
    assert read(backend_info.get_hash, HOST) is None
    write(backend_info.set_hash(HOST, "one", NOW))
    assert read(backend_info.get_hash, HOST) == "one"
    write(backend_info.set_hash(HOST, "two", NOW))

    assert read(backend_info.get_hash, HOST) == "two"
    assert read(backend_info.get_hash, "host@other") is None


def test_a_message_is_listed_until_its_time_is_over(write, read):
    options = {"detail_id": "015", "request_id": "req-1"}
    write(messages.message("project", "SHARE", "share", "008", NOW, **options))

    [found] = read(messages.list_messages, "share")
    assert (found.project_id, found.action_id, found.detail_id) == ("project", "008", "015")
    assert (found.message_level, found.request_id) == ("ERROR", "req-1")
    write(messages.purge(later(messages.TIME_TO_LIVE - 1)))
    assert read(messages.list_messages, "share") == [found]
    write(messages.purge(later(messages.TIME_TO_LIVE + 1)))
    assert read(messages.list_messages, "share") == []


def test_without_a_project_there_is_nobody_to_tell():
    assert messages.message(None, "SHARE", "share", "008", NOW) == []
