# SPDX-License-Identifier: Apache-2.0
"""manila-lite op: seeing, watching, retrying and cancelling."""

import pytest


@pytest.fixture
def queued(shell):
    """The id of an operation that nobody has begun."""
    return shell.read("share", "create", "1", "--name", "music")["operation"]


@pytest.fixture
def failed(shell, queued):
    shell.site.driver.answers["create_share"] = ValueError("the storage said no")
    shell.site.run()
    assert shell.read("op", "show", queued)["state"] == "failed"
    return queued


def test_an_operation_is_shown_with_its_steps(shell, queued):
    shell.site.run()
    shown = shell.read("op", "show", queued)
    assert shown["state"] == "succeeded"
    assert set(shown["steps"].values()) == {"done"}
    assert shown["request_id"].startswith("req-")


def test_passwords_among_a_drivers_options_are_not_shown(shell):
    options = {"password": "swordfish", "pool": "p1"}
    queued = shell.site.cast("manage_share", share_id="unknown", driver_options=options)

    shown = shell.read("op", "show", queued)["arguments"]["driver_options"]

    assert shown == {"password": "***", "pool": "p1"}


def test_an_operation_is_found_by_the_beginning_of_its_id(shell, queued):
    assert shell.read("op", "show", queued[:8])["id"] == queued
    shell.refusal("op", "show", "zzz", code=3)
    shell.refusal("op", "show", "", code=3)


def test_a_beginning_that_fits_several_operations_is_refused(shell, queued):
    for _ in range(40):
        shell.read("share", "create", "1")
    ids = [row["id"] for row in shell.read("op", "list")]
    shared = next(one[0] for one in ids if sum(other[0] == one[0] for other in ids) > 1)
    assert "several operations" in shell.refusal("op", "show", shared)


def test_the_list_filters_by_state_and_method(shell, failed):
    shell.read("share", "create", "1")
    assert [row["id"] for row in shell.read("op", "list", "--state", "failed")] == [failed]
    both = shell.read("op", "list", "--state", "failed", "--state", "queued")
    assert len(both) == 2
    assert shell.read("op", "list", "--method", "delete_share_instance") == []
    assert "the storage said no" in shell.type("op", "list").stdout


def test_watch_ends_with_0_when_the_operation_succeeds(shell, queued):
    shell.serve_while_waiting()
    assert shell.read("op", "watch", queued)["state"] == "succeeded"


def test_watch_ends_with_4_when_the_operation_has_failed(shell, failed):
    assert "the storage said no" in shell.refusal("op", "watch", failed, code=4)


def test_watch_ends_with_5_when_time_is_up(shell, queued):
    began = shell.clock.monotonic()
    shell.refusal("op", "watch", queued, "--timeout", "7.5", code=5)
    assert shell.clock.monotonic() - began == pytest.approx(7.5, abs=0.01)


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "inf", "nan"])
def test_a_timeout_that_makes_no_sense_is_a_usage_error(shell, queued, seconds):
    shell.type("op", "watch", queued, "--timeout", seconds, code=2)


def test_retry_starts_a_failed_operation_again(shell, failed):
    shell.site.driver.answers["create_share"] = ["10.0.0.1:/x"]
    shell.read("op", "retry", failed)
    shell.site.run()
    assert shell.read("op", "show", failed)["state"] == "succeeded"
    assert shell.read("share", "show", "music")["status"] == "available"


def test_there_is_nothing_to_retry_in_an_operation_that_is_not_over(shell, queued):
    assert "queued" in shell.refusal("op", "retry", queued)


def test_cancel_is_a_request_that_the_service_sees(shell, queued):
    assert shell.read("op", "cancel", queued)["request"] == "cancel"
    shell.site.worker.look_for_requests()
    shell.site.run()
    assert shell.read("op", "show", queued)["state"] == "cancelled"
    assert "was cancelled" in shell.refusal("op", "watch", queued, code=4)


def test_an_operation_that_is_over_cannot_be_cancelled(shell, failed):
    assert "is over" in shell.refusal("op", "cancel", failed)
