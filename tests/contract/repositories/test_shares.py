# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import states
from manila_lite.db import access, export_locations, models, share_changes, shares, types
from tests.contract.repositories.conftest import NOW
from tests.support.shares import HOST, POOL


@pytest.fixture
def share(site):
    return site.add_share("creating", name="photos", metadata={"k": "v", "l": "w"})


@pytest.fixture
def instance(share, read):
    return read(shares.get_instance, share["instance_id"])


def add_instance(site, share, **values):
    row = {"cast_rules_to_readonly": False, "deleted": "False", "share_id": share["share_id"]}
    with site.database.writer() as connection:
        connection.execute(models.share_instances.insert(), {**row, **values})


def locations(read, share):
    return read(export_locations.of_instances, [share["instance_id"]])[share["instance_id"]]


def test_an_instance_shows_its_share_and_its_names(share, instance):
    assert (instance.id, instance.share_id) == (share["instance_id"], share["share_id"])
    assert (instance.size, instance.display_name, instance.project_id) == (5, "photos", "project")
    assert (instance.host, instance.pool, instance.status) == (POOL, "pool", "creating")
    assert instance.name == instance.share_name == f"share-{instance.id}"
    assert instance.snapshot_support is True
    assert (instance.share_server, instance.availability_zone) == (None, None)


def test_the_name_follows_the_template(share, read):
    found = read(shares.get_instance, share["instance_id"], "vol_%s")

    assert found.name == f"vol_{share['instance_id']}"


def test_a_deleted_or_unknown_instance_is_none(share, read, write, instance):
    write(share_changes.deleted(instance, NOW))

    assert read(shares.get_instance, share["instance_id"]) is None
    assert read(shares.get_instance, "unknown") is None


def test_completing_adds_metadata_and_export_locations(share, read, write, instance):
    write(export_locations.add(instance.id, ["/a"], NOW))

    [found] = read(shares.complete, [instance])

    assert found.metadata == {"k": "v", "l": "w"}
    assert [location.path for location in found.export_locations] == ["/a"]
    assert found.export_location == "/a"


def test_completing_names_the_availability_zone(site, share, read, change):
    zone = change(types.ensure_zone, "north", NOW)
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(availability_zone_id=zone))

    [found] = read(lambda c: shares.complete(c, [shares.get_instance(c, share["instance_id"])]))

    assert found.availability_zone == "north"
    assert read(shares.get_share, share["share_id"]).availability_zone == "north"


def test_completing_nothing_asks_nothing(read):
    assert read(shares.complete, []) == []


def test_instances_of_a_back_end_are_those_of_its_pools_and_of_no_other(site, share, read):
    for number, host in enumerate(
        [HOST, f"{HOST}#other", "host@backend2#pool", "host@backend2", "HOST@elsewhere", None]
    ):
        add_instance(site, share, id=f"i{number}", host=host, status="available")

    pages = list(read(lambda c: list(shares.iterate_instances(c, HOST))))

    assert {i.id for page in pages for i in page} == {share["instance_id"], "i0", "i1"}


@pytest.mark.parametrize("char", ["_", "%", "/"])
def test_wildcards_in_a_host_name_are_plain_characters(site, share, read, char):
    add_instance(site, share, id="right", host=f"a{char}b@c#pool", status="available")
    add_instance(site, share, id="wrong", host="axb@c#pool", status="available")

    [page] = read(lambda c: list(shares.iterate_instances(c, f"a{char}b@c")))

    assert [i.id for i in page] == ["right"]


def test_pages_hold_every_instance_once(site, share, read):
    for number in range(6):
        add_instance(site, share, id=f"i{number}", host=HOST, status="available")

    pages = read(lambda c: list(shares.iterate_instances(c, HOST, ["available"], page=3)))

    assert [[i.id for i in page] for page in pages] == [["i0", "i1", "i2"], ["i3", "i4", "i5"]]


def test_the_instance_that_speaks_for_a_share_goes_first(site, share, read):
    add_instance(site, share, id="a", status="error")
    add_instance(site, share, id="b", status="available", replica_state="in_sync")
    add_instance(site, share, id="c", status="available", replica_state="active")

    found = read(shares.list_instances_of_share, share["share_id"])

    assert [i.id for i in found] == ["c", "a", share["instance_id"], "b"]
    assert read(shares.get_share, share["share_id"]).status == "available"


def test_a_share_without_instances_has_the_status_deleted(share, read, site):
    with site.database.writer() as connection:
        connection.execute(models.share_instances.update().values(deleted="x"))

    found = read(shares.get_share, share["share_id"])

    assert (found.status, found.host, found.instances) == ("deleted", None, [])
    assert read(shares.get_share, "unknown") is None


def test_lanes_are_found_for_many_instances_at_once_deleted_ones_too(
    site, share, write, instance, read
):
    other = site.add_share()
    write(share_changes.deleted(instance, NOW))

    found = read(
        shares.share_ids_of_instances, [share["instance_id"], other["instance_id"], "unknown"]
    )

    assert found == {
        share["instance_id"]: share["share_id"],
        other["instance_id"]: other["share_id"],
    }


# -- statuses ----------------------------------------------------------------------------------


def test_a_created_instance_is_available_with_its_export_locations(site, share, write, instance):
    write(share_changes.created(instance, [{"path": "/a", "metadata": {"m": 1}}], NOW))

    row = site.instance(share)
    assert (row.status, row.progress, row.launched_at, row.updated_at) == (
        "available", "100%", NOW, NOW,
    )  # fmt: skip
    assert site.exports(share) == ["/a"]


