# SPDX-License-Identifier: Apache-2.0
"""Callbacks as Nova sends them: with python-cinderclient, and checked by Keystone's middleware."""

import sys

import pytest
import requests
from cinderclient import client as cinder_client
from cinderclient import exceptions as cinder_errors
from keystoneauth1 import discover, session, token_endpoint

from tests.functional.callback.conftest import SNAPSHOT, TOKEN, VOLUME
from tests.support.http_servers import Keystone

SERVICE_PASSWORD = "middleware-password"
OURS = ("lite", "lite-password")


def cinder(server, token=TOKEN):
    """As nova.volume.cinder makes it: no microversion, the end point from a template."""
    endpoint = f"http://127.0.0.1:{server.port}/v3/demo"
    auth = token_endpoint.Token(endpoint, token)
    return cinder_client.Client(
        "3.0", session=session.Session(), auth=auth, endpoint_override=endpoint, connect_retries=1
    ).volume_snapshots


def test_nova_reports_that_it_is_done(serve, site):
    snapshots = cinder(serve())
    snapshots.update_snapshot_status(SNAPSHOT, {"status": "creating", "progress": "90%"})
    ((method, arguments, _, _),) = site.recorded
    assert method == "update_snapshot_status"
    assert arguments == {"snapshot_id": SNAPSHOT, "status": "creating", "progress": "90%"}


def test_nova_polls_until_the_snapshot_is_no_longer_creating(serve, site):
    snapshots = cinder(serve())
    assert snapshots.get(SNAPSHOT).status == "creating"
    site.row["status"] = "available"
    found = snapshots.get(SNAPSHOT)
    # What nova.volume.cinder reads of it.
    assert (found.id, found.status, found.progress) == (SNAPSHOT, "available", "0%")
    assert (found.size, found.volume_id, found.project_id) == (1, VOLUME, "demo")
    assert (found.name, found.description, found.created_at) == ("monday", "by hand", None)


def test_errors_are_the_ones_that_nova_knows(serve, site):
    server = serve()
    snapshots = cinder(server)
    with pytest.raises(cinder_errors.NotFound, match="could not be found"):
        snapshots.get(VOLUME)
    with pytest.raises(cinder_errors.BadRequest, match="not allowed"):
        snapshots.update_snapshot_status(SNAPSHOT, {"status": "deleting", "progress": "90%"})
    with pytest.raises(cinder_errors.Unauthorized):
        cinder(server, "another-token-of-some-length").get(SNAPSHOT)
    assert site.recorded == []


def test_versions_are_found_without_a_token(serve):
    server = serve()
    for path in ("/", "/v3/"):
        found = discover.Discover(session.Session(), f"http://127.0.0.1:{server.port}{path}")
        assert found.url_for("3").endswith("/v3/")
    low, high = cinder_client.get_server_version(f"http://127.0.0.1:{server.port}/v3/demo")
    assert (low.get_string(), high.ver_major) == ("3.0", 3)


# With Keystone's middleware.


@pytest.fixture
def keystone():
    users = {
        "middleware": (SERVICE_PASSWORD, ["service"]),
        OURS[0]: (OURS[1], ["Service"]),
        "mallory": ("m", ["member"]),
        "nova": ("n", ["service"]),
    }
    with Keystone(users, {}).running() as running:
        yield running


@pytest.fixture
def guarded_server(serve, keystone):
    return serve(
        f"""
[keystone_authtoken]
www_authenticate_uri = {keystone.url}/v3
auth_type = v3password
auth_url = {keystone.url}/v3
auth_version = v3
username = middleware
password = {SERVICE_PASSWORD}
user_domain_id = default
project_name = service
project_domain_id = default
memcached_servers =
"""
    )


def token_of(keystone, name, password):
    body = {"auth": {"identity": {"password": {"user": {"name": name, "password": password}}}}}
    return requests.post(f"{keystone.url}/v3/auth/tokens", json=body, timeout=10).headers[
        "X-Subject-Token"
    ]


def call(server, token, **headers):
    return requests.post(
        f"http://127.0.0.1:{server.port}/v3/demo/snapshots/{SNAPSHOT}/action",
        json={"os-update_snapshot_status": {"status": "creating", "progress": "90%"}},
        headers={"X-Auth-Token": token, **headers},
        timeout=20,
    )


def test_token_of_a_service_is_let_in_and_its_user_recorded(guarded_server, keystone, site):
    answer = call(guarded_server, token_of(keystone, *OURS))
    assert (answer.status_code, answer.content) == (202, b"")
    ((_, _, context, _),) = site.recorded
    assert (context["user_id"], context["project_id"]) == ("id-of-lite", "service-project")
    assert not any("token" in str(value) for value in context.values())


@pytest.mark.parametrize(("name", "password", "status"), [("mallory", "m", 403), (None, None, 401)])
def test_others_are_not_let_in(guarded_server, keystone, site, name, password, status):
    token = token_of(keystone, name, password) if name else "made-up"
    forged = {"X-Roles": "admin", "X-Identity-Status": "Confirmed", "X-Service-Roles": "service"}
    assert call(guarded_server, token, **forged).status_code == status
    assert site.recorded == []


def test_user_whom_nova_speaks_for_is_let_in(guarded_server, keystone, site):
    user, nova = token_of(keystone, "mallory", "m"), token_of(keystone, "nova", "n")
    assert call(guarded_server, user, **{"X-Service-Token": nova}).status_code == 202
    assert len(site.recorded) == 1


def test_versions_are_free_with_keystone_too(guarded_server):
    answer = requests.get(f"http://127.0.0.1:{guarded_server.port}/v3", timeout=20)
    assert answer.json()["versions"][0]["id"] == "v3.0"


def test_no_eventlet_comes_along(guarded_server):
    assert "eventlet" not in sys.modules
