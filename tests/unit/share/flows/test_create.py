# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from manila_lite import exception
from manila_lite.db import models
from manila_lite.engine import registry
from tests.support.shares import EXPORT, Site

WIRE = Path(__file__).parents[3] / "data" / "wire" / "create_share_instance.to-share.json"


def create(site, share, seconds=0, snapshot_id=None, metadata=None):
    spec = {"share_id": share["share_id"], "share_properties": {"metadata": metadata or {}}}
    return site.do(
        "create_share_instance",
        seconds=seconds,
        share_instance_id=share["instance_id"],
        request_spec=spec,
        filter_properties={},
        snapshot_id=snapshot_id,
    )


def arguments(share):
    return {
        "share_instance_id": share["instance_id"],
        "request_spec": {"share_id": share["share_id"]},
        "filter_properties": {},
    }


def test_a_new_share_becomes_available_with_its_export_locations(site):
    share = site.add_share()
    site.driver.answers["create_share"] = [
        {"path": "/a", "is_admin_only": False, "metadata": {"preferred": True}},
        {"path": "/b", "is_admin_only": True, "metadata": {}},
    ]

    operation = create(site, share)

    instance = site.instance(share)
    assert operation["state"] == "succeeded"
    assert (instance["status"], instance["progress"]) == ("available", "100%")
    assert instance["launched_at"] == instance["updated_at"] == site.clock.now()
    assert site.exports(share) == ["/a", "/b"]
    pairs = site.rows(models.share_instance_export_locations_metadata)
    assert [(pair["key"], pair["value"]) for pair in pairs] == [("preferred", "True")]


def test_the_driver_gets_the_share_as_manila_hands_it_out(site):
    share = site.add_share(name="photos", metadata={"not": "read from here"})

    create(site, share, metadata={"k": "v"})

    given = site.driver.argument("create_share", "share")
    assert given.name == f"share-{share['instance_id']}"
    assert (given["size"], given["share_proto"], given["display_name"]) == (5, "NFS", "photos")
    assert (given.host, given.share_id) == ("host@backend#pool", share["share_id"])
    assert given["metadata"] == {"k": "v"}
    assert site.driver.argument("create_share", "share_server") is None


@pytest.mark.parametrize(
    ("returned", "paths"),
    [("/one", ["/one"]), (["/one", "/two"], ["/one", "/two"]), ([], []), (None, [])],
)
def test_export_locations_may_be_plain_paths_or_none(site, returned, paths):
    share = site.add_share()
    site.driver.answers["create_share"] = returned

    create(site, share)

    assert (site.status(share), site.exports(share)) == ("available", paths)


@pytest.mark.parametrize(
    "answer", [42, [{"no": "path"}], [""], ["/" + "x" * 2000], ["/with\x00"], [None], {"a": 1}]
)
def test_an_answer_that_is_no_export_location_puts_the_share_into_error(site, answer):
    share = site.add_share()
    site.driver.answers["create_share"] = answer

    operation = create(site, share)

    assert (operation["state"], site.status(share)) == ("failed", "error")
    assert "where export locations are expected" in operation["error"]


def test_a_share_asked_for_without_a_zone_gets_that_of_the_back_end(site):
    share = site.add_share()

    create(site, share)

    zones = site.rows(models.availability_zones, id=site.instance(share)["availability_zone_id"])
    assert [zone["name"] for zone in zones] == ["nova"]


def test_a_creation_reads_the_rows_of_its_share_with_one_select(site):
    create(site, site.add_share())  # the zone is looked up once in a service's life
    share = site.add_share()
    sent = []

    def note(connection, cursor, statement, *rest):
        sent.append(statement.split()[0])

    with site.database.reader() as connection:
        engine = connection.engine
    uuid = site.cast("create_share_instance", **arguments(share))
    site.worker.claim()
    sa.event.listen(engine, "before_cursor_execute", note)
    site.worker.run_one()
    sa.event.remove(engine, "before_cursor_execute", note)

    assert site.operation(uuid)["state"] == "succeeded"
    assert sent.count("SELECT") == 1


