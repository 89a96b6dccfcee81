# SPDX-License-Identifier: Apache-2.0
"""Glance by openstacksdk over real HTTP: what arrives is right, or an error says why it is not."""

import io
import os

import pytest
from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import images as images_conf
from manila_lite.context import RequestContext
from manila_lite.image import convert
from manila_lite.image.glance import GlanceImageService
from manila_lite.testing.clock import ManualClock
from tests.functional.image.conftest import contents, qemu_img
from tests.functional.image.fake_glance import USER, Glance

CONTEXT = RequestContext(project_id="project", user_id="user")
DATA = os.urandom(700_000)


@pytest.fixture
def glance():
    with Glance() as server:
        yield server


@pytest.fixture
def connected(tmp_path):
    """A function that makes a service from the text of [glance]."""

    def connect(text):
        path = tmp_path / "file.conf"
        path.write_text(f"[DEFAULT]\nimage_service = glance\n[glance]\n{text}\n")
        conf = cfg.ConfigOpts()
        conf.register_opt(cfg.StrOpt("state_path", default=str(tmp_path)))
        images_conf.register(conf)
        conf(["--config-file", str(path)])
        images_conf.check(conf)
        return GlanceImageService(conf, ManualClock())

    return connect


@pytest.fixture
def service(glance, connected):
    return connected(f"glance_api_servers = {glance.url}")


def keystone(glance, password=USER["password"]):
    return (
        f"auth_type = password\nauth_url = {glance.url}/identity/v3\nusername = {USER['name']}\n"
        f"password = {password}\nproject_name = service\nuser_domain_id = d\nproject_domain_id = d"
    )


@pytest.fixture
def volume(tmp_path):
    path = tmp_path / "uploaded-volume"
    path.write_bytes(DATA)
    return path


def downloaded(service, image_id):
    target = io.BytesIO()
    service.download(CONTEXT, image_id, target)
    return target.getvalue()


# -- metadata ------------------------------------------------------------------------------------


def test_metadata_are_glances_with_the_rest_under_properties(glance, service):
    image_id = glance.add(DATA, os_distro="debian", direct_url="swift://user:geheim@host/x")
    meta = service.show(CONTEXT, image_id)
    assert (meta["id"], meta["status"], meta["size"]) == (image_id, "active", len(DATA))
    assert meta["properties"] == {"os_distro": "debian"}
    assert "geheim" not in repr(meta)


def test_an_image_that_is_not_there_is_told_by_its_id(service):
    with pytest.raises(exception.ImageNotFound, match="absent"):
        service.show(CONTEXT, "absent")


@pytest.mark.parametrize("image_id", ["../../v3/users", "a?b", "a/file"])
def test_ids_cannot_lead_to_other_routes(glance, service, image_id):
    for ask in (service.show, service.delete):
        with pytest.raises(exception.InvalidImageRef):
            ask(CONTEXT, image_id)
    assert glance.requests == []


def test_all_pages_of_a_list_are_read(glance, service):
    ids = {glance.add(name=f"image {number}") for number in range(5)}
    assert {meta["id"] for meta in service.detail(CONTEXT)} == ids
    assert [meta["name"] for meta in service.detail(CONTEXT, name="image 3")] == ["image 3"]


def test_an_image_is_made_with_its_properties(glance, service):
    meta = service.create(CONTEXT, {"name": "new", "disk_format": "raw", "container_format": "bare",
                                    "status": "active", "properties": {"a": "1"}})  # fmt: skip
    assert meta["status"] == "queued"
    assert glance.images[meta["id"]]["a"] == "1"
    assert meta["properties"] == {"a": "1"}


def test_metadata_are_changed_by_a_patch(glance, service):
    image_id = glance.add()
    meta = service.update(CONTEXT, image_id, {"min_disk": 4, "properties": {"a/b~c": "1"}})
    assert (meta["min_disk"], meta["properties"]) == (4, {"a/b~c": "1"})


def test_a_deleted_image_is_gone(glance, service):
    image_id = glance.add(DATA)
    service.delete(CONTEXT, image_id)
    assert glance.images == {}
    with pytest.raises(exception.ImageNotFound):
        service.delete(CONTEXT, image_id)


# -- downloads -----------------------------------------------------------------------------------


