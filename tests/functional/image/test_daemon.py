# SPDX-License-Identifier: Apache-2.0
"""The volume daemon as a process of its own, with Glance: volumes from images, and back."""

import uuid

import pytest

from manila_lite import volume_states as states
from manila_lite.clock import SystemClock
from manila_lite.context import RequestContext
from manila_lite.db import volume_creation, volumes
from manila_lite.db.session import Database
from manila_lite.db.sync import sync
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.volume import flows
from tests.fixtures.daemon import VolumeDaemon, poll
from tests.functional.image.conftest import MIB, contents, qemu_img
from tests.functional.image.fake_glance import USER, Glance


class Site:
    """A back end whose images are in Glance."""

    def __init__(self, daemon, directory):
        self.daemon, self.directory, self.clock = daemon, directory, SystemClock()
        self.journal = Journal(
            daemon.database, daemon.host, flows.registry, self.clock, flows.LANE_RESOLVERS
        )

    def ask(self, method, **arguments):
        context = RequestContext(project_id="project", user_id="user").to_journal()
        return self.journal.record([NewOperation(method, arguments, context=context)])[0].uuid

    def wait(self, uuid_):
        row = poll(lambda: self._finished(uuid_), "the end of the operation", 90)
        assert row["state"] == "succeeded", row["error"]

    def _finished(self, uuid_):
        row = self.daemon.operation(uuid_)
        return row if row["finished"] else None

    def new_volume(self, image_id):
        volume_id = str(uuid.uuid4())
        host = f"{self.daemon.host}#{self.directory}"
        self.daemon.database.run(
            lambda connection: volume_creation.new_volume(
                connection, self.clock.now(), host=host, size=1, project_id="project",
                user_id="user", volume_id=volume_id,
            )
        )  # fmt: skip
        spec = {"image_id": image_id}
        self.wait(self.ask("create_volume", volume_id=volume_id, request_spec=spec))
        return volume_id

    def upload(self, volume_id, image_id):
        now = self.clock.now()
        assert self.daemon.database.run(
            lambda c: volume_creation.begin_on_volume(c, volume_id, states.UPLOADING, now)
        )
        meta = {"id": image_id, "disk_format": "qcow2", "container_format": "bare"}
        return self.ask("copy_volume_to_image", volume_id=volume_id, image_meta=meta)

    def volume(self, volume_id):
        return self.daemon.database.run(lambda c: volumes.get_volume(c, volume_id), write=False)

    def data(self, volume_id):
        return (self.directory / f"volume-{volume_id}").read_bytes()


@pytest.fixture
def glance():
    with Glance() as server:
        server.with_tokens = True
        yield server


@pytest.fixture
def site(glance, daemons, tmp_path):
    directory = tmp_path / "volumes"
    url = f"sqlite:///{tmp_path}/lite.sqlite"
    database = Database(url)
    sync(database)
    database.close()
    daemon = daemons(
        url,
        VolumeDaemon,
        default={"image_service": "glance"},
        backend={"localfs_volume_dir": directory},
        sections={
            "glance": {
                "auth_type": "password",
                "auth_url": f"{glance.url}/identity/v3",
                "username": USER["name"],
                "password": USER["password"],
                "project_name": "service",
                "user_domain_id": "d",
                "project_domain_id": "d",
            }
        },
    )
    daemon.start()
    daemon.wait_ready()
    yield Site(daemon, directory)
    log = daemon.log.read_text()
    assert USER["password"] not in log
    assert not any(token in log for token in glance.tokens)


def test_a_volume_has_the_data_of_its_image_and_remembers_it(site, glance, made):
    data = contents()
    image_id = glance.add(made(data, "qcow2").read_bytes(), "qcow2", os_distro="debian")
    volume_id = site.new_volume(image_id)
    assert site.data(volume_id)[: len(data)] == data
    volume = site.volume(volume_id)
    assert (volume["status"], volume["bootable"]) == (states.AVAILABLE, True)
    assert volume["volume_glance_metadata"]["image_id"] == image_id
    assert volume["volume_glance_metadata"]["os_distro"] == "debian"


def test_an_image_that_is_refused_leaves_a_volume_in_error_and_no_file(site, glance, made):
    image_id = glance.add(made(contents(), "qcow2").read_bytes(), "raw")
    with pytest.raises(AssertionError, match="contents are qcow2"):
        site.new_volume(image_id)
    assert list(site.directory.iterdir()) == []


def shown_by(glance, image_id, tmp_path):
    """The bytes of the disk in a qcow2 image of Glance."""
    (tmp_path / "image").write_bytes(glance.data[image_id])
    qemu_img("convert", "-f", "qcow2", "-O", "raw", tmp_path / "image", tmp_path / "raw")
    return (tmp_path / "raw").read_bytes()


def test_an_image_shows_what_its_volume_held(site, glance, tmp_path):
    data = contents()
    volume_id = site.new_volume(glance.add(data))
    image_id = glance.add(disk_format="qcow2")
    site.wait(site.upload(volume_id, image_id))
    assert glance.images[image_id]["status"] == "active"
    assert shown_by(glance, image_id, tmp_path)[: len(data)] == data
    assert site.volume(volume_id)["status"] == states.AVAILABLE


def test_an_upload_that_a_kill_cut_off_is_done_again_and_whole(site, glance, tmp_path):
    # More than fits into the buffers of a connection.
    data = contents(64 * MIB)
    volume_id = site.new_volume(glance.add(data))
    image_id = glance.add(disk_format="qcow2")
    glance.may_upload.clear()
    asked = site.upload(volume_id, image_id)
    assert glance.uploading.wait(60)
    site.daemon.kill()
    glance.may_upload.set()
    poll(lambda: glance.images[image_id]["status"] == "queued", "Glance to notice")
    site.daemon.start()
    site.wait(asked)
    assert shown_by(glance, image_id, tmp_path)[: len(data)] == data
    assert glance.asked("PUT") == 2
