# SPDX-License-Identifier: Apache-2.0
"""Sections [nova] and [callback]."""

import pytest

from manila_lite import exception
from manila_lite.conf import callback, nova
from manila_lite.conf.load import load

TOKEN = "0123456789abcdef"
MIDDLEWARE = (
    "auth_type = v3password\nauth_url = http://keystone/v3\nusername = x\npassword = secret\n"
    "user_domain_id = default\nwww_authenticate_uri = http://keystone/v3\n"
)


def configured(tmp_path, text):
    path = tmp_path / "lite.conf"
    path.write_text(text)
    return load([], [str(path)])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("endpoint_override = nova:8774", "http://"),
        ("endpoint_override = http://", "http://"),
        ("endpoint_override = http://nova:port/", "http://"),
        ("auth_type = none", "must be set where auth_type is none"),
        ("auth_type = nothing_of_that_name", "auth_type = nothing_of_that_name"),
        ("auth_type = v3password\nauth_url = http://k/v3\nusername = x", "domain"),
        ("auth_type = v3password", "auth_url"),
    ],
)
def test_nova_that_cannot_be_reached_is_refused(tmp_path, options, reason):
    with pytest.raises(exception.ConfigurationError, match=reason):
        nova.check(configured(tmp_path, f"[nova]\n{options}\n"))


@pytest.mark.parametrize(
    "options",
    [
        "",
        "auth_type = password\nauth_url = http://keystone/v3\nusername = x\npassword = y",
        "auth_type = none\nendpoint_override = https://[::1]:8774/v2.1",
        "auth_section = keystone_authtoken",
    ],
)
def test_nova_that_may_be_there_is_accepted(tmp_path, options):
    nova.check(configured(tmp_path, f"[nova]\n{options}\n"))


def test_section_of_a_cinder_conf_is_understood(tmp_path):
    conf = configured(
        tmp_path,
        "[nova]\nauth_plugin = password\ninterface = internal\nregion_name = North\n"
        "token_auth_url = http://keystone/v3\ncafile = /ca.pem\ninsecure = true\ntimeout = 7\n",
    )
    section = conf.nova
    assert (section.auth_type, section.interface, section.region_name) == (
        "password", "internal", "North",
    )  # fmt: skip
    assert (section.cafile, section.insecure, section.timeout) == ("/ca.pem", True, 7)
    assert nova.is_configured(conf)


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("", callback.NOBODY),
        ("[keystone_authtoken]\nauth_type = password\n", callback.KEYSTONE),
        (f"[callback]\ntoken = {TOKEN}\n", callback.TOKEN),
        (f"[callback]\ntoken = {TOKEN}\n[keystone_authtoken]\nauth_type = x\n", callback.TOKEN),
    ],
)
def test_callers_are_known_by_what_is_configured(tmp_path, text, way):
    assert callback.authentication(configured(tmp_path, text)) == way


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ("enabled = true\nlisten_host = 0.0.0.0", "listen_host"),
        ("enabled = true\nlisten_host = ::", "listen_host"),
        ("enabled = true\nlisten_host = storage.example.com", "listen_host"),
        ("token = short", "token"),
    ],
)
def test_end_point_that_anybody_could_use_is_refused(tmp_path, options, option):
    with pytest.raises(exception.ConfigurationError) as caught:
        callback.check(configured(tmp_path, f"[callback]\n{options}\n"))
    assert f"[callback] {option}" in str(caught.value)
    assert "short" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "[callback]\nlisten_host = 0.0.0.0\n",
        "[callback]\nenabled = true\n",
        "[callback]\nenabled = true\nlisten_host = ::1\n",
        f"[callback]\nenabled = true\nlisten_host = 0.0.0.0\ntoken = {TOKEN}\n",
        f"[callback]\nenabled = true\nlisten_host = 0.0.0.0\n[keystone_authtoken]\n{MIDDLEWARE}",
    ],
)
def test_end_point_that_is_guarded_off_or_local_is_accepted(tmp_path, text):
    callback.check(configured(tmp_path, text))


def test_keystone_without_a_role_lets_nobody_in_and_is_refused(tmp_path):
    text = "[callback]\nenabled = true\nroles =\n[keystone_authtoken]\nauth_type = x\n"
    with pytest.raises(exception.ConfigurationError, match="role"):
        callback.check(configured(tmp_path, text))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("", "must say how"),
        ("auth_type = nothing_of_that_name", "nothing_of_that_name"),
        ("auth_type = v3password", "auth_url"),
    ],
)
def test_keystone_that_cannot_be_asked_is_refused_before_anything_starts(tmp_path, options, reason):
    text = f"[callback]\nenabled = true\n[keystone_authtoken]\n{options}\n"
    with pytest.raises(exception.ConfigurationError, match=reason) as caught:
        callback.check(configured(tmp_path, text))
    assert "[keystone_authtoken] auth_type" in str(caught.value)