def test_a_failure_of_the_driver_puts_the_share_into_error_and_tells_the_user(site):
    share = site.add_share()
    site.driver.answers["create_share"] = exception.ShareBackendFull(reason="no room")

    operation = create(site, share)

    assert (operation["state"], site.status(share)) == ("failed", "error")
    assert "no room" in operation["error"]
    assert site.messages(share["share_id"]) == [("002", "001")]
    message = site.rows(models.messages)[0]
    assert (message["project_id"], message["request_id"]) == ("project", "req-1")
    assert (message["expires_at"] - message["created_at"]).days == 30


def test_what_a_failed_driver_left_behind_is_kept_so_that_it_can_be_found(site):
    share = site.add_share()
    site.driver.answers["create_share"] = exception.ShareBackendException(
        msg="half made", detail_data={"export_locations": ["/left"]}
    )

    create(site, share)

    assert (site.status(share), site.exports(share)) == ("error", ["/left"])


def test_a_back_end_that_is_busy_is_asked_again(site):
    share = site.add_share()
    site.driver.answers["create_share"] = exception.BackendBusy(reason="rebooting")
    uuid = site.cast("create_share_instance", **arguments(share))
    site.run()
    assert site.status(share) == "creating"
    site.driver.answers["create_share"] = [EXPORT]

    site.run(seconds=5)

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.status(share) == "available"
    assert site.driver.called("create_share") == 2


def test_a_share_that_is_deleted_meanwhile_is_not_made(site):
    share = site.add_share()
    site.do("delete_share_instance", share_instance_id=share["instance_id"])

    operation = create(site, share)

    assert operation["state"] == "succeeded"
    assert "deleted" in operation["result"]
    assert site.driver.called("create_share") == 0


@pytest.mark.parametrize("status", ["available", "deleting", "error_deleting", "extending"])
def test_a_share_in_another_status_is_left_alone(site, status):
    share = site.add_share(status)

    operation = create(site, share)

    assert status in operation["result"]
    assert (site.status(share), site.driver.calls) == (status, [])


def test_an_operators_retry_of_a_failed_creation_makes_the_share(site):
    share = site.add_share()
    site.driver.answers["create_share"] = exception.ShareBackendFull(reason="no room")
    uuid = create(site, share)["uuid"]
    seen = []
    site.driver.answers["create_share"] = lambda *a, **k: seen.append(site.status(share))

    site.retry(uuid)

    assert site.operation(uuid)["state"] == "succeeded"
    assert seen == ["creating"]
    assert site.status(share) == "available"


def test_a_delete_that_is_forced_while_the_share_is_made_is_not_overwritten(site):
    share = site.add_share()
    site.driver.answers["create_share"] = lambda *a, **k: site.force(share, "deleting")

    create(site, share)

    assert site.status(share) == "deleting"


def test_a_status_forced_by_an_administrator_does_not_wedge_the_creation(site):
    share = site.add_share()

    def make(*args, **kwargs):
        site.force(share, "error")
        return [EXPORT]

    site.driver.answers["create_share"] = make

    operation = create(site, share)

    assert (operation["state"], site.status(share)) == ("succeeded", "available")
    assert site.exports(share) == [EXPORT]


def test_a_creation_resumed_after_a_forced_available_still_keeps_its_export_locations(site):
    share = site.add_share()
    uuid = site.crash_in("create_share_instance", "create_share", **arguments(share))
    site.force(share, "available")

    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.exports(share) == [EXPORT]


# -- in doubt ----------------------------------------------------------------------------------


def test_after_a_crash_a_share_that_is_there_is_not_made_again(site):
    share = site.add_share()
    site.driver.answers["ensure_share"] = ["/found"]
    uuid = site.crash_in("create_share_instance", "create_share", **arguments(share))

    site.run()

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.exports(share) == ["/found"]
    assert site.driver.called("create_share") == 1


