# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from manila_lite import exception
from manila_lite.db import models
from tests.support.shares import Turns

UPDATE = "update_share_server_security_service"
CHECK = "check_update_share_server_security_service"


@pytest.fixture
def servers(site):
    """Two servers of the network, each with a share; the network and they are in change."""
    site.add_security_service("ldap")
    site.add_security_service("ldap-new", network=None)
    _, first = site.made()
    site.driver.answers["choose_share_server_compatible_with_share"] = None
    _, second = site.made()
    for table in (models.share_servers, models.share_networks):
        with site.database.writer() as connection:
            connection.execute(table.update().values(status="network_change"))
    return [first.id, second.id]


def share_on(site, server):
    return site.rows(models.share_instances, share_server_id=server)[0]


def network_status(site):
    return site.rows(models.share_networks)[0].status


def update(site, current=None):
    return site.do(
        "update_share_network_security_service", share_network_id="network",
        new_security_service_id="ldap-new", current_security_service_id=current,
    )  # fmt: skip


def test_each_server_gets_the_new_service(site, servers):
    site.driver.answers[UPDATE] = None

    operation = update(site, "ldap")

    assert operation["state"] == "succeeded"
    assert [site.server(key).status for key in servers] == ["active", "active"]
    assert network_status(site) == "active"
    [call, _] = [
        args
        for name, args in zip(site.driver.calls, site.driver.call_arguments, strict=True)
        if name[0] == UPDATE
    ]
    context, server, infos, instances, rules, new = call[0]
    assert (server["id"], new["id"]) == (servers[0], "ldap-new")
    assert infos[0]["security_services"][0]["id"] == "ldap"
    assert [i["id"] for i in instances] == [share_on(site, servers[0]).id]
    assert rules == [{"share_instance_id": instances[0]["id"], "access_rules": []}]
    assert call[1]["current_security_service"]["id"] == "ldap"
    for key in servers:
        details = json.loads(site.details(key)["security_service_ldap"])
        assert details["password"] == "secret of ldap-new"
    assert "secret" not in json.dumps(operation, default=str)


@pytest.mark.parametrize("current", [None, "ldap"])
def test_a_server_that_fails_is_in_error_and_the_others_go_on(site, servers, current):
    site.driver.answers[UPDATE] = Turns([exception.ShareBackendException(msg="no"), None])

    operation = update(site, current)

    assert [site.server(key).status for key in servers] == ["error", "active"]
    assert network_status(site) == "active"
    assert servers[0] in operation["result"]
    lost, fine = (share_on(site, key) for key in servers)
    expected = ("error", "error") if current else ("available", "active")
    assert (lost.status, lost.access_rules_status) == expected
    assert fine.status == "available"
    assert site.messages("ldap-new") == [("011", "001")]


def test_the_reason_of_a_server_that_fails_shows_no_password(site, servers):
    error = exception.ShareBackendException(msg="ldap: bind failed, password=swordfish")
    site.driver.answers[UPDATE] = error

    operation = update(site)

    assert servers[0] in operation["result"]
    assert "bind failed" in operation["result"]
    assert "swordfish" not in json.dumps(operation, default=str)


def test_rules_take_over_what_the_driver_says(site, servers):
    share = share_on(site, servers[0])
    record = {"share_id": share.share_id, "instance_id": share.id}
    site.add_rule(record, "10.0.0.2")
    site.add_rule(record, "10.0.0.3")
    site.driver.answers[UPDATE] = lambda context, server, infos, instances, *args, **kwargs: {
        share.id: {
            "rule-10.0.0.2": {"state": "error"},
            "rule-10.0.0.3": {"state": "active", "access_key": "secret key"},
            "odd": "no dictionary",
        }
    }

    operation = update(site)

    states = {r.access_id: r.state for r in site.rows(models.share_instance_access_map)}
    assert states == {"rule-10.0.0.2": "error", "rule-10.0.0.3": "active"}
    keys = {r.id: r.access_key for r in site.rows(models.share_access_map)}
    assert keys == {"rule-10.0.0.2": None, "rule-10.0.0.3": "secret key"}
    assert share_on(site, servers[0]).access_rules_status == "error"
    assert "secret" not in json.dumps(operation, default=str)


