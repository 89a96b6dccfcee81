# SPDX-License-Identifier: Apache-2.0
"""manila-lite service and pool."""

from manila_lite.db import reports, services
from tests.support.shares import HOST


def register(shell):
    with shell.site.database.writer() as connection:
        services.register(connection, HOST, "nova", shell.clock.now())


def test_a_service_that_has_just_reported_is_up(shell):
    register(shell)
    shell.read("share", "create", "1")
    found = shell.read("service", "list")[0]
    assert (found["host"], found["state"], found["status"]) == (HOST, "up", "enabled")
    assert found["operations"] == 1


def test_a_service_that_is_silent_for_service_down_time_is_down(shell):
    register(shell)
    shell.clock.advance(61)
    assert shell.read("service", "list")[0]["state"] == "down"


def test_no_warning_where_a_service_is_up(shell):
    register(shell)
    assert "No service" not in shell.type("share", "create", "1").stderr


def test_pools_are_those_of_the_last_report(shell):
    pool = {"pool_name": "fast", "total_capacity_gb": 10, "free_capacity_gb": 4}
    with shell.site.database.writer() as connection:
        report = {"storage_protocol": "NFS", "pools": [pool]}
        reports.keep(connection, HOST, report, shell.clock.now())
    found = shell.read("pool", "list")
    assert [(row["name"], row["free_capacity_gb"]) for row in found] == [(f"{HOST}#fast", 4)]
    assert found[0]["storage_protocol"] == "NFS"


def test_a_back_end_without_pools_is_one_pool(shell):
    with shell.site.database.writer() as connection:
        report = {"share_backend_name": "ONE", "free_capacity_gb": 7}
        reports.keep(connection, HOST, report, shell.clock.now())
    assert shell.read("pool", "list")[0]["name"] == f"{HOST}#ONE"


def test_there_is_no_scheduler_to_ask_without_a_broker(shell):
    shell.refusal("pool", "list", "--scheduler", code=6)


def test_empty_lists_say_so_to_people_and_are_lists_for_programs(shell):
    assert shell.type("service", "list").stdout == "No services.\n"
    assert shell.read("pool", "list") == []