def test_many_creations_in_one_transaction_keep_apart(site, write, read):
    made = [site.add_share() for _ in range(20)]
    found = [read(shares.get_instance, share["instance_id"]) for share in made]

    write(
        *(
            share_changes.created(one, [{"path": f"/{one.id}", "metadata": {"of": one.id}}], NOW)
            for one in found
        )
    )

    for share in made:
        [location] = locations(read, share)
        key = share["instance_id"]
        assert (location.path, location.metadata) == (f"/{key}", {"of": key})


def test_a_transition_that_no_operation_makes_is_refused(instance):
    with pytest.raises(states.InvalidStatusTransition, match="'deleting' to 'available'"):
        share_changes.move(instance.id, "deleting", "available", NOW)


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ("extending", "available"),
        ("available", "available"),
        ("error", "available"),
        (None, "available"),
        ("deleting", "deleting"),
        ("shrinking", "shrinking"),
        ("migrating", "migrating"),
    ],
)
def test_a_write_replaces_its_own_and_steady_statuses_only(site, share, write, found, left):
    site.force(share, found)

    write(share_changes.move(share["instance_id"], "extending", "available", NOW))

    assert site.status(share) == left


def test_resizing_sets_the_size_of_the_share(site, share, write, read):
    site.force(share, "extending")
    instance = read(shares.get_instance, share["instance_id"])

    write(share_changes.resized(instance, 9, NOW))

    assert (site.share(share).size, site.status(share)) == (9, "available")


# -- deleting ----------------------------------------------------------------------------------


def test_the_share_goes_with_its_last_instance_and_all_that_hangs_on_it(
    site, share, write, read, instance
):
    site.add_rule(share)
    write(export_locations.add(instance.id, [{"path": "/a", "metadata": {"m": 1}}], NOW))
    [instance] = read(shares.complete, [instance])

    write(
        share_changes.deleted(
            instance,
            NOW,
            rules=read(access.rules_of_instance, instance.share_id, instance.id),
            metadata=read(shares.metadata_of, [instance.share_id])[instance.share_id],
        )
    )

    row = site.instance(share)
    assert (row.status, row.deleted, row.deleted_at, row.terminated_at) == (
        "deleted", row.id, NOW, NOW,
    )  # fmt: skip
    for table in (
        models.shares, models.share_metadata, models.share_access_map,
        models.share_instance_access_map, models.share_instance_export_locations,
        models.share_instance_export_locations_metadata,
    ):  # fmt: skip
        rows = site.rows(table)
        assert rows
        assert [r.deleted for r in rows] == [r.id for r in rows], table.name


def test_the_share_stays_while_another_instance_lives(site, share, write, instance, read):
    add_instance(site, share, id="other", status="available")
    site.add_rule(share)
    rules = read(access.rules_of_instance, instance.share_id, instance.id)

    write(share_changes.deleted(instance, NOW, rules=rules))

    assert site.share(share).deleted == "False"
    assert site.rows(models.share_access_map)[0].deleted == "False"
    assert site.rows(models.share_instance_access_map)[0].deleted != "False"


def test_both_instances_deleted_in_one_transaction_take_the_share_along(site, share, write, read):
    add_instance(site, share, id="other", status="available")
    both = read(shares.list_instances_of_share, share["share_id"])

    write(*(share_changes.deleted(one, NOW) for one in both))
    write(share_changes.deleted(both[0], NOW))

    assert site.share(share).deleted == share["share_id"]


# -- export locations --------------------------------------------------------------------------


def test_preferred_paths_come_first_and_those_of_administrators_last(share, write, read):
    returned = [
        {"path": "/admin", "is_admin_only": True, "metadata": {"preferred": True}},
        {"path": "/plain"},
        {"path": "/preferred", "metadata": {"preferred": "true"}},
    ]

    write(export_locations.add(share["instance_id"], returned, NOW))

    assert [one.path for one in locations(read, share)] == ["/preferred", "/plain", "/admin"]


def test_replacing_keeps_the_uuid_of_a_path_that_stays(site, share, write, read):
    key = share["instance_id"]
    write(export_locations.add(key, [{"path": "/a", "metadata": {"m": 1, "n": 2}}, "/b"], NOW))
    before = locations(read, share)
    returned = [{"path": "/a", "is_admin_only": True, "metadata": {"m": 3}}, "/c"]

    write(export_locations.replace(key, before, returned, NOW))

    after = {one.path: one for one in locations(read, share)}
    assert set(after) == {"/a", "/c"}
    assert after["/a"].uuid == before[0].uuid
    assert (after["/a"].is_admin_only, after["/a"].metadata) == (True, {"m": "3"})


def test_replacing_by_the_same_writes_nothing(share, write, read):
    key = share["instance_id"]
    returned = [{"path": "/a", "metadata": {"m": 1}}, {"path": "/b", "is_admin_only": True}]
    write(export_locations.add(key, returned, NOW))

    assert export_locations.replace(key, locations(read, share), returned, NOW) == []


def test_a_path_that_comes_back_gets_a_row_of_its_own(share, write, read):
    key = share["instance_id"]
    for returned in (["/a"], [], ["/a"]):
        known = read(export_locations.of_instances, [key]).get(key, [])
        write(export_locations.replace(key, known, returned, NOW))

    assert [one.path for one in locations(read, share)] == ["/a"]