def test_after_a_crash_a_share_that_is_not_there_is_made(site):
    share = site.add_share()
    site.driver.answers["ensure_share"] = exception.ShareResourceNotFound(share_id="x")
    site.crash_in("create_share_instance", "create_share", **arguments(share))

    site.run()

    assert (site.status(share), site.exports(share)) == ("available", [EXPORT])
    assert site.driver.called("create_share") == 2


def test_after_a_crash_a_share_without_export_locations_is_no_proof_that_it_was_made(site):
    share = site.add_share()
    site.driver.answers["get_share_status"] = {"status": "available", "export_locations": None}
    site.crash_in("create_share_instance", "create_share", **arguments(share))

    site.run()

    assert (site.status(share), site.exports(share)) == ("available", [EXPORT])
    assert site.driver.called("create_share") == 2


def test_after_a_crash_the_drivers_own_word_on_the_status_goes_first(site):
    share = site.add_share()
    site.driver.answers["get_share_status"] = {
        "status": "available",
        "export_locations": ["/by status"],
    }
    site.crash_in("create_share_instance", "create_share", **arguments(share))

    site.run()

    assert site.exports(share) == ["/by status"]
    assert site.driver.called("ensure_share") == 0


def test_after_a_crash_a_driver_that_cannot_tell_is_asked_to_make_the_share_again(site):
    share = site.add_share()
    site.crash_in("create_share_instance", "create_share", **arguments(share))

    site.run()

    assert site.status(share) == "available"
    assert site.driver.called("create_share") == 2


def test_after_a_crash_the_policy_error_gives_up_where_the_driver_cannot_tell():
    site = Site(policy="error")
    share = site.add_share()
    uuid = site.crash_in("create_share_instance", "create_share", **arguments(share))

    site.run()

    assert (site.operation(uuid)["state"], site.status(share)) == ("failed", "error")
    assert site.driver.called("create_share") == 1
    assert site.messages(share["share_id"]) == [("002", "001")]


def test_a_time_out_of_the_driver_is_looked_into_before_the_share_is_made_again(site):
    share = site.add_share()
    site.driver.answers["create_share"] = TimeoutError("no answer")
    site.driver.answers["ensure_share"] = ["/made after all"]

    operation = create(site, share, seconds=5)

    assert operation["state"] == "succeeded"
    assert site.exports(share) == ["/made after all"]
    assert site.driver.called("create_share") == 1


# -- from a snapshot ---------------------------------------------------------------------------


@pytest.fixture
def snapshot(site):
    return site.add_snapshot(site.add_share("available"), "available")


def test_a_share_from_a_snapshot_gets_the_snapshot_with_its_share(site, snapshot):
    share = site.add_share(snapshot_id=snapshot["snapshot_id"])
    site.driver.answers["create_share_from_snapshot"] = [EXPORT]

    create(site, share, snapshot_id=snapshot["snapshot_id"])

    given = site.driver.argument("create_share_from_snapshot", "snapshot")
    assert site.status(share) == "available"
    assert given.id == snapshot["instance_id"]
    assert given.name == f"share-snapshot-{snapshot['instance_id']}"
    assert given["share"]["size"] == 5
    assert given["share_id"] == given["share_instance_id"] == given["share"]["id"]


def test_a_snapshot_that_is_gone_puts_the_share_into_error(site):
    share = site.add_share()

    operation = create(site, share, snapshot_id="no such snapshot")

    assert (operation["state"], site.status(share)) == ("failed", "error")
    assert "no such snapshot" in operation["error"]
    assert site.messages(share["share_id"]) == [("002", "017")]


def test_a_copy_in_the_background_is_waited_for_and_its_progress_shown(site, snapshot):
    share = site.add_share()
    site.driver.answers["create_share_from_snapshot"] = {"status": "creating_from_snapshot"}
    site.driver.answers["get_share_status"] = {
        "status": "creating_from_snapshot",
        "progress": "40%",
    }
    operation = create(site, share, snapshot_id=snapshot["snapshot_id"])
    assert (operation["state"], operation["progress"]) == ("waiting", "40%")
    assert site.status(share) == "creating_from_snapshot"
    site.driver.answers["get_share_status"] = {
        "status": "available",
        "export_locations": ["/copied"],
    }

    site.run(seconds=5)

    assert site.operation(operation["uuid"])["state"] == "succeeded"
    assert (site.status(share), site.exports(share)) == ("available", ["/copied"])
    assert site.driver.called("create_share_from_snapshot") == 1


