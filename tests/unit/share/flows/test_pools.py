# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.db import models
from manila_lite.share.flows import pools
from tests.support.shares import HOST, POOL


def without_pool(site, *shares):
    table = models.share_instances
    ids = [share["instance_id"] for share in shares]
    with site.database.writer() as connection:
        connection.execute(table.update().where(table.c.id.in_(ids)).values(host=HOST))


def ensure(site):
    return site.do("ensure_driver_resources", seconds=2)


def hosts(site, *shares):
    return [site.instance(share)["host"] for share in shares]


def test_a_share_without_a_pool_gets_the_one_that_the_driver_names(site):
    old, new = site.add_share("available"), site.add_share("available")
    without_pool(site, old)
    site.driver.answers["get_pool"] = "gold"

    assert ensure(site)["state"] == "succeeded"

    assert hosts(site, old, new) == [f"{HOST}#gold", POOL]
    assert site.driver.called("get_pool") == 1


@pytest.mark.parametrize("answer", [None, "", NotImplementedError("x"), RuntimeError("no")])
def test_a_share_of_which_the_driver_cannot_tell_stays_as_it_is(site, answer):
    share = site.add_share("available")
    without_pool(site, share)
    site.driver.answers["get_pool"] = answer

    assert ensure(site)["state"] == "succeeded"
    assert hosts(site, share) == [HOST]


@pytest.mark.parametrize("status", ["creating", "error", "deleting"])
def test_a_share_that_is_not_available_is_not_asked_about(site, status):
    share = site.add_share(status)
    without_pool(site, share)
    site.driver.answers["get_pool"] = "gold"

    ensure(site)

    assert hosts(site, share) == [HOST]


def test_shares_are_asked_about_page_after_page(site, monkeypatch):
    monkeypatch.setattr(pools, "PAGE", 2)
    shares = [site.add_share("available") for _ in range(5)]
    without_pool(site, *shares)
    site.driver.answers["get_pool"] = "gold"

    ensure(site)

    assert hosts(site, *shares) == [f"{HOST}#gold"] * 5
