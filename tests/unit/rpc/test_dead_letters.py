# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from manila_lite.rpc.dead_letters import shown, without_secrets

SECRET = "gAAAA-hunter2"


def twice(values):
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(values)}).encode()


@pytest.mark.parametrize(
    "key", ["_context_auth_token", "service_token", "password", "admin_passwd", "X_Secret_Key"]
)
@pytest.mark.parametrize("value", [SECRET, f'a"{SECRET}', f"back\\slash{SECRET}", f"{SECRET}\\"])
def test_the_values_of_secrets_are_masked_in_the_inner_message(key, value):
    body = twice({"before": 1, key: value, "after": [key]})
    masked = without_secrets(body)
    assert SECRET.encode() not in masked
    assert json.loads(json.loads(masked)["oslo.message"]) == {
        "before": 1, key: "***", "after": [key],
    }  # fmt: skip


def test_secrets_are_masked_in_a_body_that_is_no_message():
    body = b'{"password": "hunter2", "a": 1} and then {"token":"t", "never closed'
    assert (
        without_secrets(body)
        == b'{"password": "***", "a": 1} and then {"token":"***", "never closed'
    )


def test_a_secret_that_is_cut_off_is_masked_to_the_end():
    assert without_secrets(b'{"auth_token": "hunter2...') == b'{"auth_token": "***'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x" * 10**6, "'" + "x" * 79 + "..."),
        (2**20000, "a number of 20001 bits"),
        ({"a": 1}, "an object of 1 entries"),
        ([1] * 10**6, "a list of 1000000 entries"),
        ("\u00e9\n", "'\\xe9\\n'"),
        (None, "None"),
    ],
    ids=range(6),
)
def test_values_are_shown_in_bounded_plain_text(value, text):
    assert shown(value) == text


def test_how_a_storage_lets_a_host_in_is_masked_in_objects_of_cinder():
    body = rb'{"oslo.message": "{\"provider_auth\": \"CHAP user geheim\", \"size\": 1}"}'

    assert without_secrets(body) == body.replace(b"CHAP user geheim", b"***")