@pytest.mark.parametrize("key", ["x" * 256, 7])
def test_a_key_that_cannot_be_kept_puts_its_rule_into_error(site, servers, key):
    share = share_on(site, servers[0])
    site.add_rule({"share_id": share.share_id, "instance_id": share.id}, "10.0.0.2")
    site.driver.answers[UPDATE] = {share.id: {"rule-10.0.0.2": {"access_key": key}}}

    update(site)

    assert site.server(servers[0]).status == "active"
    [rule] = site.rows(models.share_access_map)
    [mapping] = site.rows(models.share_instance_access_map)
    assert (rule.access_key, mapping.state) == (None, "error")


def test_a_driver_that_cannot_do_it_loses_the_servers(site, servers):
    operation = update(site)

    assert "NotImplementedError" in operation["result"]
    assert [site.server(key).status for key in servers] == ["error", "error"]


def test_a_service_that_is_gone_ends_the_change(site, servers):
    operation = site.do(
        "update_share_network_security_service", share_network_id="network",
        new_security_service_id="none",
    )  # fmt: skip

    assert operation["error"] == "Security service none could not be found."
    assert [site.server(key).status for key in servers] == ["error", "error"]
    assert network_status(site) == "active"


def test_a_network_waits_for_the_servers_of_other_hosts(site, servers):
    site.driver.answers[UPDATE] = None
    with site.database.writer() as connection:
        table = models.share_servers
        connection.execute(table.update().where(table.c.id == servers[1]).values(host="o@b"))

    update(site)

    assert [site.server(key).status for key in servers] == ["active", "network_change"]
    assert network_status(site) == "network_change"


def test_an_interrupted_change_goes_on_where_it_was(site, servers):
    site.driver.answers[UPDATE] = None
    site.crash_in(
        "update_share_network_security_service", UPDATE, share_network_id="network",
        new_security_service_id="ldap-new",
    )  # fmt: skip
    site.run()

    assert [site.server(key).status for key in servers] == ["active", "active"]
    assert site.driver.called(UPDATE) == 3


# -- checks ------------------------------------------------------------------------------------


def check(site, current=None):
    return site.do(
        "check_update_share_network_security_service", share_network_id="network",
        new_security_service_id="ldap-new", current_security_service_id=current,
    )  # fmt: skip


def ask(site, key):
    row = {"entity_uuid": "network", "key": key, "value": '{"other@host": true}', "deleted": 0}
    with site.database.writer() as connection:
        connection.execute(models.async_operation_data.insert(), row)


def answers(site):
    return json.loads(site.rows(models.async_operation_data)[0].value)


@pytest.mark.parametrize(
    ("said", "supported"),
    [
        (Turns([True, True]), True),
        (Turns([True, False]), False),
        (NotImplementedError(), False),
        (exception.ShareBackendException(msg="no"), False),
    ],
)
def test_the_answer_is_left_where_the_api_looks(site, servers, said, supported):
    ask(site, "share_network_sec_service_update_ldap_ldap-new_hosts_check")
    site.driver.answers[CHECK] = said

    operation = check(site, "ldap")

    assert operation["state"] == "succeeded"
    assert answers(site) == {"other@host": True, "host@backend": supported}
    assert [site.server(key).status for key in servers] == ["network_change"] * 2


def test_an_addition_has_a_key_of_its_own(site, servers):
    ask(site, "share_network_sec_service_add_ldap-new_hosts_check")
    site.driver.answers[CHECK] = True

    check(site)

    assert answers(site)["host@backend"] is True


def test_a_check_that_fails_leaves_an_answer_too(site, servers):
    """An API that got none would wait for ever."""
    ask(site, "share_network_sec_service_add_ldap-new_hosts_check")
    with site.database.writer() as connection:
        connection.execute(models.security_services.update().values(deleted="x"))

    operation = check(site)

    assert (operation["state"], answers(site)["host@backend"]) == ("failed", False)
    assert "ldap-new" in operation["error"]


def test_nobody_asks(site, servers):
    site.driver.answers[CHECK] = True

    assert check(site)["state"] == "succeeded"
    assert site.rows(models.async_operation_data) == []
