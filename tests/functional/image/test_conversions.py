# SPDX-License-Identifier: Apache-2.0
"""Images to volumes and back with the real qemu-img: every byte arrives, whatever the formats."""

import io
import os
import shutil

import pytest

from manila_lite import exception
from manila_lite.image import convert, progress, settings
from tests.functional.image.conftest import MIB, contents, qemu_img

GIB = 1024 * MIB
# Glance's name, qemu's name, options of qemu-img.
FORMATS = [
    ("raw", "raw", ()),
    ("iso", "raw", ()),
    ("qcow2", "qcow2", ()),
    ("qcow2", "qcow2", ("-c",)),
    ("qcow2", "qcow2", ("-o", "compat=0.10")),
    ("vmdk", "vmdk", ()),
    ("vmdk", "vmdk", ("-o", "subformat=streamOptimized")),
    ("vdi", "vdi", ()),
    ("vhdx", "vhdx", ()),
    ("vhd", "vpc", ("-o", "force_size=on")),
]
IDS = ["-".join([name, *options]) for name, _, options in FORMATS]


def read(path, image_format, tmp_path):
    """The bytes of the virtual disk."""
    raw = tmp_path / "read.raw"
    qemu_img("convert", "-f", image_format, "-O", "raw", path, raw)
    return raw.read_bytes()


@pytest.mark.parametrize(("disk_format", "qemu_format", "options"), FORMATS, ids=IDS)
def test_an_image_of_any_format_becomes_a_raw_volume(
    disk_format, qemu_format, options, made, image, service, tmp_path
):
    data = contents()
    image_id = image(made(data, qemu_format, *options), disk_format)
    volume = tmp_path / "volume"
    volume.write_bytes(b"what was there before")
    convert.fetch_to_raw(None, service, image_id, str(volume), "1M", size=1)
    assert volume.read_bytes() == data


def test_a_raw_image_becomes_a_qcow2_volume(made, image, service, tmp_path):
    data = contents()
    image_id = image(made(data, "raw"), "raw")
    volume = tmp_path / "volume"
    convert.fetch_to_volume_format(None, service, image_id, str(volume), "qcow2", "1M", size=1)
    assert read(volume, "qcow2", tmp_path) == data


@pytest.mark.parametrize("volume_format", ["raw", "qcow2"])
@pytest.mark.parametrize(
    ("disk_format", "qemu_format"),
    [("raw", "raw"), ("qcow2", "qcow2"), ("vmdk", "vmdk"), ("vdi", "vdi"), ("vhdx", "vhdx"),
     ("vhd", "vpc")],
)  # fmt: skip
def test_a_volume_becomes_an_image_of_any_format(
    disk_format, qemu_format, volume_format, made, service, tmp_path
):
    data = contents()
    volume = made(data, volume_format)
    queued = service.create(None, {"disk_format": disk_format})
    convert.upload_volume(None, service, queued, str(volume), volume_format=volume_format)
    meta = service.show(None, queued["id"])
    assert meta["status"] == "active"
    downloaded = tmp_path / "downloaded"
    with open(downloaded, "wb") as file:
        service.download(None, queued["id"], file)
    assert downloaded.stat().st_size == meta["size"]
    # The geometry of a VHD can make its disk a little larger.
    assert read(downloaded, qemu_format, tmp_path)[: len(data)] == data


