# SPDX-License-Identifier: Apache-2.0
"""Images in a directory: whole or not there at all, for several processes at once."""

import io
import os
import threading

import pytest

from manila_lite import exception
from manila_lite.clock import SystemClock
from manila_lite.context import RequestContext
from manila_lite.image.directory import DirectoryImageService
from manila_lite.testing import kills

DATA = os.urandom(300_000)


def files(service_dir):
    """Names of the files, but for the lock."""
    return {path.name for path in service_dir.iterdir() if path.name != ".lock"}


def downloaded(service, image_id):
    target = io.BytesIO()
    service.download(None, image_id, target)
    return target.getvalue()


def test_an_image_with_data_is_active_at_once(service):
    meta = service.create(None, {"name": "debian", "disk_format": "raw"}, io.BytesIO(DATA))
    assert (meta["status"], meta["size"], meta["os_hash_algo"]) == ("active", len(DATA), "sha512")
    assert service.show(None, meta["id"]) == meta
    assert downloaded(service, meta["id"]) == DATA


def test_an_image_is_queued_until_it_has_data(service):
    meta = service.create(None, {"disk_format": "qcow2"})
    assert (meta["status"], meta["size"]) == ("queued", None)
    with pytest.raises(exception.ImageConflict):
        downloaded(service, meta["id"])
    service.update(None, meta["id"], {"min_disk": 3}, io.BytesIO(DATA))
    shown = service.show(None, meta["id"])
    assert (shown["status"], shown["min_disk"], shown["disk_format"]) == ("active", 3, "qcow2")


def test_data_of_an_active_image_cannot_be_replaced(service):
    meta = service.create(None, {}, io.BytesIO(DATA))
    with pytest.raises(exception.ImageConflict, match="active"):
        service.update(None, meta["id"], {}, io.BytesIO(b"other"))
    assert downloaded(service, meta["id"]) == DATA


def test_metadata_can_be_changed_but_for_what_the_service_itself_knows(service):
    meta = service.create(None, {"properties": {"a": "1"}}, io.BytesIO(DATA))
    changes = {"name": "new", "id": "other", "status": "queued", "size": 1, "os_hash_value": "x",
               "properties": {"b": "2"}}  # fmt: skip
    changed = service.update(None, meta["id"], changes)
    assert changed["name"] == "new"
    assert changed["properties"] == {"a": "1", "b": "2"}
    same = ("id", "status", "size", "os_hash_value")
    assert [changed[key] for key in same] == [meta[key] for key in same]


def test_the_project_of_the_request_owns_the_image(service):
    context = RequestContext(project_id="project")
    assert service.create(context, {})["owner"] == "project"


def test_an_id_may_be_chosen_once(service):
    service.create(None, {"id": "debian-12"})
    with pytest.raises(exception.ImageConflict, match="exists"):
        service.create(None, {"id": "debian-12"})


@pytest.mark.parametrize("image_id", ["../escape", ".lock", "a/b"])
def test_ids_cannot_lead_out_of_the_directory(service, image_id):
    for ask in (
        lambda: service.create(None, {"id": image_id}, io.BytesIO(DATA)),
        lambda: service.show(None, image_id),
        lambda: service.update(None, image_id, {}, io.BytesIO(DATA)),
        lambda: service.delete(None, image_id),
        lambda: downloaded(service, image_id),
    ):
        with pytest.raises(exception.InvalidImageRef):
            ask()


def test_images_can_be_listed_and_filtered(service):
    assert service.detail(None) == []
    ids = [service.create(None, {"name": name})["id"] for name in ("a", "b")]
    assert {meta["id"] for meta in service.detail(None)} == set(ids)
    assert [meta["name"] for meta in service.detail(None, name="b")] == ["b"]


def test_a_deleted_image_leaves_nothing(service, tmp_path):
    meta = service.create(None, {}, io.BytesIO(DATA))
    service.delete(None, meta["id"])
    assert files(tmp_path / "images") == set()
    for ask in (service.show, service.delete):
        with pytest.raises(exception.ImageNotFound):
            ask(None, meta["id"])


