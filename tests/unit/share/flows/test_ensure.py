# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest

from manila_lite import exception
from manila_lite.db import backend_info, models
from manila_lite.share.flows import ensure
from tests.support.shares import HOST, Crash, Turns

INFO = {"version": "1", "address": "10.0.0.1"}


def run(site, seconds=2, **options):
    return site.do("ensure_driver_resources", seconds=seconds, **options)


def kept_hash(site):
    with site.database.reader() as connection:
        return backend_info.get_hash(connection, HOST)


def ensuring(site):
    return [row["ensuring"] for row in site.rows(models.services)]


@pytest.fixture
def service(site):
    with site.database.writer() as connection:
        connection.execute(
            models.services.insert(),
            {"host": HOST, "binary": "manila-share", "report_count": 0, "deleted": 0},
        )


def answer_for_each(**update):
    return lambda context, shares: {share["id"]: dict(update) for share in shares}


def test_new_export_locations_replace_the_old_ones_as_a_whole(site):
    share = site.add_share("available")
    site.driver.answers["ensure_shares"] = answer_for_each(export_locations=["/a", "/b"])
    run(site)
    kept = {row["path"]: row["uuid"] for row in site.rows(models.share_instance_export_locations)}
    site.driver.answers["ensure_shares"] = answer_for_each(export_locations=["/b", "/c"])

    assert run(site)["state"] == "succeeded"

    rows = site.rows(models.share_instance_export_locations, deleted=0)
    assert sorted(row["path"] for row in rows) == ["/b", "/c"]
    assert {row["uuid"] for row in rows if row["path"] == "/b"} == {kept["/b"]}
    assert site.status(share) == "available"


def test_a_share_that_the_driver_reports_as_broken_is_put_into_error(site):
    share = site.add_share("available")
    site.driver.answers["ensure_shares"] = answer_for_each(status="error")

    run(site)

    assert site.status(share) == "error"
    assert site.messages(share["share_id"]) == [("005", "001")]


@pytest.mark.parametrize("answer", [None, {}, {"unknown id": {"status": "error"}}])
def test_an_answer_about_no_share_of_ours_changes_nothing(site, answer):
    share = site.add_share("available")
    site.driver.answers["ensure_shares"] = answer

    assert run(site)["state"] == "succeeded"
    assert site.status(share) == "available"


@pytest.mark.parametrize("answer", [None, []])
def test_a_share_of_which_the_driver_names_no_export_locations_keeps_its_own(site, answer):
    share = site.add_share("available")
    site.driver.answers["ensure_shares"] = answer_for_each(export_locations=["/a"])
    run(site)
    site.driver.answers["ensure_shares"] = answer_for_each(export_locations=answer)

    run(site)

    assert site.exports(share) == ["/a"]


def test_unusable_export_locations_of_one_share_do_not_stop_the_others(site):
    first, second = site.add_share("available"), site.add_share("available")
    site.driver.answers["ensure_shares"] = lambda context, shares: {
        first["instance_id"]: {"export_locations": 42},
        second["instance_id"]: {"export_locations": ["/good"]},
    }

    run(site)

    assert (site.exports(first), site.exports(second)) == ([], ["/good"])


def test_only_available_shares_are_ensured(site):
    wanted = site.add_share("available")
    for status in ("creating", "deleting", "error", "extending"):
        site.add_share(status)
    seen = []
    site.driver.answers["ensure_shares"] = lambda context, shares: seen.extend(
        share["id"] for share in shares
    )

    run(site)

    assert seen == [wanted["instance_id"]]


def test_a_share_that_another_operation_works_on_is_left_to_that(site):
    busy, free = site.add_share("available"), site.add_share("available")
    seen = []

    def note(context, shares):
        seen.extend(share["id"] for share in shares)

    site.driver.answers["ensure_shares"] = note
    site.cast("ensure_driver_resources")
    site.worker.claim()
    site.cast("shrink_share", share_id=busy["share_id"], new_size=1)
    site.worker.run_one()

    assert seen == [free["instance_id"]]


def test_an_operation_that_begins_while_shares_are_ensured_is_not_overwritten(site):
    share = site.add_share("available")

    def lose(context, shares):
        site.force(share, "deleting")
        return {shares[0]["id"]: {"status": "error"}}

    site.driver.answers["ensure_shares"] = lose

    run(site)

    assert site.status(share) == "deleting"


def test_shares_go_to_the_driver_by_pages(site, monkeypatch):
    monkeypatch.setattr(ensure, "PAGE", 2)
    shares = [site.add_share("available") for _ in range(5)]
    sizes = []
    site.driver.answers["ensure_shares"] = lambda context, shares: sizes.append(len(shares))

    assert run(site)["state"] == "succeeded"
    assert sizes == [2, 2, 1]
    assert len(shares) == 5


def test_pages_that_are_done_are_not_ensured_again_after_a_crash(site, monkeypatch):
    monkeypatch.setattr(ensure, "PAGE", 1)
    ids = sorted(site.add_share("available")["instance_id"] for _ in range(3))
    seen = []

    def die_at_the_third(context, shares):
        if len(seen) == 2:
            seen.append("crash")
            raise Crash
        seen.append(shares[0]["id"])

    site.driver.answers["ensure_shares"] = die_at_the_third
    site.cast("ensure_driver_resources")
    with pytest.raises(Crash):
        site.run()
    site.take_over()
    site.run()

    assert seen == [*ids[:2], "crash", ids[2]]