def test_a_download_is_the_image(glance, service):
    assert downloaded(service, glance.add(DATA)) == DATA


def test_an_image_of_glance_becomes_a_volume(glance, service, made, tmp_path):
    data = contents()
    image_id = glance.add(made(data, "qcow2").read_bytes(), "qcow2")
    told = []
    target = tmp_path / "volume"
    convert.fetch_to_raw(CONTEXT, service, image_id, str(target), size=1, progress=told.append)
    assert target.read_bytes() == data
    assert told[-1] == 100
    assert any(percent <= 50 for percent in told)


@pytest.mark.parametrize(
    "meta", [{"os_hash_value": "0" * 128}, {"os_hash_algo": None, "checksum": "0" * 32}]
)
def test_a_wrong_digest_is_an_error(glance, service, meta):
    with pytest.raises(exception.ImageDownloadFailed, match="digest"):
        downloaded(service, glance.add(DATA, **meta))


def test_a_download_that_is_cut_off_may_be_repeated(glance, service):
    image_id = glance.add(DATA)
    glance.cut_download_at = 300_000
    with pytest.raises(exception.GlanceConnectionFailed) as caught:
        downloaded(service, image_id)
    assert exception.classify(caught.value) is exception.ErrorKind.TRANSIENT
    glance.cut_download_at = None
    assert downloaded(service, image_id) == DATA


def test_an_image_without_data_is_a_conflict(glance, service):
    with pytest.raises(exception.ImageConflict):
        downloaded(service, glance.add())


# -- uploads -------------------------------------------------------------------------------------


def test_a_volume_becomes_an_image_of_glance(glance, service, volume):
    image_id = glance.add()
    told = []
    meta = {"id": image_id, "disk_format": "raw", "container_format": "bare"}
    convert.upload_volume(CONTEXT, service, meta, str(volume), progress=told.append)
    assert glance.data[image_id] == DATA
    assert glance.images[image_id]["status"] == "active"
    assert told[-1] == 100
    assert len(told) > 5


def test_a_volume_is_converted_on_its_way(glance, service, volume, tmp_path):
    image_id = glance.add(disk_format="qcow2")
    meta = {"id": image_id, "disk_format": "qcow2", "container_format": "bare"}
    convert.upload_volume(CONTEXT, service, meta, str(volume))
    (tmp_path / "up").write_bytes(glance.data[image_id])
    qemu_img("convert", "-f", "qcow2", "-O", "raw", tmp_path / "up", tmp_path / "raw")
    assert (tmp_path / "raw").read_bytes()[: len(DATA)] == DATA


def test_an_active_image_takes_no_data(glance, service, volume):
    image_id = glance.add(b"old")
    with pytest.raises(exception.ImageConflict), open(volume, "rb") as file:
        service.update(CONTEXT, image_id, {}, file)
    assert glance.data[image_id] == b"old"
    assert glance.asked("PUT") == 0


def test_an_upload_that_is_cut_off_is_in_doubt_and_not_sent_again(glance, service, volume):
    image_id = glance.add()
    glance.cut_upload_at = 100_000
    with pytest.raises(exception.ImageUploadInterrupted) as caught, open(volume, "rb") as file:
        service.update(CONTEXT, image_id, {}, file)
    assert exception.classify(caught.value) is exception.ErrorKind.IN_DOUBT
    assert glance.asked("PUT") == 1
    assert glance.images[image_id]["status"] == "queued"


def test_a_service_that_breaks_down_after_the_data_leaves_a_doubt(glance, service, volume):
    image_id = glance.add()
    with pytest.raises(exception.ImageUploadInterrupted, match="503"), open(volume, "rb") as file:
        show = service.show
        service.show = lambda *given: (show(*given), glance.answers.append(503))[0]
        service.update(CONTEXT, image_id, {}, file)
    assert glance.asked("PUT") == 1


def test_data_that_were_damaged_on_their_way_never_stay_an_image(glance, service, volume):
    image_id = glance.add()
    glance.damage_uploads = True
    with pytest.raises(exception.ImageCopyFailure, match="deleted"), open(volume, "rb") as file:
        service.update(CONTEXT, image_id, {}, file)
    assert image_id not in glance.images


# -- a service that is away ----------------------------------------------------------------------


