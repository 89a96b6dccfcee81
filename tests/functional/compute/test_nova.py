# SPDX-License-Identifier: Apache-2.0
"""Asking a Nova that refuses, hangs, hangs up or answers in part, over real connections."""

import contextlib
import json
import socket
from urllib.parse import parse_qs, urlsplit

import pytest

from manila_lite import exception
from manila_lite.compute import from_conf
from manila_lite.conf.load import load
from manila_lite.context import RequestContext
from tests.support.http_servers import (
    Keystone,
    ScriptedServer,
    cut_off,
    free_port,
    hang,
    hang_up,
    reply,
    reset,
)

VOLUME = "6c1ad4e2-0000-4000-8000-000000000001"
SNAPSHOT = "6c1ad4e2-0000-4000-8000-000000000002"
INFO = {"snapshot_id": SNAPSHOT, "type": "qcow2", "new_file": f"volume-{VOLUME}.{SNAPSHOT}"}
DELETE_INFO = {
    "type": "qcow2",
    "volume_id": VOLUME,
    "file_to_merge": f"volume-{VOLUME}.{SNAPSHOT}",
    "merge_target_file": f"volume-{VOLUME}",
}
CREATED = reply(200, {"snapshot": {"id": None, "volumeId": VOLUME}})
CONTEXT = RequestContext(user_id="alice", request_id="req-" + VOLUME, overwrite=False)
PASSWORD = "geheim-und-lang"


def api(tmp_path, **options):
    path = tmp_path / "lite.conf"
    lines = [f"{name} = {value}" for name, value in options.items()]
    path.write_text("\n".join(["[nova]", *lines]) + "\n")
    return from_conf(load([], [str(path)]))


def open_api(tmp_path, nova, **options):
    """Without Keystone."""
    settings = {"auth_type": "none", "endpoint_override": f"{nova.url}/v2.1", "timeout": 60}
    return api(tmp_path, **(settings | options))


def keystone_api(tmp_path, keystone, **options):
    settings = {
        "auth_type": "password",
        "auth_url": f"{keystone.url}/v3",
        "username": "lite",
        "password": PASSWORD,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "timeout": 60,
        "connect_retries": 0,
    }
    return api(tmp_path, **(settings | options))


def create(nova):
    return nova.create_volume_snapshot(CONTEXT, VOLUME, INFO)


@contextlib.contextmanager
def cloud(*script):
    nova = ScriptedServer(*script)
    keystone = Keystone({"lite": (PASSWORD, ["service"])}, {"compute": f"{nova.url}/v2.1/"})
    with nova.running(), keystone.running():
        yield nova, keystone


# Without Keystone.


def test_both_calls_arrive_as_nova_wants_them(tmp_path):
    with ScriptedServer(CREATED, reply(204)).running() as nova:
        client = open_api(tmp_path, nova)
        assert create(client) == {"id": None, "volumeId": VOLUME}
        client.delete_volume_snapshot(CONTEXT, SNAPSHOT, DELETE_INFO)
    made, deleted = nova.asked
    assert (made.method, made.path) == ("POST", "/v2.1/os-assisted-volume-snapshots")
    assert made.json == {"snapshot": {"volume_id": VOLUME, "create_info": INFO}}
    assert made.headers["Content-Type"] == "application/json"
    assert made.headers["X-OpenStack-Request-ID"] == "req-" + VOLUME
    parts = urlsplit(deleted.path)
    assert deleted.method == "DELETE"
    assert parts.path == f"/v2.1/os-assisted-volume-snapshots/{SNAPSHOT}"
    assert json.loads(parse_qs(parts.query)["delete_info"][0]) == DELETE_INFO


def test_connection_that_the_server_may_be_closing_is_not_used_again(tmp_path):
    def stay(server, handler):
        handler.answer(200, {})
        handler.close_connection = False

    with ScriptedServer(stay, stay).running() as nova:
        client = open_api(tmp_path, nova)
        create(client)
        create(client)
    first, second = nova.asked
    assert first.port != second.port


def test_refusal_carries_novas_words(tmp_path):
    words = {"badRequest": {"code": 400, "message": "Volume is attached to several guests"}}
    with (
        ScriptedServer(reply(400, words)).running() as nova,
        pytest.raises(exception.NovaRefused, match="several guests"),
    ):
        create(open_api(tmp_path, nova))


@pytest.mark.parametrize("fault", [hang, hang_up, reset, cut_off], ids=lambda act: act.__name__)
def test_request_that_nova_has_read_is_in_doubt_and_not_sent_again(tmp_path, fault):
    with (
        ScriptedServer(fault, CREATED, CREATED).running() as nova,
        pytest.raises(exception.NovaOutcomeUnknown) as caught,
    ):
        create(open_api(tmp_path, nova, timeout=3 if fault is hang else 60))
    assert len(nova.asked) == 1
    assert exception.classify(caught.value) is exception.ErrorKind.IN_DOUBT


def test_nobody_listening_is_tried_again_and_then_told(tmp_path):
    client = api(
        tmp_path,
        auth_type="none",
        endpoint_override=f"http://127.0.0.1:{free_port()}/v2.1",
        connect_retries=1,
    )
    with pytest.raises(exception.NovaUnavailable) as caught:
        create(client)
    assert exception.classify(caught.value) is exception.ErrorKind.TRANSIENT


