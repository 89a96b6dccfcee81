# SPDX-License-Identifier: Apache-2.0
"""The application: what it answers, what it records, and what it never does."""

import datetime
import json

import pytest
import webob

from manila_lite.callback.application import IDENTITY, Application, Discovery, Identity
from manila_lite.callback.faults import Unavailable

SNAPSHOT = "6c1ad4e2-0000-4000-8000-000000000002"
OTHER = "6c1ad4e2-0000-4000-8000-000000000009"
VOLUME = "6c1ad4e2-0000-4000-8000-000000000001"
PATH = f"/v3/demo/snapshots/{SNAPSHOT}"
REQUEST_ID = "req-6c1ad4e2-0000-4000-8000-00000000000a"
SERVICE = Identity("u", "p", ("service",))


class Site:
    """The application with one snapshot, and what it recorded."""

    def __init__(self, status="creating", max_body_bytes=1024):
        self.row = {
            "id": SNAPSHOT,
            "volume_id": VOLUME,
            "status": status,
            "progress": "0%",
            "volume_size": 3,
            "display_name": "monday",
            "display_description": None,
            "created_at": datetime.datetime(2026, 1, 2, 3, 4, 5),
            "metadata": {"a": "b"},
            "project_id": "demo",
        }
        self.recorded = []
        self.trouble = None
        self.application = Discovery(
            Application(self.journal, self.snapshot, max_body_bytes=max_body_bytes)
        )

    def journal(self, method, arguments, context, message_id):
        if self.trouble is not None:
            raise self.trouble
        self.recorded.append((method, arguments, context, message_id))

    def snapshot(self, snapshot_id):
        return self.row if snapshot_id == SNAPSHOT else None

    def ask(self, path=PATH, method="GET", identity=SERVICE, **options):
        request = webob.Request.blank(path, method=method, **options)
        if identity is not None:
            request.environ[IDENTITY] = identity
        return request.get_response(self.application)

    def update(self, status="creating", progress="90%", path=f"{PATH}/action", headers=None):
        values = {"os-update_snapshot_status": {"status": status, "progress": progress}}
        return self.ask(
            path, "POST", body=json.dumps(values).encode(), content_type="application/json",
            headers=headers or {},
        )  # fmt: skip


@pytest.fixture
def site():
    return Site()


def fault(answer):
    ((name, said),) = answer.json_body.items()
    assert said["code"] == answer.status_int
    return name, said["message"]


def test_callback_is_recorded_and_accepted(site):
    answer = site.update()
    assert (answer.status_int, answer.body) == (202, b"")
    ((method, arguments, context, message_id),) = site.recorded
    assert method == "update_snapshot_status"
    assert arguments == {"snapshot_id": SNAPSHOT, "status": "creating", "progress": "90%"}
    assert (context["user_id"], context["project_id"], context["roles"]) == ("u", "p", ["service"])
    assert len(message_id) == 32


@pytest.mark.parametrize("path", [f"/v3/snapshots/{SNAPSHOT}/action", f"{PATH}/action/"])
def test_project_may_be_left_out_of_the_path(site, path):
    assert site.update(path=path).status_int == 202


def test_callback_that_comes_twice_is_accepted_twice_under_two_ids(site):
    assert [site.update().status_int, site.update().status_int] == [202, 202]
    first, second = site.recorded
    assert first[1] == second[1]
    assert first[3] != second[3]


def test_request_id_of_the_caller_is_kept_and_rubbish_is_not(site):
    site.update(headers={"X-OpenStack-Request-ID": REQUEST_ID})
    site.update(headers={"X-OpenStack-Request-ID": "req-'; drop table"})
    known, rubbish = (context.get("global_request_id") for _, _, context, _ in site.recorded)
    assert (known, rubbish) == (REQUEST_ID, None)


def test_token_is_not_recorded(site):
    site.update(headers={"X-Auth-Token": "geheim", "X-Service-Token": "geheim"})
    assert "geheim" not in json.dumps(site.recorded)


@pytest.mark.parametrize(
    ("now", "said"),
    [("available", "creating"), ("creating", "deleting"), ("deleting", "available")],
)
def test_transition_that_is_not_accepted_is_a_bad_request_and_not_recorded(now, said):
    site = Site(status=now)
    answer = site.update(said)
    name, text = fault(answer)
    assert (answer.status_int, name, now in text) == (400, "badRequest", True)
    assert site.recorded == []


