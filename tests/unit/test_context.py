# SPDX-License-Identifier: Apache-2.0
import copy
import datetime
import json
import pathlib

import pytest

from manila_lite import context

WIRE = pathlib.Path(__file__).parents[1] / "data" / "wire"


def recorded_context(name: str) -> dict:
    message = json.loads((WIRE / name).read_text())["oslo.message"]
    prefix = "_context_"
    return {key[len(prefix) :]: value for key, value in message.items() if key.startswith(prefix)}


@pytest.mark.parametrize("path", sorted(WIRE.glob("*.json")), ids=lambda path: path.stem)
def test_a_recorded_context_leaves_with_the_keys_and_values_it_came_with(path):
    recorded = recorded_context(path.name)
    sent = context.RequestContext.from_wire(recorded).to_wire()
    assert {**sent, "timestamp": None} == {**recorded, "timestamp": None}
    assert recorded["timestamp"].startswith(sent["timestamp"])


@pytest.mark.parametrize(
    "key",
    ["auth_token", "service_token", "auth_token_info", "x_Secret", "admin_password",
     "service_catalog", "api_key", "trust_credentials"],
)  # fmt: skip
def test_secrets_do_not_get_past_from_wire(key):
    made = context.RequestContext.from_wire({key: "hunter2", "user_id": "u"})
    assert made.user_id == "u"
    assert made.auth_token is None
    assert "hunter2" not in json.dumps(made.to_wire()) + json.dumps(made.to_journal())


def test_secrets_inside_unknown_keys_are_dropped_and_the_rest_is_kept():
    made = context.RequestContext.from_wire({"federation": [{"token": "t", "idp": "x"}]})
    assert made.to_wire()["federation"] == [{"idp": "x"}]


def test_unknown_keys_survive_the_journal():
    made = context.RequestContext.from_wire({"colour": "blue", "user_id": "u", "roles": ["r"]})
    again = context.RequestContext.from_journal(json.loads(json.dumps(made.to_journal())))
    assert again.to_wire() == made.to_wire()
    assert again.extra == {"colour": "blue"}


def test_an_old_name_does_not_replace_the_value_of_the_new_one():
    values = {"user_id": "new", "user": "old", "project": "only", "project_id": None}
    made = context.RequestContext.from_wire(values)
    assert (made.user_id, made.project_id) == ("new", "only")


def test_a_timestamp_with_a_zone_becomes_naive_utc():
    made = context.RequestContext.from_wire({"timestamp": "2026-01-02T03:04:05+02:00"})
    assert made.timestamp == datetime.datetime(2026, 1, 2, 1, 4, 5)


def test_a_timestamp_that_is_no_time_is_replaced_by_now():
    made = context.RequestContext.from_wire({"timestamp": "yesterday"})
    assert made.timestamp.tzinfo is None


def test_elevating_gives_an_administrator_and_leaves_the_user_as_it_was():
    user = context.RequestContext(user_id="u", project_id="p", overwrite=False)
    admin = user.elevated(read_deleted="yes")
    assert (admin.is_admin, admin.roles, admin.read_deleted) == (True, ["admin"], "yes")
    assert (user.is_admin, user.roles, user.read_deleted) == (False, [], "no")
    assert admin.request_id == user.request_id


def test_an_admin_context_is_as_manila_sends_it_with_its_capabilities():
    recorded = recorded_context("update_service_capabilities.to-schedulers.json")
    sent = context.get_admin_context().to_wire()
    differing = {key for key in recorded if recorded[key] != sent[key]}
    assert differing == {"request_id", "timestamp"}
    assert set(sent) == set(recorded)


def test_a_copy_shares_nothing_with_its_original():
    made = context.RequestContext(roles=["r"], extra={"a": [1]}, overwrite=False)
    twin = copy.deepcopy(made)
    twin.roles.append("admin")
    assert made.roles == ["r"]


def test_read_deleted_refuses_other_words():
    with pytest.raises(ValueError, match="read_deleted"):
        context.RequestContext(read_deleted="maybe", overwrite=False)