def test_a_copy_that_is_over_at_the_first_look_is_available_at_once(site, snapshot):
    share = site.add_share()
    site.driver.answers["create_share_from_snapshot"] = {
        "status": "creating_from_snapshot",
        "export_locations": ["/early"],
    }
    site.driver.answers["get_share_status"] = {"status": "available"}

    create(site, share, snapshot_id=snapshot["snapshot_id"])

    assert (site.status(share), site.exports(share)) == ("available", ["/early"])


def test_a_copy_goes_on_after_a_crash_of_the_service(site, snapshot):
    share = site.add_share()
    site.driver.answers["create_share_from_snapshot"] = {"status": "creating_from_snapshot"}
    site.driver.answers["get_share_status"] = {"status": "creating_from_snapshot"}
    uuid = create(site, share, snapshot_id=snapshot["snapshot_id"])["uuid"]
    site.take_over()
    site.driver.answers["get_share_status"] = {"status": "available", "export_locations": "/done"}

    site.run(seconds=3)

    assert site.operation(uuid)["state"] == "succeeded"
    assert site.exports(share) == ["/done"]
    assert site.driver.called("create_share_from_snapshot") == 1


@pytest.mark.parametrize("status", ["error", "deleting", None])
def test_a_copy_that_fails_in_the_background_puts_the_share_into_error(site, snapshot, status):
    share = site.add_share()
    site.driver.answers["create_share_from_snapshot"] = {"status": "creating_from_snapshot"}
    site.driver.answers["get_share_status"] = {"status": status}

    operation = create(site, share, snapshot_id=snapshot["snapshot_id"])

    assert (operation["state"], site.status(share)) == ("failed", "error")
    assert site.messages(share["share_id"]) == [("002", "017")]


# -- share servers, lanes, the wire ------------------------------------------------------------


def test_a_share_network_is_refused_with_the_message_that_manila_has_for_it(site):
    share = site.add_share(columns={})
    with site.database.writer() as connection:
        table = models.share_instances
        connection.execute(table.update().values(share_network_id="net"))

    operation = create(site, share)

    assert (operation["state"], site.status(share)) == ("failed", "error")
    assert site.messages(share["share_id"]) == [("002", "003")]
    assert site.driver.called("create_share") == 0


def test_a_driver_that_handles_share_servers_is_refused_clearly(site):
    share = site.add_share()
    site.conf.set_override("driver_handles_share_servers", True, group="backend")

    operation = create(site, share)

    assert "driver_handles_share_servers" in operation["error"]
    assert site.status(share) == "error"


def test_the_recorded_cast_runs_on_the_lane_of_its_share(site):
    cast = json.loads(WIRE.read_text())["oslo.message"]
    args = cast["args"]
    share = site.add_share(share_id=args["request_spec"]["share_id"])
    args["share_instance_id"] = share["instance_id"]

    operation = site.do(cast["method"], **args)

    assert operation["lane"] == f"share:{share['share_id']}"
    assert registry.get(cast["method"]).version == cast["version"]
    assert site.driver.argument("create_share", "share")["metadata"] == {"k": "v"}
    assert site.status(share) == "available"


def test_casts_without_a_share_id_are_sorted_into_the_lane_of_the_share(site, snapshot):
    share = site.add_share("available")
    one = site.cast("delete_share_instance", share_instance_id=share["instance_id"])
    two = site.cast("delete_snapshot", snapshot_id=snapshot["snapshot_id"])
    snapshots_share = site.rows(models.share_snapshots)[0]["share_id"]

    assert site.operation(one)["lane"] == f"share:{share['share_id']}"
    assert site.operation(two)["lane"] == f"share:{snapshots_share}"
