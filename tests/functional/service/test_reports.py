# SPDX-License-Identifier: Apache-2.0
"""What schedulers, the services table and billing hear of a back end, and when."""

import datetime
import json

import pytest

from manila_lite import states
from manila_lite.context import get_admin_context
from manila_lite.db import models
from tests.fixtures.daemon import poll
from tests.functional.service.casting import recording
from tests.functional.service.conftest import ALPHA, BETA, HOST
from tests.functional.service.listening import Fanout, Notifications

RECORDED = recording("update_service_capabilities.to-schedulers")
#: Facts about this driver, this time and this message.
OURS = {"_unique_id", "_context_request_id", "_context_timestamp", "args"}
NEVER = 3600


@pytest.fixture(scope="module")
def service(services, rabbitmq):
    """A service whose timers give one report at the start and no other."""
    made = services(
        "postgresql",
        rabbitmq,
        default={
            "periodic_interval": NEVER,
            "enable_gathering_share_usage_size": True,
            "share_usage_size_update_interval": 1,
        },
        sections={"oslo_messaging_notifications": {"driver": "messagingv2"}},
    )
    made.scheduler = Fanout(rabbitmq, "manila-scheduler_fanout")
    made.billing = Notifications(rabbitmq)
    made.start()
    yield made
    made.scheduler.close()
    made.billing.close()


@pytest.fixture(scope="module")
def first_reports(service):
    return reports(service, 2)


def reports(service, count):
    """Wait for so many reports; return {host: (message, envelope, inner)}."""
    found = []

    def look():
        found.extend(service.scheduler.take())
        return len(found) >= count

    poll(look, f"{count} reports")
    hosts = [inner["args"]["host"] for _, _, inner in found]
    assert len(set(hosts)) == len(hosts) == count
    return dict(zip(hosts, found, strict=True))


@pytest.fixture
def report(first_reports):
    return first_reports[f"{HOST}@alpha"]


def test_each_back_end_reports_when_it_starts(first_reports):
    assert set(first_reports) == {f"{HOST}@alpha", f"{HOST}@beta"}


def test_a_report_is_on_the_wire_what_manilas_is(report):
    message, envelope, inner = report
    recorded = RECORDED["oslo.message"]
    assert envelope["oslo.version"] == RECORDED["oslo.version"]
    assert set(inner) == set(recorded)
    assert {key: inner[key] for key in recorded if key not in OURS} == {
        key: value for key, value in recorded.items() if key not in OURS
    }
    properties = {**message.properties, "application_headers": message.headers}
    for name, value in RECORDED["amqp_properties"].items():
        shown = getattr(message, name, None) or properties.get(name)
        assert shown == value, name
    assert message.delivery_info["exchange"] == RECORDED["exchange"]
    assert message.delivery_info["routing_key"] == RECORDED["routing_key"]


def test_the_arguments_of_a_report_are_those_of_manilas(report):
    args, recorded = report[2]["args"], RECORDED["oslo.message"]["args"]
    assert set(args) == set(recorded)
    assert (args["service_name"], args["host"]) == ("share", f"{HOST}@alpha")
    moment = datetime.datetime.fromisoformat(args["timestamp"])
    assert moment.tzinfo is None
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    assert abs(now - moment) < datetime.timedelta(minutes=5)


@pytest.mark.parametrize("backend", ["alpha", "beta"])
def test_capabilities_have_every_key_of_manilas(first_reports, backend):
    """driver_name is the recorded driver's own; other keys that a driver adds are its own too."""
    capabilities = first_reports[f"{HOST}@{backend}"][2]["args"]["capabilities"]
    recorded = RECORDED["oslo.message"]["args"]["capabilities"]
    assert set(recorded) - {"driver_name"} - set(capabilities) == set()
    assert capabilities["share_backend_name"] == backend
    assert capabilities["driver_handles_share_servers"] is False
    for key, value in recorded.items():
        if isinstance(value, bool):
            assert isinstance(capabilities[key], bool), key
    (pool,) = capabilities["pools"]
    (recorded_pool,) = recorded["pools"]
    assert set(recorded_pool) - set(pool) == set()


def test_a_pool_of_directories_tells_its_capacity(first_reports):
    (pool,) = first_reports[f"{HOST}@beta"][2]["args"]["capabilities"]["pools"]
    assert pool["pool_name"] == "beta"
    assert 0 <= pool["free_capacity_gb"] <= pool["total_capacity_gb"]
    assert pool["total_capacity_gb"] > 0


def test_a_scheduler_that_asks_by_fanout_hears_of_all_back_ends_at_once(service, first_reports):
    service.api().api.publish_service_capabilities(get_admin_context())
    asked = reports(service, 2)
    assert set(asked) == set(first_reports)
    before = first_reports[f"{HOST}@alpha"][2]["args"]
    after = asked[f"{HOST}@alpha"][2]["args"]
    assert after["capabilities"] == before["capabilities"]
    assert after["timestamp"] > before["timestamp"]