def test_questions_are_repeated_while_the_service_is_overloaded(glance, service):
    image_id = glance.add(DATA)
    glance.answers = [503, 429, 502]
    assert service.show(CONTEXT, image_id)["id"] == image_id


def test_repetition_has_an_end_and_the_error_is_transient(glance, service):
    image_id = glance.add(DATA)
    glance.answers = [503] * 4
    with pytest.raises(exception.GlanceConnectionFailed, match="503") as caught:
        service.show(CONTEXT, image_id)
    assert exception.classify(caught.value) is exception.ErrorKind.TRANSIENT
    assert glance.answers == []


def test_a_server_that_is_away_is_passed_over(glance, connected):
    with Glance() as gone:
        away = gone.url
    service = connected(f"glance_api_servers = {away}, {glance.url}\nglance_num_retries = 1")
    image_id = glance.add(DATA)
    assert downloaded(service, image_id) == DATA


def test_an_upload_goes_to_a_server_that_answers(glance, connected, volume):
    with Glance() as gone:
        away = gone.url
    service = connected(f"glance_api_servers = {away}, {glance.url}\nglance_num_retries = 1")
    image_id = glance.add()
    with open(volume, "rb") as file:
        service.update(CONTEXT, image_id, {}, file)
    assert glance.data[image_id] == DATA


def test_who_loses_interest_in_an_upload_hears_its_own_error(glance, service, volume):
    def lose(percent):
        raise KeyError("the lease is lost")

    meta = {"id": glance.add(), "disk_format": "raw", "container_format": "bare"}
    with pytest.raises(KeyError, match="lease"):
        convert.upload_volume(CONTEXT, service, meta, str(volume), progress=lose)
    assert meta["id"] not in glance.data


def test_without_a_server_the_error_is_transient(connected):
    with Glance() as gone:
        away = gone.url
    service = connected(f"glance_api_servers = {away}")
    with pytest.raises(exception.GlanceConnectionFailed) as caught:
        service.show(CONTEXT, "image")
    assert exception.classify(caught.value) is exception.ErrorKind.TRANSIENT


def test_a_refusal_is_final(glance, service):
    glance.answers = [403]
    with pytest.raises(exception.NotAuthorized) as caught:
        service.show(CONTEXT, glance.add())
    assert exception.classify(caught.value) is exception.ErrorKind.FINAL


# -- Keystone ------------------------------------------------------------------------------------


def test_this_service_identifies_itself_by_its_own_credentials(glance, connected, volume):
    glance.with_tokens = True
    service = connected(keystone(glance))
    image_id = glance.add(DATA)
    assert downloaded(service, image_id) == DATA
    queued = glance.add()
    with open(volume, "rb") as file:
        service.update(CONTEXT, queued, {}, file)
    assert glance.data[queued] == DATA


def test_a_token_that_ran_out_is_renewed_before_an_upload_begins(glance, connected, volume):
    glance.with_tokens = True
    service = connected(keystone(glance))
    queued = glance.add()
    service.show(CONTEXT, queued)
    glance.tokens.clear()
    with open(volume, "rb") as file:
        service.update(CONTEXT, queued, {}, file)
    assert glance.data[queued] == DATA
    assert glance.asked("PUT") == 1


def test_a_wrong_password_is_an_error_that_does_not_show_it(glance, connected):
    glance.with_tokens = True
    service = connected(keystone(glance, "ein anderes"))
    with pytest.raises(exception.ManilaException) as caught:
        service.show(CONTEXT, glance.add())
    assert "ein anderes" not in str(caught.value)
    assert exception.classify(caught.value) is exception.ErrorKind.FINAL


def test_credentials_that_are_incomplete_name_the_option(connected, glance):
    service = connected("auth_type = password")
    with pytest.raises(exception.ConfigurationError, match="auth"):
        service.show(CONTEXT, glance.add())


def test_an_image_is_not_made_twice_where_the_first_try_may_have_made_it(glance, service):
    glance.answers = [502]
    with pytest.raises(exception.BackendOutcomeUnknown):
        service.create(CONTEXT, {"name": "new"})
    assert glance.asked("POST", "/v2/images") == 1
    glance.answers = [503]
    service.create(CONTEXT, {"name": "new"})
    assert len(glance.images) == 1