def test_a_page_that_a_busy_back_end_refuses_is_tried_again(site):
    site.add_share("available")
    site.driver.answers["ensure_shares"] = Turns([exception.BackendBusy(reason="rebooting"), None])

    assert run(site, seconds=5)["state"] == "succeeded"
    assert site.driver.called("ensure_shares") == 2


def test_nothing_is_ensured_as_long_as_the_back_end_says_that_nothing_changed(site):
    site.add_share("available")
    site.driver.answers.update(get_backend_info=INFO, ensure_shares=None)
    run(site)

    operation = run(site)

    assert "as it was" in operation["result"]
    assert site.driver.called("ensure_shares") == 1


def test_the_hash_is_the_one_that_manila_left(site):
    site.driver.answers.update(get_backend_info=INFO, ensure_shares=None)
    text = str(sorted(INFO.items())).encode()

    run(site)

    assert kept_hash(site) == hashlib.sha1(text).hexdigest()


@pytest.mark.parametrize("change", [{"version": "2"}, {"new": "key"}])
def test_shares_are_ensured_again_when_the_back_end_changed(site, change):
    site.add_share("available")
    site.driver.answers.update(get_backend_info=INFO, ensure_shares=None)
    run(site)
    site.driver.answers["get_backend_info"] = {**INFO, **change}

    run(site)

    assert site.driver.called("ensure_shares") == 2


def test_the_check_can_be_skipped(site):
    site.add_share("available")
    site.driver.answers.update(get_backend_info=INFO, ensure_shares=None)
    run(site)

    run(site, skip_backend_info_check=True)

    assert site.driver.called("ensure_shares") == 2


def test_the_services_row_tells_that_shares_are_being_ensured(site, service):
    site.add_share("available")
    seen = []
    site.driver.answers["ensure_shares"] = lambda context, shares: seen.extend(ensuring(site))

    run(site)

    assert seen == [True]
    assert ensuring(site) == [False]


def test_a_failure_keeps_no_hash_and_does_not_leave_the_service_ensuring(site, service):
    site.add_share("available")
    site.driver.answers.update(get_backend_info=INFO, ensure_shares=RuntimeError("no"))

    operation = run(site)

    assert operation["state"] == "failed"
    assert kept_hash(site) is None
    assert ensuring(site) == [False]


# -- drivers without ensure_shares -------------------------------------------------------------


def test_each_share_is_ensured_in_its_own_lane(site):
    shares = [site.add_share("available") for _ in range(3)]
    site.driver.answers["ensure_share"] = ["/ensured"]

    operation = run(site)

    assert operation["state"] == "succeeded"
    assert [site.exports(share) for share in shares] == [["/ensured"]] * 3
    lanes = {row["lane"] for row in site.rows(models.lite.operations, method="_ensure_share")}
    assert lanes == {f"share:{share['share_id']}" for share in shares}


def test_only_a_few_shares_are_under_way_at_a_time(site, monkeypatch):
    monkeypatch.setattr(ensure, "AT_ONCE", 2)
    for _ in range(5):
        site.add_share("available")
    site.driver.answers["ensure_share"] = None
    site.cast("ensure_driver_resources")
    site.worker.claim()
    site.worker.run_one()

    assert site.methods().count("_ensure_share") == 2
    site.run(seconds=5)
    assert site.methods().count("_ensure_share") == 5
    assert site.driver.called("ensure_share") == 5
    assert site.unfinished() == 0


def test_after_a_crash_no_share_has_a_second_turn(site, monkeypatch):
    monkeypatch.setattr(ensure, "AT_ONCE", 2)
    for _ in range(5):
        site.add_share("available")
    site.driver.answers["ensure_share"] = None
    site.cast("ensure_driver_resources")
    site.worker.claim()
    site.worker.run_one()
    site.take_over()

    site.run(seconds=5)

    assert site.driver.called("ensure_share") == 5
    assert site.unfinished() == 0


@pytest.mark.parametrize("error", [exception.ShareResourceNotFound(share_id="x"), OSError("away")])
def test_a_share_that_cannot_be_ensured_stays_available_and_its_operation_says_why(site, error):
    share = site.add_share("available")
    site.driver.answers["ensure_share"] = error

    operation = run(site)

    assert operation["state"] == "succeeded"
    assert site.status(share) == "available"
    [row] = site.rows(models.lite.operations, method="_ensure_share")
    assert type(error).__name__ in row["result"]


def test_no_export_locations_from_the_driver_means_that_they_stay(site):
    share = site.add_share("available")
    site.driver.answers["ensure_share"] = ["/kept"]
    run(site)
    site.driver.answers["ensure_share"] = None

    run(site)

    assert site.exports(share) == ["/kept"]


def test_a_cast_that_comes_meanwhile_is_served_before_all_shares_had_their_turn(site, monkeypatch):
    monkeypatch.setattr(ensure, "AT_ONCE", 2)
    for _ in range(20):
        site.add_share("available")
    new = site.add_share()
    site.driver.answers["ensure_share"] = None
    site.cast("ensure_driver_resources")
    site.worker.run_until_idle()
    site.cast(
        "create_share_instance",
        share_instance_id=new["instance_id"],
        request_spec={"share_id": new["share_id"]},
        filter_properties={},
    )

    site.worker.run_until_idle()

    assert site.status(new) == "available"
    assert site.driver.called("ensure_share") < 20
