# SPDX-License-Identifier: Apache-2.0
"""Who is let in, by each way of knowing callers."""

import pytest
import webob

from manila_lite.callback.application import IDENTITY
from manila_lite.callback.authentication import LocalOnly, RoleCheck, SharedToken, guarded
from manila_lite.conf.load import load

TOKEN = "0123456789abcdef-ünicode"
PATH = "/v3/demo/snapshots/x"


def inside(environ, start_response):
    """The guarded application: shows whom it was told to serve."""
    identity = environ[IDENTITY]
    return webob.Response(json_body=[identity.user_id, *identity.roles])(environ, start_response)


def ask(application, headers=None, address="127.0.0.1", path=PATH):
    request = webob.Request.blank(path, headers=headers or {})
    request.environ["REMOTE_ADDR"] = address
    return request.get_response(application)


def confirmed(roles, **more):
    return {"X-Identity-Status": "Confirmed", "X-Roles": roles, "X-User-Id": "u", **more}


def test_token_opens():
    answer = ask(SharedToken(inside, TOKEN), {"X-Auth-Token": TOKEN.encode().decode("latin-1")})
    assert answer.json_body == [None, "service"]


@pytest.mark.parametrize("given", [None, "", "0123456789abcde", TOKEN[:-1] + "x", "0" * 10000])
def test_any_other_token_does_not(given):
    headers = {} if given is None else {"X-Auth-Token": given.encode().decode("latin-1")}
    answer = ask(SharedToken(inside, TOKEN), headers)
    assert answer.status_int == 401
    assert answer.json_body["unauthorized"]["code"] == 401
    assert TOKEN not in answer.text


@pytest.mark.parametrize("roles", ["service", "member, Service", "reader,ADMIN"])
def test_role_opens_whatever_its_case(roles):
    assert ask(RoleCheck(inside, ["service", "admin"]), confirmed(roles)).json_body[0] == "u"


def test_role_of_the_service_that_speaks_for_a_user_opens():
    headers = confirmed(
        "member", **{"X-Service-Roles": "service", "X-Service-Identity-Status": "Confirmed"}
    )
    assert ask(RoleCheck(inside, ["service"]), headers).json_body == ["u", "member"]


def test_role_of_a_service_that_is_not_confirmed_does_not():
    headers = confirmed("member", **{"X-Service-Roles": "service"})
    assert ask(RoleCheck(inside, ["service"]), headers).status_int == 403


def test_user_without_the_role_is_forbidden():
    answer = ask(RoleCheck(inside, ["service"]), confirmed("member"))
    assert (answer.status_int, list(answer.json_body)) == (403, ["forbidden"])


@pytest.mark.parametrize("status", [None, "Invalid"])
def test_identity_that_is_not_confirmed_is_none(status):
    headers = confirmed("service")
    headers.pop("X-Identity-Status")
    if status is not None:
        headers["X-Identity-Status"] = status
    assert ask(RoleCheck(inside, ["service"]), headers).status_int == 401


@pytest.mark.parametrize(
    ("address", "status"),
    [("127.0.0.1", 200), ("127.9.9.9", 200), ("::1", 200), ("10.0.0.1", 403), ("", 403)],
)
def test_without_authentication_only_this_machine_is_let_in(address, status):
    assert ask(LocalOnly(inside), address=address).status_int == status


def test_configuration_decides_and_versions_stay_free(tmp_path):
    path = tmp_path / "lite.conf"
    path.write_text("[callback]\ntoken = 0123456789abcdef\n")
    application = guarded(inside, load([], [str(path)]))
    assert ask(application).status_int == 401
    assert ask(application, {"X-Auth-Token": "0123456789abcdef"}).status_int == 200
    assert ask(application, path="/v3/").status_int == 200
