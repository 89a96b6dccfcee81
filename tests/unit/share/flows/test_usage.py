# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.share import flows


@pytest.fixture
def told(site):
    events = []
    site.environment.notify = lambda context, event, payload: events.append((event, payload))
    return events


def test_the_used_space_of_available_shares_goes_out_as_notifications(site, told):
    share = site.add_share("available")
    site.add_share("deleting")
    site.driver.answers["update_share_usage_size"] = lambda context, shares: [
        {"id": s["id"], "used_size": "1.5", "gathered_at": "then"} for s in shares
    ]

    returned = flows.update_share_usage(site.environment)

    [(event, payload)] = told
    assert event == "share.consumed.size"
    assert (payload["share_id"], payload["size"], payload["used_size"]) == (
        share["share_id"], 5, 1.5,
    )  # fmt: skip
    assert payload["gathered_at"] == "then"
    assert returned == [payload]


@pytest.mark.parametrize("used", [None, "much", -1, float("inf"), float("nan")])
def test_an_answer_without_a_usable_number_is_dropped(site, told, used):
    share = site.add_share("available")
    site.driver.answers["update_share_usage_size"] = [
        {"id": share["instance_id"], "used_size": used}
    ]

    assert flows.update_share_usage(site.environment) == []
    assert told == []


def test_an_answer_about_a_share_of_somebody_else_is_dropped(site, told):
    site.add_share("available")
    site.driver.answers["update_share_usage_size"] = [{"id": "whose?", "used_size": 1}]

    flows.update_share_usage(site.environment)

    assert told == []


def test_a_driver_that_measures_nothing_is_no_error(site):
    site.add_share("available")
    site.driver.answers["update_share_usage_size"] = None

    assert flows.update_share_usage(site.environment) == []
