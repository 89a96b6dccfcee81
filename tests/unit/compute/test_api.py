# SPDX-License-Identifier: Apache-2.0
"""The two calls: what is sent, and when it is sent again."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from manila_lite import exception
from manila_lite.compute import API, from_conf
from manila_lite.compute.answers import Answer
from manila_lite.conf.load import load
from manila_lite.context import RequestContext
from manila_lite.testing.clock import ManualClock

VOLUME = "6c1ad4e2-0000-4000-8000-000000000001"
SNAPSHOT = "6c1ad4e2-0000-4000-8000-000000000002"
INFO = {"snapshot_id": SNAPSHOT, "type": "qcow2", "new_file": f"volume-{VOLUME}.{SNAPSHOT}"}


class ScriptedLink:
    """Answers, or raises, what it was told, in order; keeps what was asked."""

    def __init__(self, *script):
        self.script = list(script)
        self.asked = []

    def request(self, method, path, *, headers, body=None):
        self.asked.append((method, path, dict(headers), body))
        act = self.script.pop(0)
        if isinstance(act, Exception):
            raise act
        return act


def unavailable():
    return exception.NovaUnavailable(reason="refused")


def api_of(link, retries=3):
    clock = ManualClock()
    return API(link, retries=retries, clock=clock), clock


def create(api, context=None):
    return api.create_volume_snapshot(context, VOLUME, INFO)


def test_creation_sends_volume_and_overlay():
    link = ScriptedLink(Answer(200, json.dumps({"snapshot": {"id": None, "volumeId": VOLUME}})))
    assert create(api_of(link)[0]) == {"id": None, "volumeId": VOLUME}
    method, path, _, body = link.asked[0]
    assert (method, path) == ("POST", "/os-assisted-volume-snapshots")
    assert json.loads(body) == {"snapshot": {"volume_id": VOLUME, "create_info": INFO}}


@pytest.mark.parametrize("text", ["", "{", '{"snapshot": {"id"'])
def test_creation_that_went_well_needs_no_readable_body(text):
    assert create(api_of(ScriptedLink(Answer(200, text)))[0]) == {}


def test_deletion_sends_everything_in_the_query():
    info = {"type": "qcow2", "volume_id": VOLUME, "file_to_merge": None, "merge_target_file": None}
    link = ScriptedLink(Answer(204))
    api_of(link)[0].delete_volume_snapshot(None, SNAPSHOT, info)
    method, path, _, body = link.asked[0]
    parts = urlsplit(path)
    assert (method, body) == ("DELETE", None)
    assert parts.path == f"/os-assisted-volume-snapshots/{SNAPSHOT}"
    assert json.loads(parse_qs(parts.query)["delete_info"][0]) == info


def test_id_cannot_lead_to_another_path():
    link = ScriptedLink(Answer(204))
    api_of(link)[0].delete_volume_snapshot(None, "../servers/x?y", {})
    assert link.asked[0][1].startswith("/os-assisted-volume-snapshots/..%2Fservers%2Fx%3Fy?")


def test_request_id_travels_along():
    link = ScriptedLink(Answer(200))
    context = RequestContext(request_id="req-" + VOLUME, overwrite=False)
    create(api_of(link)[0], context)
    assert link.asked[0][2] == {"X-OpenStack-Request-ID": "req-" + VOLUME}


def test_request_that_did_not_reach_nova_is_sent_again():
    link = ScriptedLink(unavailable(), unavailable(), Answer(200))
    api, clock = api_of(link)
    create(api)
    assert len(link.asked) == 3
    assert clock.monotonic() > 0


def test_tries_come_to_an_end():
    link = ScriptedLink(*[unavailable() for _ in range(10)])
    with pytest.raises(exception.NovaUnavailable):
        create(api_of(link, retries=3)[0])
    assert len(link.asked) == 4


@pytest.mark.parametrize(
    "act",
    [
        exception.NovaOutcomeUnknown(reason="cut off"),
        exception.NovaMisconfigured(reason="no user"),
        Answer(400),
        Answer(500),
        Answer(503),
        Answer(504),
    ],
    ids=str,
)
def test_request_that_may_have_reached_nova_is_never_sent_again(act):
    link = ScriptedLink(act, Answer(200))
    with pytest.raises(exception.ManilaException):
        create(api_of(link)[0])
    assert len(link.asked) == 1


def test_pause_that_nova_asks_for_is_kept():
    link = ScriptedLink(Answer(503, "", {"retry-after": "6"}), Answer(200))
    api, clock = api_of(link)
    create(api)
    assert clock.monotonic() >= 6
    assert len(link.asked) == 2


def test_long_pause_is_left_to_the_caller():
    link = ScriptedLink(Answer(503, "", {"retry-after": "120"}), Answer(200))
    api, clock = api_of(link)
    with pytest.raises(exception.NovaUnavailable):
        create(api)
    assert (len(link.asked), clock.monotonic()) == (1, 0)


def test_without_auth_type_there_is_no_nova(tmp_path):
    assert from_conf(configured(tmp_path, "")) is None


def test_without_keystone_an_address_is_enough(tmp_path):
    conf = configured(tmp_path, "auth_type = none\nendpoint_override = http://127.0.0.1:1/v2.1")
    assert isinstance(from_conf(conf), API)


@pytest.mark.parametrize("options", ["auth_type = nothing_of_that_name", "auth_type = v3password"])
def test_authentication_that_cannot_work_is_told(tmp_path, options):
    with pytest.raises(exception.NovaMisconfigured, match="nova"):
        from_conf(configured(tmp_path, options))


def test_authentication_may_stand_in_another_section(tmp_path):
    options = "auth_section = service_user\n[service_user]\nauth_type = v3password\n"
    options += "auth_url = http://127.0.0.1:1/v3\nusername = lite\npassword = geheim\n"
    options += "user_domain_id = default\n"
    assert isinstance(from_conf(configured(tmp_path, options)), API)


def configured(tmp_path, options):
    path = tmp_path / "lite.conf"
    path.write_text(f"[nova]\n{options}\n")
    return load([], [str(path)])