def test_nova_that_takes_no_connection_is_unavailable_soon(tmp_path):
    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            # The kernel takes one or two, and lets the others wait.
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v2.1"
        client = api(tmp_path, auth_type="none", endpoint_override=url, timeout=1)
        with pytest.raises(exception.NovaUnavailable):
            create(client)


def test_name_that_does_not_exist_is_unavailable(tmp_path):
    client = api(
        tmp_path,
        auth_type="none",
        endpoint_override="http://nova.invalid:8774/v2.1",
        connect_retries=0,
    )
    with pytest.raises(exception.NovaUnavailable):
        create(client)


def test_nova_that_asks_for_patience_gets_it(tmp_path):
    busy = reply(503, b"", {"Retry-After": "1"})
    with ScriptedServer(busy, CREATED).running() as nova:
        create(open_api(tmp_path, nova))
    assert len(nova.asked) == 2


def test_proxy_whose_server_is_gone_leaves_it_in_doubt(tmp_path):
    with (
        ScriptedServer(reply(503, b"<html>"), CREATED).running() as nova,
        pytest.raises(exception.NovaOutcomeUnknown),
    ):
        create(open_api(tmp_path, nova))
    assert len(nova.asked) == 1


def test_redirection_is_told_and_not_followed(tmp_path):
    elsewhere = reply(302, b"", {"Location": "/v2.1/elsewhere"})
    with (
        ScriptedServer(elsewhere, CREATED).running() as nova,
        pytest.raises(exception.NovaMisconfigured, match="end point"),
    ):
        create(open_api(tmp_path, nova))
    assert len(nova.asked) == 1


def test_microversion_is_asked_for_where_it_is_set(tmp_path):
    with ScriptedServer(CREATED).running() as nova:
        create(open_api(tmp_path, nova, microversion="2.75"))
    assert nova.asked[0].headers["OpenStack-API-Version"] == "compute 2.75"


def test_connection_is_not_kept_for_a_later_request(tmp_path):
    with ScriptedServer(CREATED, CREATED).running() as nova:
        client = open_api(tmp_path, nova)
        create(client)
        create(client)
    assert [asked.headers["Connection"] for asked in nova.asked] == ["close", "close"]


# With Keystone.


def test_nova_is_found_in_the_catalogue_and_asked_with_a_token(tmp_path):
    with cloud(CREATED, CREATED) as (nova, keystone):
        client = keystone_api(tmp_path, keystone)
        create(client)
        create(client)
    assert [asked.path for asked in nova.asked] == ["/v2.1/os-assisted-volume-snapshots"] * 2
    assert {asked.headers["X-Auth-Token"] for asked in nova.asked} == {"token-0-of-lite"}


def test_token_that_nova_no_longer_takes_is_replaced_once(tmp_path):
    with cloud(reply(401), CREATED) as (nova, keystone):
        create(keystone_api(tmp_path, keystone))
    tokens = [asked.headers["X-Auth-Token"] for asked in nova.asked]
    assert tokens == ["token-0-of-lite", "token-1-of-lite"]


def test_nova_that_takes_no_token_is_a_matter_of_the_configuration(tmp_path):
    with (
        cloud(reply(401), reply(401), CREATED) as (nova, keystone),
        pytest.raises(exception.NovaMisconfigured, match="401"),
    ):
        create(keystone_api(tmp_path, keystone))
    assert len(nova.asked) == 2


def test_role_that_is_missing_is_a_matter_of_the_configuration(tmp_path):
    words = {"forbidden": {"code": 403, "message": "Policy doesn't allow create"}}
    with (
        cloud(reply(403, words)) as (_, keystone),
        pytest.raises(exception.NovaMisconfigured, match="Policy doesn't allow create"),
    ):
        create(keystone_api(tmp_path, keystone))


def test_wrong_password_is_told_without_the_password(tmp_path):
    with (
        cloud() as (nova, keystone),
        pytest.raises(exception.NovaMisconfigured) as caught,
    ):
        create(keystone_api(tmp_path, keystone, password="wrong-and-secret"))
    assert "wrong-and-secret" not in str(caught.value)
    assert nova.asked == []


def test_keystone_that_is_away_is_unavailable_and_nova_not_asked(tmp_path):
    with cloud(CREATED) as (nova, keystone):
        client = keystone_api(tmp_path, keystone, auth_url=f"http://127.0.0.1:{free_port()}/v3")
        with pytest.raises(exception.NovaUnavailable, match="Keystone"):
            create(client)
    assert nova.asked == []


@pytest.mark.parametrize("status", [500, 503])
def test_keystone_in_trouble_is_unavailable(tmp_path, status):
    with cloud(CREATED) as (nova, keystone):
        keystone.refuse = status
        with pytest.raises(exception.NovaUnavailable, match="Keystone"):
            create(keystone_api(tmp_path, keystone))
    assert nova.asked == []


def test_catalogue_without_nova_is_a_matter_of_the_configuration(tmp_path):
    with cloud(CREATED) as (_, keystone):
        client = keystone_api(tmp_path, keystone, region_name="elsewhere")
        with pytest.raises(exception.NovaMisconfigured):
            create(client)


def test_no_token_and_no_password_in_the_log(tmp_path, caplog):
    for logger in (None, "keystoneauth"):
        caplog.set_level("DEBUG", logger=logger)
    with cloud(CREATED, reply(401), CREATED) as (_, keystone):
        client = keystone_api(tmp_path, keystone)
        create(client)
        create(client)
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "Asking Nova" in text
    assert PASSWORD not in text
    assert "token-0-of-lite" not in text
