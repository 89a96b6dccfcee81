# SPDX-License-Identifier: Apache-2.0
"""Access rules from the broker to the rows, on each database.

update_access is sent as recorded from a running Manila, and by our own client.
"""

import pytest

from manila_lite import states
from manila_lite.context import RequestContext
from manila_lite.db import messages, models
from tests.fixtures.daemon import poll
from tests.functional.service.conftest import ALPHA


@pytest.fixture
def ask(service, senders):
    """Cast by our own client what no recording has, and wait for the operation's end."""

    def cast(method, host, **arguments):
        context = RequestContext(project_id="admin", user_id="admin", is_admin=True)
        getattr(senders["share_api"].api, method)(context, host, **arguments)
        return service.ended(context.request_id)

    return cast


def test_what_an_api_queued_is_applied_and_denied(do, rows, service):
    share = rows.share(ALPHA, states.AVAILABLE)
    new, _ = rows.rule(share, "10.0.0.1", "queued_to_apply")
    old, mapping = rows.rule(share, "10.0.0.2", "queued_to_deny")
    kept, _ = rows.rule(share, "10.0.0.3")

    operation = do("update_access", share)

    assert (operation["state"], operation["error"]) == ("succeeded", None)
    assert operation["resource_id"] == share.instance_id
    assert rows.rule_states(share) == {new: "active", kept: "active"}
    assert rows.instance(share)["access_rules_status"] == "active"
    assert rows.one(models.share_access_map, id=old)["deleted"] == old
    assert rows.one(models.share_instance_access_map, id=mapping)["deleted"] == mapping
    assert rows.messages(share.share_id) == []
    assert service.called("update_access", share.instance_id) == 1


def test_a_refused_rule_is_an_error_that_the_project_is_told(do, rows):
    share = rows.share(ALPHA, states.AVAILABLE, told="update_access=InvalidShareAccess")
    rule, _ = rows.rule(share, "10.0.0.1", "queued_to_apply")

    operation = do("update_access", share)

    assert operation["state"] == "failed"
    assert rows.rule_states(share) == {rule: "error"}
    assert rows.instance(share)["access_rules_status"] == "error"
    action, detail = messages.ACTION_UPDATE_ACCESS_RULES, messages.DETAIL_UNKNOWN_ERROR
    assert rows.messages(share.share_id) == [(share.project_id, action, detail)]


def test_rules_of_a_snapshot_that_cannot_be_mounted_are_an_error(ask, rows):
    snapshot = rows.snapshot(rows.share(ALPHA, states.AVAILABLE), states.AVAILABLE)
    rule = rows.rule_of_snapshot(snapshot)

    operation = ask("snapshot_update_access", ALPHA, snapshot_instance_id=snapshot.instance_id)

    assert operation["state"] == "failed"
    assert rows.rule_states(snapshot) == {rule: "error"}
    assert len(rows.messages(snapshot.snapshot_id)) == 1


def test_several_instances_are_updated_at_once(ask, rows):
    shares = [rows.share(ALPHA, states.AVAILABLE) for _ in range(2)]
    found = [rows.rule(share, state="queued_to_apply")[0] for share in shares]
    ids = [share.instance_id for share in shares]

    operation = ask(
        "update_access_for_instances", ALPHA, share_instance_ids=ids, share_server_id=None
    )

    assert operation["state"] == "succeeded"
    for share, rule in zip(shares, found, strict=True):
        active = lambda share=share, rule=rule: rows.rule_states(share) == {rule: "active"}  # noqa: E731
        poll(active, "the updates that the cast started")
