# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.context import get_admin_context
from manila_lite.share.flows.servers.providing import provide_share_server
from tests.support.shares import Site


def provide(site, share, **options):
    return provide_share_server(
        site.environment, get_admin_context(), share["instance_id"], **options
    )


def test_a_new_server_is_being_set_up_when_its_id_is_returned(site):
    share = site.add_networked_share()

    server = provide(site, share, share_network_id="network")

    assert site.instance(share)["share_server_id"] == server
    assert site.server(server).status == "creating"
    site.run()
    assert site.server(server).status == "active"
    operation = site.do(
        "create_share_server", share_server_id=server, share_instance_id=share["instance_id"]
    )
    assert "the share server is active" in operation["result"]
    assert site.driver.called("_setup_server") == 1


def test_the_same_question_gets_the_same_answer(site):
    share = site.add_networked_share()

    assert provide(site, share) == provide(site, share)
    assert len(site.servers()) == 1


def test_another_network_than_the_shares_may_be_named(site):
    _, server = site.made()
    site.add_network("other")
    share = site.add_networked_share()

    found = provide(site, share, share_network_id="other")

    assert found != server.id


def test_a_share_from_a_snapshot_goes_to_the_servers_of_its_parent(site):
    parent, server = site.made()
    snapshot = site.add_snapshot(parent, "available")
    share = site.add_networked_share(None)

    assert provide(site, share, snapshot_id=snapshot["snapshot_id"]) == server.id


def test_a_server_that_is_set_up_for_others_is_not_waited_for_for_ever(site):
    server = site.add_server("creating")
    share = site.add_networked_share()

    with pytest.raises(exception.ShareServerNotReady, match=server):
        provide(site, share)


def test_what_is_not_there_is_an_error(site):
    share = site.add_networked_share()
    with pytest.raises(exception.ShareSnapshotNotFound):
        provide(site, share, snapshot_id="none")
    with pytest.raises(exception.NotFound):
        provide(site, {"instance_id": "none"})


def test_a_back_end_without_share_servers_provides_none():
    site = Site()
    with pytest.raises(exception.InvalidDriverMode):
        provide(site, site.add_share())