def test_a_protected_image_stays(service):
    meta = service.create(None, {"protected": True}, io.BytesIO(DATA))
    with pytest.raises(exception.ImageConflict, match="protected"):
        service.delete(None, meta["id"])
    assert downloaded(service, meta["id"]) == DATA


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\x00"])
def test_damaged_metadata_are_an_error_that_says_so(service, tmp_path, text):
    meta = service.create(None, {})
    (tmp_path / "images" / f"{meta['id']}.json").write_text(text)
    with pytest.raises(exception.ImageUnacceptable, match="damaged"):
        service.show(None, meta["id"])


def test_data_that_are_gone_are_an_error_that_says_so(service, tmp_path):
    meta = service.create(None, {}, io.BytesIO(DATA))
    (tmp_path / "images" / f"{meta['id']}.data").unlink()
    with pytest.raises(exception.ImageDownloadFailed, match="missing"):
        downloaded(service, meta["id"])


def test_an_upload_that_fails_leaves_the_image_queued_and_no_file(service, tmp_path):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise OSError("the volume cannot be read")

    meta = service.create(None, {})
    with pytest.raises(OSError, match="cannot be read"):
        service.update(None, meta["id"], {}, Failing())
    assert service.show(None, meta["id"])["status"] == "queued"
    assert files(tmp_path / "images") == {f"{meta['id']}.json"}


def test_of_uploads_that_race_one_wins_whole(tmp_path):
    services = [DirectoryImageService(str(tmp_path / "images"), SystemClock()) for _ in range(8)]
    meta = services[0].create(None, {})
    won, lost = [], []

    def upload(number):
        data = bytes([number]) * 200_000
        try:
            services[number].update(None, meta["id"], {}, io.BytesIO(data))
            won.append(data)
        except exception.ImageConflict:
            lost.append(number)

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert downloaded(services[0], meta["id"]) == won[0]
    assert files(tmp_path / "images") == {f"{meta['id']}.json", f"{meta['id']}.data"}


def test_a_kill_at_any_moment_of_an_upload_leaves_it_queued_or_whole(tmp_path):
    service = DirectoryImageService(str(tmp_path / "images"), SystemClock())
    meta = service.create(None, {"id": "image"})
    queued = (tmp_path / "images" / "image.json").read_bytes()
    seen = set()
    for _ in kills.every_kill(lambda: service.update(None, "image", {}, io.BytesIO(DATA))):
        status = service.show(None, meta["id"])["status"]
        seen.add(status)
        if status == "active":
            assert downloaded(service, "image") == DATA
            (tmp_path / "images" / "image.json").write_bytes(queued)
        else:
            # It can be uploaded again as if nothing had been.
            service.remove_abandoned()
            assert files(tmp_path / "images") <= {"image.json", "image.data"}
    assert seen == {"queued", "active"} or seen == {"queued"}
    assert downloaded(service, "image") == DATA


def test_a_kill_at_any_moment_of_a_deletion_leaves_the_image_whole_or_nothing_of_it(tmp_path):
    service = DirectoryImageService(str(tmp_path / "images"), SystemClock())

    def make():
        service.create(None, {"id": "image"}, io.BytesIO(DATA))

    make()
    for _ in kills.every_kill(lambda: service.delete(None, "image")):
        service.remove_abandoned()
        left = files(tmp_path / "images")
        if left:
            assert downloaded(service, "image") == DATA
        else:
            make()
    assert files(tmp_path / "images") == set()


def test_the_start_of_another_process_takes_no_upload_for_abandoned(service, tmp_path):
    meta = service.create(None, {})

    class StartsAnother(io.BytesIO):
        def read(self, size=-1):
            DirectoryImageService(str(tmp_path / "images"), SystemClock()).remove_abandoned()
            return super().read(size)

    service.update(None, meta["id"], {}, StartsAnother(DATA))
    assert downloaded(service, meta["id"]) == DATA
