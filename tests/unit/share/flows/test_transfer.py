# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import context as contexts
from manila_lite import exception
from manila_lite.db import models
from manila_lite.share.flows.metadata import update_share_from_metadata
from manila_lite.share.flows.transfer import transfer_accept
from tests.support.shares import POOL, PROJECT


@pytest.fixture
def share(site):
    return site.add_share("awaiting_transfer")


@pytest.fixture
def told(site):
    """What a driver that keeps owners was told, one entry for each share instance."""
    calls = []

    def accept(context, share, new_user, new_project, access_rules=None, share_server=None):
        calls.append((share["id"], new_user, new_project, access_rules, share_server))

    site.driver.transfer_accept = accept
    return calls


def accept(site, share, **options):
    transfer_accept(
        site.environment, contexts.get_admin_context(), share["share_id"], "user2", "project2",
        **options,
    )  # fmt: skip


def states(site):
    return [row["state"] for row in site.rows(models.share_instance_access_map)]


def test_the_driver_learns_of_the_new_owner_and_the_rows_are_the_apis(site, share, told):
    rule = site.add_rule(share)

    accept(site, share)

    ((key, user, project, rules, server),) = told
    assert (key, user, project, server) == (share["instance_id"], "user2", "project2", None)
    assert [found["access_id"] for found in rules] == [rule]
    assert site.share(share)["project_id"] == PROJECT
    assert (site.status(share), states(site)) == ("awaiting_transfer", ["active"])
    assert site.usage("shares") == (1, 1)


def test_a_driver_that_keeps_no_owners_has_nothing_to_do(site, share):
    accept(site, share, clear_rules=True)

    assert site.driver.calls == []


def test_nobody_keeps_access_where_rules_are_cleared(site, share, told):
    rules = [site.add_rule(share), site.add_rule(share, "10.0.0.3")]

    accept(site, share, clear_rules=True)

    denied = site.driver.argument("update_access", "delete_rules")
    assert sorted(rule["access_id"] for rule in denied) == sorted(rules)
    assert site.driver.argument("update_access", "access_rules") == []
    assert states(site) == ["deleted", "deleted"]
    assert {row["deleted"] for row in site.rows(models.share_access_map)} == set(rules)
    assert told[0][3] == []
    assert site.instance(share)["access_rules_status"] == "active"


def test_an_update_of_rules_under_way_comes_before_they_are_cleared(site, share, told, monkeypatch):
    """It could give access after all access was taken away."""
    site.add_rule(share)
    site.cast("update_access", share_instance_id=share["instance_id"])
    waits = []

    def wait(event, seconds):
        waits.append(seconds)
        site.run()

    monkeypatch.setattr(site.clock, "wait", wait)

    accept(site, share, clear_rules=True)

    assert (len(waits), states(site), len(told)) == (1, ["deleted"], 1)


def test_a_share_on_which_operations_do_not_end_is_not_transferred(site, share, told, monkeypatch):
    site.add_rule(share)
    site.cast("update_access", share_instance_id=share["instance_id"])
    monkeypatch.setattr(site.clock, "wait", lambda event, seconds: site.clock.advance(seconds))

    with pytest.raises(exception.ShareBusyException, match=share["share_id"]):
        accept(site, share, clear_rules=True)

    assert (told, states(site), site.driver.calls) == ([], ["active"], [])


def test_rules_that_cannot_be_cleared_stop_the_transfer_and_show_it(site, share, told):
    site.add_rule(share)
    site.driver.answers["update_access"] = RuntimeError("no")

    with pytest.raises(RuntimeError):
        accept(site, share, clear_rules=True)

    assert (told, states(site)) == ([], ["error"])
    assert site.instance(share)["access_rules_status"] == "error"


def test_clearing_can_be_asked_for_again(site, share, told):
    site.add_rule(share)
    site.driver.answers["update_access"] = RuntimeError("no")
    with pytest.raises(RuntimeError):
        accept(site, share, clear_rules=True)
    site.driver.answers["update_access"] = None

    accept(site, share, clear_rules=True)

    assert (len(told), states(site)) == (1, ["deleted"])


def test_a_driver_that_cannot_hand_over_rules_says_so_to_the_new_project(site, share):
    def refuse(*args, **kwargs):
        raise exception.DriverCannotTransferShareWithRules()

    site.driver.transfer_accept = refuse
    site.add_rule(share)

    with pytest.raises(exception.DriverCannotTransferShareWithRules):
        accept(site, share)

    assert site.messages(share["share_id"]) == [("026", "026")]
    assert site.rows(models.messages)[0]["project_id"] == "project2"
    assert states(site) == ["active"]


def test_another_error_of_the_driver_is_the_callers_to_know(site, share):
    def fail(*args, **kwargs):
        raise exception.ShareBackendException(msg="down")

    site.driver.transfer_accept = fail

    with pytest.raises(exception.ShareBackendException):
        accept(site, share)

    assert site.messages(share["share_id"]) == []


def test_on_a_share_server_the_driver_is_told_which(site, share, told):
    with site.database.writer() as connection:
        connection.execute(
            models.share_servers.insert(),
            {"id": "server", "host": POOL, "status": "active", "deleted": "False"},
        )
        connection.execute(models.share_instances.update().values(share_server_id="server"))

    accept(site, share)

    assert told[0][4]["id"] == "server"


def test_a_share_that_is_not_here_is_not_found(site):
    with pytest.raises(exception.ShareNotFound):
        accept(site, {"share_id": "nobody"})


# -- metadata that drivers act on --------------------------------------------------------------


def test_a_driver_that_acts_on_metadata_gets_them_and_the_user_is_told(site, share):
    seen = []

    def update(context, share, metadata, share_server=None):
        seen.append((share["id"], metadata, share_server))

    site.driver.update_share_from_metadata = update

    operation = site.do(
        update_share_from_metadata.__name__, share_id=share["share_id"], metadata={"policy": "hot"}
    )

    assert operation["state"] == "succeeded"
    assert seen == [(share["instance_id"], {"policy": "hot"}, None)]
    assert site.messages(share["share_id"]) == [("027", "029")]


@pytest.mark.parametrize("error", [None, RuntimeError("no"), exception.InvalidInput(reason="x")])
def test_metadata_that_a_driver_does_not_act_on_change_nothing_and_the_user_is_told(
    site, share, error
):
    def fail(*args, **kwargs):
        raise error

    if error is not None:
        site.driver.update_share_from_metadata = fail

    operation = site.do(
        update_share_from_metadata.__name__, share_id=share["share_id"], metadata={"policy": "hot"}
    )

    assert (operation["state"], site.status(share)) == ("failed", "awaiting_transfer")
    assert site.messages(share["share_id"]) == [("027", "030")]


def test_metadata_of_a_share_that_is_gone_are_nothing_to_act_on(site):
    operation = site.do(update_share_from_metadata.__name__, share_id="nobody", metadata={})

    assert "deleted" in operation["result"]