def test_the_last_report_is_kept_for_sites_without_scheduler(service, first_reports):
    row = service.rows.one(models.lite.reports, host=f"{HOST}@alpha")
    sent = first_reports[f"{HOST}@alpha"][2]["args"]["capabilities"]
    assert json.loads(row["report"]) == sent


def beat(service, host):
    row = service.rows.one(models.services, host=host)
    return row["report_count"], row["updated_at"]


def test_signs_of_life_go_on_in_the_services_table(service):
    row = service.rows.one(models.services, host=f"{HOST}@alpha")
    assert (row["binary"], row["topic"], row["state"]) == ("manila-share", "manila-share", "up")
    zone = service.rows.one(models.availability_zones, id=row["availability_zone_id"])
    assert zone["name"] == "nova"
    count, moment = beat(service, f"{HOST}@alpha")
    poll(lambda: beat(service, f"{HOST}@alpha")[0] >= count + 2, "two more signs of life")
    assert beat(service, f"{HOST}@alpha")[1] > moment


def test_a_service_that_an_administrator_disabled_stays_so(service):
    table = models.services
    host = f"{HOST}@beta"
    where = table.c.host == host
    service.daemon.database.run(lambda c: c.execute(table.update().where(where)
                                                    .values(disabled=True)))  # fmt: skip
    count, _ = beat(service, host)
    poll(lambda: beat(service, host)[0] > count, "a sign of life")
    assert service.rows.one(table, host=host)["disabled"]


def test_used_space_goes_out_as_manilas_notification(service):
    share = service.rows.share(ALPHA, states.AVAILABLE)

    def told():
        for _, _, inner in service.billing.take():
            if inner["payload"]["share_instance_id"] == share.instance_id:
                return inner
        return None

    inner = poll(told, "a notification")
    assert inner["event_type"] == "share.consumed.size"
    assert inner["publisher_id"] == f"share.{HOST}@alpha"
    assert inner["payload"]["used_size"] == 0.5
    assert inner["payload"]["project_id"] == share.project_id


# -- ensuring, over restarts -------------------------------------------------------------------


def ensured(service):
    """Wait until the ensuring that the last start began is over; return its operation."""
    before = service.ensured_before

    def look():
        found = service.rows.operations(method="ensure_driver_resources", host=f"{HOST}@alpha")
        return found[before:] and found[-1]["finished"] and found[-1]

    return poll(look, "the end of ensuring")


def start_again(service):
    operations = service.rows.operations(method="ensure_driver_resources", host=f"{HOST}@alpha")
    service.ensured_before = len(operations)
    assert service.daemon.terminate() == 0
    rows = service.rows.all(models.services, binary="manila-share")
    assert {row["state"] for row in rows} == {"stopped"}
    service.start()
    return ensured(service)


def test_shares_are_ensured_when_the_back_end_has_changed_and_only_then(service):
    """Their export locations become what the driver says they are."""
    info = service.daemon.directory / "calls.info"
    share = service.rows.share(ALPHA, states.AVAILABLE)
    info.write_text("2")
    assert start_again(service)["state"] == "succeeded"
    assert service.called("ensure_shares", share.instance_id) == 1
    assert service.rows.exports(share) == [f"null:/{share.name}"]
    skipped = json.loads(start_again(service)["result"])["skipped"]
    assert "as it was" in skipped
    assert service.called("ensure_shares", share.instance_id) == 1
    info.write_text("3")
    start_again(service)
    assert service.called("ensure_shares", share.instance_id) == 2
    rows = service.rows.all(models.services, binary="manila-share")
    assert {row["ensuring"] for row in rows} <= {False, None}


def test_an_administrator_can_have_shares_ensured_whatever_the_driver_says(service):
    share = service.rows.share(ALPHA, states.AVAILABLE)
    api = service.api().api
    api.ensure_driver_resources(
        get_admin_context(), f"{HOST}@alpha", skip_backend_info_check=True
    )  # fmt: skip
    poll(lambda: service.called("ensure_shares", share.instance_id) == 1, "the ensuring")
    poll(lambda: service.rows.exports(share) == [f"null:/{share.name}"], "the export location")


def test_a_share_whose_directory_is_gone_shows_an_error_after_a_start(service):
    """The root moved: every share is looked at, and the one that did not come along is told of."""
    share = service.rows.share(BETA)
    service.ended(service.raw().cast("create_share_instance", share))
    (location,) = service.rows.exports(share)
    path = service.daemon.directory / "moved"
    for directory in service.root.rglob(share.name):
        directory.rmdir()
    service.root.rename(path)
    service.daemon.configure("directory_root", path)
    start_again(service)
    poll(lambda: service.rows.status(share) == states.ERROR, "the error")
    assert len(service.rows.messages(share.share_id)) == 1
    assert location.startswith("files.example.org:")