def test_snapshot_that_does_not_exist_is_not_found(site):
    for path in (f"/v3/demo/snapshots/{OTHER}", "/v3/demo/snapshots/nonsense"):
        assert fault(site.ask(path))[0] == "itemNotFound"
        assert fault(site.update(path=f"{path}/action"))[0] == "itemNotFound"
    assert site.recorded == []


@pytest.mark.parametrize(
    "path",
    ["/v2/demo/snapshots/" + SNAPSHOT, "/v3/demo/volumes/" + VOLUME, "/v3/demo/snapshots", "/x",
     "/v3/demo/x/snapshots/" + SNAPSHOT, PATH + "/metadata", PATH + "%0Ax", "/v3/%ff/snapshots"],
)  # fmt: skip
def test_anything_else_is_not_there(site, path):
    assert site.ask(path).status_int == 404


def test_wrong_method_is_told_the_right_one(site):
    answer = site.ask(f"{PATH}/action", "GET")
    assert (answer.status_int, answer.headers["Allow"]) == (405, "POST")
    assert site.ask(PATH, "DELETE").status_int == 405


def test_snapshot_is_shown_as_the_volume_api_shows_it(site):
    shown = site.ask().json_body["snapshot"]
    assert shown["status"] == "creating"
    assert (shown["id"], shown["volume_id"], shown["size"]) == (SNAPSHOT, VOLUME, 3)
    assert (shown["name"], shown["description"]) == ("monday", None)
    assert shown["created_at"] == "2026-01-02T03:04:05.000000"
    assert shown["os-extended-snapshot-attributes:progress"] == "0%"
    assert shown["os-extended-snapshot-attributes:project_id"] == "demo"


def test_body_that_is_too_large_is_refused():
    site = Site(max_body_bytes=100)
    answer = site.ask(f"{PATH}/action", "POST", body=b" " * 101, content_type="application/json")
    assert (answer.status_int, fault(answer)[0]) == (413, "overLimit")


def test_form_of_a_browser_is_refused(site):
    answer = site.ask(f"{PATH}/action", "POST", body=b"{}", content_type="text/plain")
    assert (answer.status_int, fault(answer)[0]) == (415, "badMediaType")


def test_who_is_not_known_gets_nothing(site):
    answer = site.ask(identity=None)
    assert (answer.status_int, fault(answer)[0]) == (401, "unauthorized")


def test_identity_cannot_come_from_outside(site):
    answer = site.ask(identity=None, headers={"manila_lite.identity": "x", "X-Roles": "admin"})
    assert answer.status_int == 401


def test_callback_that_cannot_be_recorded_is_not_accepted(site):
    site.trouble = Unavailable("no database")
    answer = site.update()
    assert (answer.status_int, answer.headers["Retry-After"]) == (503, "5")
    assert fault(answer) == ("serviceUnavailable", "no database")


def test_bug_is_told_without_its_inside(site):
    site.trouble = KeyError("secret detail")
    answer = site.update()
    assert (answer.status_int, fault(answer)[0]) == (500, "computeFault")
    assert b"secret" not in answer.body


@pytest.mark.parametrize("path", ["/", "", "/v3", "/v3/"])
def test_versions_are_told_to_anybody(site, path):
    answer = site.ask(path, identity=None)
    assert answer.status_int == (200 if "v3" in path else 300)
    (version,) = answer.json_body["versions"]
    assert (version["id"], version["min_version"]) == ("v3.0", "3.0")
    assert version["links"][0]["href"] == "http://localhost/v3/"


@pytest.mark.parametrize(
    ("asked", "status", "spoken"),
    [
        (None, 200, "volume 3.0"),
        ("volume 3.44", 200, "volume 3.44"),
        ("volume latest", 200, "volume 3.71"),
        ("volume 3.999", 406, "volume 3.0"),
        ("volume 4.0", 406, "volume 3.0"),
        ("compute 2.1", 400, "volume 3.0"),
    ],
)
def test_microversions_are_answered(site, asked, status, spoken):
    answer = site.ask(headers={"OpenStack-API-Version": asked} if asked else {})
    assert (answer.status_int, answer.headers["OpenStack-API-Version"]) == (status, spoken)


def test_path_cannot_begin_a_line_of_the_log(site, caplog):
    caplog.set_level("INFO")
    site.ask("/v3/demo/snapshots/x%0AERROR:%20forged")
    assert caplog.records
    assert not any("\n" in record.getMessage() for record in caplog.records)
