# SPDX-License-Identifier: Apache-2.0
"""A volume's life as casts over a real broker: by Cinder's client with whole objects, by our own
client with ids, and without a broker."""

import json

import pytest

from manila_lite.context import RequestContext
from manila_lite.db import models
from tests.fixtures.daemon import poll
from tests.fixtures.databases import KINDS
from tests.support import cinder


class ByCinder:
    """Whole objects, in Cinder's newest way."""

    def __init__(self, site):
        self.site, self.client = site, site.cinder()

    def create(self, volume, **source):
        return self.client.cast(
            self.site.pool, "create_volume", volume=cinder.volume(volume),
            request_spec=cinder.specification(volume, **source),
            filter_properties={"retry": {}}, allow_reschedule=True,
        )  # fmt: skip

    def about(self, method, volume, **arguments):
        return self.client.cast(self.site.pool, method, volume=cinder.volume(volume), **arguments)

    def delete(self, volume):
        return self.about("delete_volume", volume, unmanage_only=False, cascade=False)

    def about_snapshot(self, method, snapshot, volume, **arguments):
        given = cinder.snapshot(snapshot, volume)
        return self.client.cast(self.site.pool, method, snapshot=given, **arguments)

    def revert(self, volume, snapshot):
        return self.client.cast(
            self.site.pool, "revert_to_snapshot", "3.15", volume=cinder.volume(volume),
            snapshot=cinder.snapshot(snapshot, volume),
        )  # fmt: skip


class ByOurs:
    """Ids, sent to the server's own queue."""

    def __init__(self, site):
        self.site, self.client = site, site.api()

    def _send(self, method, **arguments):
        context = RequestContext(project_id="project", user_id="user", is_admin=True)
        self.client.send(context, method, self.site.pool, **arguments)
        return context.request_id

    def create(self, volume, **source):
        return self._send(
            "create_volume", volume_id=volume, request_spec=source, filter_properties=None,
            allow_reschedule=False,
        )  # fmt: skip

    def about(self, method, volume, **arguments):
        return self._send(method, volume_id=volume, **arguments)

    def delete(self, volume):
        return self.about("delete_volume", volume, unmanage_only=False, cascade=False)

    def about_snapshot(self, method, snapshot, volume, **arguments):
        return self._send(method, snapshot_id=snapshot, **arguments)

    def revert(self, volume, snapshot):
        return self._send("revert_to_snapshot", volume_id=volume, snapshot_id=snapshot)


class ByJournal(ByOurs):
    """No broker: what the command line does."""

    def __init__(self, site):
        self.site = site

    def _send(self, method, **arguments):
        return self.site.record(method, **arguments)


@pytest.fixture(scope="module")
def lonely(sites):
    """A service without a broker."""
    made = sites()
    yield made
    assert made.daemon.terminate() == 0


@pytest.fixture(params=[ByCinder, ByOurs, ByJournal])
def sender(request):
    site = request.getfixturevalue("lonely" if request.param is ByJournal else "site")
    return request.param(site)


def well(site, request_id):
    operation = site.ended(request_id)
    assert (operation["state"], operation["error"]) == ("succeeded", None)


def test_a_volume_is_made_grows_and_is_deleted(sender):
    site = sender.site
    volume = site.new_volume()
    well(site, sender.create(volume))
    row = site.volume(volume)
    assert (row.status, row.provider_location) == ("available", str(site.share))
    assert f"volume-{volume}" in site.files()

    site.set(models.volumes, volume, status="extending")
    well(site, sender.about("extend_volume", volume, new_size=2, reservations=None))
    assert (site.volume(volume).status, site.volume(volume).size) == ("available", 2)
    assert (site.share / f"volume-{volume}").stat().st_size == 2 << 30

    site.set(models.volumes, volume, status="deleting")
    well(site, sender.delete(volume))
    assert site.volume(volume).deleted
    assert not [name for name in site.files() if volume in name]


def test_a_snapshot_is_made_reverted_to_and_deleted(sender):
    site = sender.site
    volume = site.new_volume()
    well(site, sender.create(volume))
    (site.share / f"volume-{volume}").write_bytes(b"before" + bytes((1 << 30) - 6))
    snapshot = site.new_snapshot(volume)

    well(site, sender.about_snapshot("create_snapshot", snapshot, volume))
    row = site.snapshot(snapshot)
    assert (row.status, row.progress) == ("available", "100%")
    info = json.loads((site.share / f"volume-{volume}.info").read_text())
    assert info["active"] == info[snapshot] == f"volume-{volume}.{snapshot}"

    site.set(models.volumes, volume, status="reverting")
    site.set(models.snapshots, snapshot, status="restoring")
    well(site, sender.revert(volume, snapshot))
    assert site.volume(volume).status == "available"
    assert site.snapshot(snapshot).status == "available"

    site.set(models.snapshots, snapshot, status="deleting")
    well(site, sender.about_snapshot("delete_snapshot", snapshot, volume, unmanage_only=False))
    assert site.snapshot(snapshot).deleted
    assert not [name for name in site.files() if snapshot in name]
    with (site.share / f"volume-{volume}").open("rb") as file:
        assert file.read(6) == b"before"


@pytest.mark.parametrize("source", ["snapshot_id", "source_volid"])
def test_a_volume_is_made_of_another_ones_data(sender, source):
    site = sender.site
    original = site.new_volume()
    well(site, sender.create(original))
    (site.share / f"volume-{original}").write_bytes(b"original" + bytes((1 << 30) - 8))
    named = original
    if source == "snapshot_id":
        named = site.new_snapshot(original)
        well(site, sender.about_snapshot("create_snapshot", named, original))
    copy = site.new_volume(**{source: named})

    well(site, sender.create(copy, **{source: named}))

    with (site.share / f"volume-{copy}").open("rb") as file:
        assert file.read(8) == b"original"


def test_no_secret_of_an_object_is_recorded(site):
    sender, volume = ByCinder(site), site.new_volume()
    operation = site.ended(sender.create(volume))

    assert json.loads(operation["arguments"]) == {
        "volume_id": volume,
        "request_spec": {"volume_id": volume},
        "filter_properties": None,
        "allow_reschedule": True,
    }
    assert cinder.SECRET not in str(dict(operation))
    assert cinder.SECRET not in site.log


def test_a_secret_in_a_message_that_is_refused_is_not_kept(site, broker):
    client = site.cinder()
    client.cast(site.pool, "create_volume", "3.99", volume=cinder.volume("nobody"))
    query = models.lite.dead_letter_chunks.select()

    def kept():
        with site.database.reader() as connection:
            return b"".join(bytes(row.body) for row in connection.execute(query))

    body = poll(kept, "the dead letter")
    assert b"provider_auth" in body
    assert cinder.SECRET.encode() not in body


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"sqlite"}))
def test_a_volumes_life_on_a_database_server(sites, broker, kind):
    # A name of its own: another service listens on the same broker.
    site = sites(broker, kind, host=kind)
    sender = ByCinder(site)
    volume = site.new_volume()
    well(site, sender.create(volume))
    snapshot = site.new_snapshot(volume)
    well(site, sender.about_snapshot("create_snapshot", snapshot, volume))
    assert site.snapshot(snapshot).status == "available"

    site.set(models.snapshots, snapshot, status="deleting")
    well(site, sender.about_snapshot("delete_snapshot", snapshot, volume, unmanage_only=False))
    site.set(models.volumes, volume, status="deleting")
    well(site, sender.delete(volume))

    assert site.volume(volume).deleted
    assert site.files() == []
    assert site.daemon.terminate() == 0