def test_holes_stay_holes_all_the_way(image, service, tmp_path):
    path = tmp_path / "sparse"
    with open(path, "wb") as file:
        file.truncate(GIB)
        file.seek(GIB // 2)
        file.write(b"something")
    image_id = image(path, "raw")
    volume = tmp_path / "volume"
    convert.fetch_to_raw(None, service, image_id, str(volume), "1M", size=1)
    stored = tmp_path / "images" / f"{image_id}.data"
    for file in (stored, volume):
        assert file.stat().st_size == GIB
        assert file.stat().st_blocks * 512 < 4 * MIB


def test_a_disk_larger_than_the_machines_needs_only_room_for_its_data(image, service, tmp_path):
    size = 8 * (shutil.disk_usage(tmp_path).total // GIB + 1)
    path = tmp_path / "large.qcow2"
    qemu_img("create", "-f", "qcow2", path, size * GIB)
    volume = tmp_path / "volume"
    volume.touch()
    convert.fetch_to_raw(None, service, image(path, "qcow2"), str(volume), "1M", size=size)
    assert volume.stat().st_size == size * GIB
    with pytest.raises(exception.ImageTooBig, match="are needed"):
        convert.fetch_to_raw(
            None, service, image(path, "qcow2"), str(volume), size=size, disable_sparse=True
        )


def test_progress_is_told_in_steps_that_only_grow(made, image, service, tmp_path):
    told = []
    image_id = image(made(os.urandom(8 * MIB), "qcow2"), "qcow2")
    with progress.reported_to(told.append):
        convert.fetch_to_raw(None, service, image_id, str(tmp_path / "volume"), "1M", size=1)
    assert told == sorted(set(told))
    assert told[-1] == 100
    assert len([percent for percent in told if percent <= 50]) > 10, "of the download"
    assert len([percent for percent in told if percent > 50]) > 1, "of the conversion"


def test_progress_of_an_upload_is_told_too(made, service):
    told = []
    queued = service.create(None, {"disk_format": "raw"})
    volume = made(os.urandom(8 * MIB), "raw")
    convert.upload_volume(None, service, queued, str(volume), progress=told.append)
    assert told == sorted(set(told))
    assert told[-1] == 100
    assert len(told) > 50


def test_who_loses_interest_in_the_midst_of_a_conversion_ends_it(made, image, service, tmp_path):
    def lose(percent):
        if percent > 50:
            raise InterruptedError("the lease is lost")

    image_id = image(made(os.urandom(8 * MIB), "qcow2"), "qcow2")
    with pytest.raises(InterruptedError):
        convert.fetch_to_raw(
            None, service, image_id, str(tmp_path / "volume"), "1M", size=1, progress=lose
        )


def test_an_image_that_is_larger_than_the_volume_is_refused(made, image, service, tmp_path):
    path = tmp_path / "large.qcow2"
    qemu_img("create", "-f", "qcow2", path, GIB + 1)
    image_id = image(path, "qcow2")
    with pytest.raises(exception.ImageUnacceptable, match="2 GiB, and the volume 1"):
        convert.fetch_to_raw(None, service, image_id, str(tmp_path / "volume"), "1M", size=1)
    assert not (tmp_path / "volume").exists()


def test_a_volume_below_the_images_own_minimum_is_refused(made, image, service, tmp_path):
    image_id = image(made(contents(), "raw"), "raw", min_disk=5)
    with pytest.raises(exception.ImageUnacceptable, match="needs a volume of 5 GiB"):
        convert.fetch_to_raw(None, service, image_id, str(tmp_path / "volume"), "1M", size=4)


def test_an_image_without_data_is_refused(service, tmp_path):
    queued = service.create(None, {"disk_format": "raw"})
    with pytest.raises(exception.ImageUnacceptable, match="queued"):
        convert.fetch_to_raw(None, service, queued["id"], str(tmp_path / "volume"), "1M", size=1)


@pytest.mark.parametrize(
    "meta",
    [{"container_format": "ova"}, {"container_format": "compressed"}, {"disk_format": "ploop"}],
)
def test_what_is_not_supported_is_refused_without_a_download(meta, made, image, service, tmp_path):
    image_id = image(made(contents(), "raw"), **{"disk_format": "raw", **meta})
    with pytest.raises(exception.ImageUnacceptable, match="not supported"):
        convert.fetch_to_raw(None, service, image_id, str(tmp_path / "volume"), "1M", size=1)


def test_conversions_can_be_switched_off(made, image, service, tmp_path, conversion_dir):
    settings.use(settings.Settings(str(conversion_dir), conversion_disabled=True))
    volume = str(tmp_path / "volume")
    data = contents()
    with pytest.raises(exception.ImageConversionNotAllowed):
        convert.fetch_to_raw(None, service, image(made(data, "qcow2"), "qcow2"), volume, size=1)
    convert.fetch_to_raw(None, service, image(made(data, "raw"), "raw"), volume, size=1)
    queued = service.create(None, {"disk_format": "qcow2"})
    with pytest.raises(exception.ImageConversionNotAllowed):
        convert.upload_volume(None, service, queued, volume)


def test_compression_is_used_where_it_is_switched_on(made, service, conversion_dir):
    volume = made(b"the same again and again " * 100_000, "raw")
    sizes = []
    for compress in (False, True):
        settings.use(settings.Settings(str(conversion_dir), compress=compress))
        queued = service.create(None, {"disk_format": "qcow2"})
        convert.upload_volume(None, service, queued, str(volume))
        sizes.append(service.show(None, queued["id"])["size"])
    assert sizes[1] < sizes[0] / 4


def test_a_file_that_is_only_a_part_of_a_volume_is_not_uploaded(made, service, tmp_path):
    base = made(contents(), "raw")
    overlay = tmp_path / "overlay"
    qemu_img("create", "-f", "qcow2", "-b", base, "-F", "raw", overlay)
    queued = service.create(None, {"disk_format": "qcow2"})
    with pytest.raises(exception.ImageUnacceptable, match="backing file"):
        convert.upload_volume(None, service, queued, str(overlay), volume_format="qcow2")
    assert service.show(None, queued["id"])["status"] == "queued"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs commands as root without a helper")
def test_a_volume_that_only_root_may_read_is_copied_by_root_first(made, service, monkeypatch):
    data = contents()
    volume = made(data, "raw")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    queued = service.create(None, {"disk_format": "raw"})
    convert.upload_volume(None, service, queued, str(volume), run_as_root=True)
    stored = io.BytesIO()
    service.download(None, queued["id"], stored)
    assert stored.getvalue() == data


def test_a_chain_of_our_own_is_flattened(made, tmp_path):
    data = contents()
    base = made(data, "raw")
    overlay = tmp_path / "overlay"
    qemu_img("create", "-f", "qcow2", "-b", base, "-F", "raw", overlay)
    flat = tmp_path / "flat"
    convert.convert_image(str(overlay), str(flat), "raw", src_format="qcow2")
    assert flat.read_bytes() == data


def test_a_chain_of_which_nobody_says_that_it_is_ours_is_refused(made, tmp_path):
    overlay = tmp_path / "overlay"
    qemu_img("create", "-f", "qcow2", "-b", made(contents(), "raw"), "-F", "raw", overlay)
    with pytest.raises(exception.ImageUnacceptable, match="backing file"):
        convert.convert_image(str(overlay), str(tmp_path / "flat"), "raw")
    with pytest.raises(exception.ImageUnacceptable, match="backing file"):
        convert.qemu_img_info(str(overlay))
    info = convert.qemu_img_info(str(overlay), allow_qcow2_backing_file=True)
    assert info.backing_file == str(tmp_path / "made.raw")


def test_a_volume_grows_and_never_shrinks(made):
    volume = made(contents(), "raw")
    convert.resize_image(str(volume), 2)
    assert convert.qemu_img_info(str(volume)).virtual_size == 2 * GIB
    with pytest.raises(exception.ProcessExecutionError):
        convert.resize_image(str(volume), 1)
    assert volume.stat().st_size == 2 * GIB


def test_a_raw_volume_in_which_a_guest_wrote_an_image_stays_what_it_is(made, service, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("not for guests")
    evil = tmp_path / "evil"
    qemu_img("create", "-f", "qcow2", "-b", secret, "-F", "raw", evil, "1M")
    volume = tmp_path / "volume"
    volume.write_bytes(evil.read_bytes())
    queued = service.create(None, {"disk_format": "qcow2"})
    convert.upload_volume(None, service, queued, str(volume), volume_format="raw")
    downloaded = tmp_path / "downloaded"
    with open(downloaded, "wb") as file:
        service.download(None, queued["id"], file)
    assert read(downloaded, "qcow2", tmp_path)[: evil.stat().st_size] == evil.read_bytes()


def test_a_verified_download_is_the_image_as_it_is(made, image, service, tmp_path):
    path = made(contents(), "qcow2")
    target = tmp_path / "target"
    convert.fetch_verify_image(None, service, image(path, "qcow2"), str(target))
    assert target.read_bytes() == path.read_bytes()


def test_of_a_download_that_is_refused_nothing_stays(made, image, service, tmp_path):
    target = tmp_path / "target"
    image_id = image(made(contents(), "qcow2"), "raw")
    with pytest.raises(exception.ImageUnacceptable):
        convert.fetch_verify_image(None, service, image_id, str(target))
    assert target.stat().st_size == 0
