# SPDX-License-Identifier: Apache-2.0
"""The namespace driver in a service that is an ordinary user: commands are all that root runs."""

import contextlib
import logging
import os
import shutil
from pathlib import Path

import pytest

from manila_lite import process
from manila_lite.testing import models
from tests.fixtures.namespaces import info
from tests.functional.drivers.conftest import NOBODY
from tests.functional.drivers.test_btrfs_users import as_user, become_root, execute  # noqa: F401
from tests.functional.exports.rules import ip
from tests.functional.namespaces.helpers import pids


@contextlib.contextmanager
def root():
    """A client's machine is not the service's."""
    become_root()
    try:
        yield
    finally:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)


@pytest.fixture
def client(site):
    """On the bridge before the driver finds it there."""
    process.execute("ip", "link", "add", "name", site.bridge, "type", "bridge")
    return site.client("10.9.0.100")


@pytest.fixture
def driver(site, client, request):
    for path in (site.root, site.directory):
        shutil.chown(path, NOBODY, NOBODY)
    request.getfixturevalue("as_user")
    return site.start(execute=execute)


def test_a_service_without_root_serves_tenants(site, driver, client, caplog):
    network = info("10.9.0.10")
    details = driver.setup_server(network, metadata={})
    server = {"id": details["server_id"], "backend_details": details}
    share = models.share(share_server_id=server["id"])
    (location,) = driver.create_share(None, share, share_server=server)
    driver.update_access(None, share, [ip("10.9.0.100")], [], [], share_server=server)
    (site.root / "shares" / share["name"] / "file").touch()
    before = pids(site, server)
    with caplog.at_level(logging.WARNING):
        driver.get_share_stats(refresh=True)
    assert (pids(site, server), caplog.messages) == (before, []), "it is known to be up"
    with root():
        assert client.ls(location["path"]) == ["file"]

    driver.delete_share(None, share, share_server=server)
    driver.teardown_server(server_details=details, security_services=[])
    assert list(site.directory.glob("[!.]*")) == []
    assert not Path(f"/run/netns/{details['namespace']}").exists()
