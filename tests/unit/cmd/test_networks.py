# SPDX-License-Identifier: Apache-2.0
"""manila-lite share-network and security-service."""

import pytest

from manila_lite.db import models, types

NOT_FOUND, REFUSED, USAGE = 3, 7, 2
PASSWORD = "hush-hush"


@pytest.fixture
def tenant(shell):
    return shell.read("share-network", "create", "--name", "tenant")


@pytest.fixture
def people(shell, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(f"{PASSWORD}\n")
    return shell.read(
        "security-service", "create", "ldap", "--name", "people", "--server", "10.0.0.9",
        "--user", "join", "--password-file", str(secret),
    )  # fmt: skip


def insert(shell, table, **row):
    with shell.site.database.writer() as connection:
        connection.execute(table.insert(), row)


def put_server_on(shell, subnet_id):
    insert(shell, models.share_servers, id="server", status="active", deleted="False")
    insert(
        shell, models.share_server_share_network_subnet_mappings,
        share_server_id="server", share_network_subnet_id=subnet_id, deleted=0,
    )  # fmt: skip


def test_a_network_is_made_with_one_subnet_listed_and_deleted(shell, tenant):
    assert (tenant["status"], tenant["project_id"]) == ("active", "admin")
    [subnet] = tenant["subnets"]
    assert (subnet["availability_zone"], subnet["cidr"]) == (None, None)
    [listed] = shell.read("share-network", "list")
    assert (listed["name"], listed["subnets"]) == ("tenant", 1)
    assert shell.read("share-network", "show", tenant["id"][:8]) == tenant
    assert shell.read("share-network", "list", "--project", "other") == []

    shell.type("share-network", "delete", "tenant")
    assert shell.read("share-network", "list") == []
    assert "tenant" in shell.refusal("share-network", "show", "tenant", code=NOT_FOUND)
    assert all(row["deleted"] != "False" for row in shell.site.rows(models.share_network_subnets))


def test_subnets_are_added_listed_and_removed(shell, tenant):
    with shell.site.database.writer() as connection:
        types.ensure_zone(connection, "east", shell.clock.now())
    words = ("--zone", "east", "--neutron-net", "net-1", "--neutron-subnet", "subnet-1")
    made = shell.read("share-network", "subnet", "add", "tenant", *words)
    assert (made["availability_zone"], made["neutron_net_id"]) == ("east", "net-1")
    listed = shell.read("share-network", "subnet", "list", "tenant")
    assert {row["availability_zone"] for row in listed} == {None, "east"}

    shell.type("share-network", "subnet", "remove", "tenant", made["id"])
    assert len(shell.read("share-network", "subnet", "list", "tenant")) == 1
    error = shell.refusal("share-network", "subnet", "remove", "tenant", made["id"], code=NOT_FOUND)
    assert made["id"] in error


def test_a_zone_that_no_service_is_in_is_refused(shell):
    assert "west" in shell.refusal("share-network", "create", "--zone", "west", code=NOT_FOUND)
    assert shell.read("share-network", "list") == []


def test_what_share_servers_are_on_is_neither_removed_nor_changed(shell, tenant, people):
    put_server_on(shell, tenant["subnets"][0]["id"])
    for words in (
        ("share-network", "delete", "tenant"),
        ("share-network", "subnet", "remove", "tenant", tenant["subnets"][0]["id"]),
        ("security-service", "attach", "people", "tenant"),
    ):
        assert "in use by share servers server" in shell.refusal(*words, code=REFUSED)
    assert shell.read("share-network", "show", "tenant") == tenant


def test_a_network_with_shares_is_not_deleted(shell, tenant):
    insert(
        shell, models.share_instances, id="instance", share_network_id=tenant["id"],
        deleted="False",
    )  # fmt: skip
    error = shell.refusal("share-network", "delete", "tenant", code=REFUSED)
    assert "in use by shares instance" in error


def test_a_security_service_is_made_and_its_password_never_shown(shell, people):
    assert shell.site.rows(models.security_services)[0]["password"] == PASSWORD
    listed = shell.type("security-service", "list").stdout
    shown = shell.type("security-service", "show", "people").stdout
    as_json = shell.type("--json", "security-service", "list").stdout
    assert "people" in listed and "10.0.0.9" in shown
    assert all(PASSWORD not in text for text in (str(people), listed, shown, as_json))
    assert "password" not in people


def test_security_services_are_attached_and_detached(shell, tenant, people):
    attached = shell.read("security-service", "attach", "people", "tenant")
    again = shell.read("security-service", "attach", "people", "tenant")
    assert attached == again
    assert attached["security_services"] == [{"id": people["id"], "type": "ldap", "name": "people"}]
    assert shell.read("security-service", "show", "people")["share_networks"] == [tenant["id"]]
    assert "in use by share networks" in shell.refusal("security-service", "delete", "people")
    other = shell.read("security-service", "create", "ldap", "--name", "other")
    assert "in use by security services" in shell.refusal(
        "security-service", "attach", other["id"], "tenant"
    )

    gone = shell.read("security-service", "detach", "people", "tenant")
    assert gone["security_services"] == []
    error = shell.refusal("security-service", "detach", "people", "tenant", code=NOT_FOUND)
    assert "is not attached" in error
    shell.type("security-service", "delete", "people")
    assert [row["name"] for row in shell.read("security-service", "list")] == ["other"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("nis",), "'nis' is none of: active_directory, kerberos, ldap"),
        (("ldap", "--domain", "d" * 256), "domain of a security service has more than 255"),
    ],
)
def test_security_services_that_cannot_be_are_refused(shell, words, error):
    assert error in shell.refusal("security-service", "create", *words, code=REFUSED)


def test_two_networks_of_one_name_have_to_be_told_apart(shell, tenant):
    shell.type("share-network", "create", "--name", "tenant")
    assert tenant["id"] in shell.refusal("share-network", "show", "tenant", code=REFUSED)
