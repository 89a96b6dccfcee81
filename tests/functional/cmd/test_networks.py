# SPDX-License-Identifier: Apache-2.0
"""A tenant's network from the command line alone: no API, no broker, no Neutron."""

import os
from pathlib import Path

import pytest

from manila_lite.testing.drivers import CallJournal
from tests.support import server_drivers

ROOT = Path(__file__).parents[3]


@pytest.fixture
def shell(database_url, daemons, tmp_path, shell_of):
    calls = CallJournal(str(tmp_path / "calls"))
    options = {key: value for key, value in server_drivers.BACKEND.items() if key != "share_driver"}
    daemon = daemons(
        database_url,
        driver=server_drivers.PATH,
        backend={"scripted_journal": calls.path, **options},
        sections={"tenants": {**server_drivers.NETWORK, "network_api_class": "standalone"}},
    )
    # The driver is found from the root of the repository.
    daemon.start(PYTHONPATH=os.fspath(ROOT))
    daemon.wait_ready()
    return shell_of(daemon)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_share_on_a_network_of_a_project_and_all_of_it_gone_again(shell, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hush-hush\n")
    shell.type("share-network", "create", "--name", "office")
    service = ("security-service", "create", "ldap", "--name", "people")
    assert "hush" not in shell.type(*service, "--password-file", str(secret)).stdout
    shell.type("security-service", "attach", "people", "office")

    words = ("--name", "music", "--share-network", "office", "--wait", "--timeout", "30")
    share = shell.read("share", "create", "1", *words)
    assert share["status"] == "available"
    [server] = shell.read("share-server", "list")
    assert server["addresses"] == ["10.9.0.10"]
    [subnet] = shell.read("share-network", "show", "office")["subnets"]
    assert (subnet["cidr"], subnet["gateway"]) == ("10.9.0.0/24", "10.9.0.1")
    assert "in use by shares" in shell.type("share-network", "delete", "office", code=7).stderr

    shell.type("share", "delete", "music", "--wait")
    shell.type("share-server", "delete", server["id"], "--wait", "--timeout", "30")
    shell.type("share-network", "delete", "office")
