# SPDX-License-Identifier: Apache-2.0
"""Casts from RabbitMQ become share servers that tenants use, also while the daemon is dead."""

import functools

import pytest

from manila_lite import states
from manila_lite.db import models
from tests.fixtures.daemon import poll
from tests.fixtures.databases import fresh_url
from tests.fixtures.namespaces import Site
from tests.functional.service.conftest import HOST, Service
from tests.functional.service.rows import now
from tests.support import server_drivers

POOL = f"{HOST}@alpha#tenants"


@pytest.fixture
def service(rabbitmq, site: Site, tmp_path):
    section = {
        **site.options(),
        "share_driver": "namespace",
        "share_backend_name": "tenants",
        "network_config_group": "network",
    }
    with fresh_url("sqlite", tmp_path) as url:
        made = Service(
            tmp_path,
            url,
            rabbitmq,
            default={"enabled_share_backends": "alpha"},
            sections={"alpha": section, "network": server_drivers.NETWORK},
        )
        try:
            made.start(f"{HOST}@alpha")
            yield made
        finally:
            made.close()


@pytest.fixture
def do(service):
    return functools.partial(service.do, service.raw())


@pytest.fixture
def new_share(service, do):
    """A share of a project of its own, which one address may use; its export location.

    All shares have the same name for their users.
    """

    def make(project: str, client: str):
        database = service.rows.database
        network = database.run(lambda c: server_drivers.add_network(c, project, now()))
        share = service.rows.share(POOL, share_network_id=network)
        named = models.shares.update().where(models.shares.c.id == share.share_id)
        database.run(lambda c: c.execute(named.values(display_name="data")))
        do("create_share_instance", share)
        service.rows.rule(share, client, states.ACCESS_QUEUED_TO_APPLY)
        do("update_access", share)
        (location,) = service.rows.exports(share)
        return share, location

    return make


def test_tenants_have_servers_of_their_own(service, site: Site, do, new_share, tmp_path):
    source = tmp_path / "source"
    source.write_text("from a client")
    red, red_location = new_share("red", "10.9.0.100")
    blue, blue_location = new_share("blue", "10.9.0.101")
    assert red_location.partition(":")[0] != blue_location.partition(":")[0]
    clients = {"red": site.client("10.9.0.100"), "blue": site.client("10.9.0.101")}
    assert clients["red"].write(red_location, "file", source) == ""
    assert "NFS4ERR_NOENT" in clients["blue"].ls(red_location)
    assert clients["blue"].write(blue_location, "other", source) == ""
    assert clients["blue"].ls(blue_location) == ["other"]
    assert clients["red"].ls(red_location) == ["file"]
    there = blue_location.partition(":")[0] + red_location[red_location.index(":") :]
    assert "NFS4ERR_NOENT" in clients["red"].ls(there), "what is on another server"

    service.daemon.kill()
    assert clients["red"].ls(red_location) == ["file"], "the server outlives the daemon"
    service.start(f"{HOST}@alpha")

    for share in (red, blue):
        service.rows.begin(share, states.DELETING)
        do("delete_share_instance", share)
    assert "NFS4ERR_NOENT" in clients["red"].ls(red_location)


def test_the_last_share_takes_its_server_along(service, site: Site, do, new_share):
    service.daemon.terminate()
    text = service.daemon.config.read_text()
    option = "delete_share_server_with_last_share = True"
    service.daemon.config.write_text(text.replace("[DEFAULT]", f"[DEFAULT]\n{option}"))
    service.start(f"{HOST}@alpha")
    share, location = new_share("red", "10.9.0.100")
    (server,) = service.rows.all(models.share_servers)
    assert (site.directory / server["id"]).is_dir()

    service.rows.begin(share, states.DELETING)
    do("delete_share_instance", share)
    poll(
        lambda: service.rows.one(models.share_servers, id=server["id"])["status"] == "deleted",
        "the deletion of the share server",
    )
    assert not (site.directory / server["id"]).exists()
