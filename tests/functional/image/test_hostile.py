# SPDX-License-Identifier: Apache-2.0
"""Images that were made to do harm: refused with a reason, most of them before qemu-img runs."""

import json
import os
import struct

import pytest

from manila_lite import exception, process
from manila_lite.image import convert, settings
from tests.functional.image.conftest import MIB, contents, qemu_img

GIB = 1024 * MIB


@pytest.fixture
def commands(monkeypatch):
    """The commands that the code under test runs; they are run."""
    ran = []
    real = process.execute

    def execute(*command, **options):
        ran.append(command)
        return real(*command, **options)

    monkeypatch.setattr(process, "execute", execute)
    return ran


@pytest.fixture
def fetched(image, service, tmp_path):
    """A function that has a volume of 1 GiB made from a file; returns the reason for refusing."""

    def fetch(path, disk_format):
        image_id = image(path, disk_format)
        volume = tmp_path / "volume"
        with pytest.raises(exception.ImageUnacceptable) as caught:
            convert.fetch_to_raw(None, service, image_id, str(volume), "1M", size=1)
        assert not volume.exists()
        assert exception.classify(caught.value) is exception.ErrorKind.FINAL
        return str(caught.value)

    return fetch


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"root:x:0:0" + bytes(MIB - 10))
    return path


def changed(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)
    return path


def backing_file(tmp_path, secret, made):
    path = tmp_path / "x"
    qemu_img("create", "-f", "qcow2", "-b", secret, "-F", "raw", path)
    return path, "qcow2", "backing file"


def backing_json(tmp_path, secret, made):
    path = tmp_path / "x"
    file = {"driver": "file", "filename": str(secret)}
    name = "json:" + json.dumps({"driver": "raw", "file": file})
    qemu_img("create", "-f", "qcow2", "-u", "-b", name, "-F", "raw", path, "1M")
    return path, "qcow2", "backing file"


def backing_nbd(tmp_path, secret, made):
    path = tmp_path / "x"
    name = "nbd://127.0.0.1:9/x"
    qemu_img("create", "-f", "qcow2", "-u", "-b", name, "-F", "raw", path, "1M")
    return path, "qcow2", "backing file"


def data_file(tmp_path, secret, made):
    path = tmp_path / "x"
    options = f"data_file={tmp_path / 'data'},data_file_raw=on"
    qemu_img("create", "-f", "qcow2", "-o", options, path, "1M")
    return path, "qcow2", "data_file"


def vmdk_extents(tmp_path, secret, made):
    path = tmp_path / "x.vmdk"
    qemu_img("create", "-f", "vmdk", "-o", "subformat=monolithicFlat", path, "1M")
    return path, "vmdk", "Unsupported subformat"


def vmdk_parent(tmp_path, secret, made):
    base, path = tmp_path / "base.vmdk", tmp_path / "x.vmdk"
    qemu_img("create", "-f", "vmdk", base, "1M")
    qemu_img("create", "-f", "vmdk", "-b", base, "-F", "vmdk", path)
    return path, "vmdk", "parent"


def vmdk_embedded_extents(tmp_path, secret, made):
    """A sparse header without a capacity: qemu opens what the embedded descriptor names."""
    path = made(contents(), "vmdk")
    return changed(path, 12, struct.pack("<Q", 0)), "vmdk", "other files"


def vmdk_flat_extent(tmp_path, secret, made):
    path = made(contents(), "vmdk")
    text = path.read_bytes().replace(b"RW 6144 SPARSE", b"RW 6144 FLAT  ", 1)
    path.write_bytes(text)
    return path, "vmdk", "other files"


def vmdk_type(tmp_path, secret, made):
    path = made(contents(), "vmdk")
    path.write_bytes(path.read_bytes().replace(b'"monolithicSparse"', b'"monolithicFlattt"', 1))
    return path, "vmdk", "Unsupported subformat"


def qcow2_called_raw(tmp_path, secret, made):
    return made(contents(), "qcow2"), "raw", "contents are qcow2"


def raw_called_qcow2(tmp_path, secret, made):
    return made(contents(), "raw"), "qcow2", "contents are raw"


def qcow2_called_vmdk(tmp_path, secret, made):
    return made(contents(), "qcow2"), "vmdk", "contents are qcow2"


def vdi_called_iso(tmp_path, secret, made):
    return made(contents(), "vdi"), "iso", "contents are vdi"


def header_cut_off(tmp_path, secret, made):
    path = made(contents(), "qcow2")
    os.truncate(path, 100)
    return path, "qcow2", "contents are raw"


def qed(tmp_path, secret, made):
    return made(contents(), "qed"), "qcow2", "contents are qed|not supported"


def two_formats(tmp_path, secret, made):
    """A qcow2 image that is a VDI image as well."""
    path = made(contents(), "qcow2")
    return changed(path, 0x40, struct.pack("<I", 0xBEDA107F)), "qcow2", "Multiple formats|VDI|vdi"


def unknown_features(tmp_path, secret, made):
    path = made(contents(), "qcow2")
    return changed(path, 72, struct.pack(">Q", 1 << 40)), "qcow2", "features"


def encrypted(tmp_path, secret, made):
    return changed(made(contents(), "qcow2"), 32, struct.pack(">I", 2)), "qcow2", "encrypted"


def first_version(tmp_path, secret, made):
    return changed(made(contents(), "qcow2"), 4, struct.pack(">I", 1)), "qcow2", "version"


def virtual_bomb(tmp_path, secret, made):
    path = tmp_path / "x"
    qemu_img("create", "-f", "qcow2", path, 500 * 1024 * GIB)
    return path, "qcow2", "512000 GiB"


BEFORE_QEMU_IMG = [
    backing_file, backing_json, backing_nbd, data_file, vmdk_extents, vmdk_parent,
    vmdk_embedded_extents, vmdk_flat_extent, vmdk_type, qcow2_called_raw, raw_called_qcow2,
    qcow2_called_vmdk, vdi_called_iso, header_cut_off, qed, two_formats, unknown_features,
    encrypted, first_version, virtual_bomb,
]  # fmt: skip


@pytest.mark.parametrize("craft", BEFORE_QEMU_IMG, ids=lambda craft: craft.__name__)
def test_it_is_refused_before_qemu_img_is_run(craft, tmp_path, secret, made, fetched, commands):
    path, disk_format, reason = craft(tmp_path, secret, made)
    told = fetched(path, disk_format)
    assert any(part in told for part in reason.split("|")), told
    assert commands == []


def end_cut_off(tmp_path, secret, made):
    path = made(os.urandom(3 * MIB), "qcow2")
    os.truncate(path, path.stat().st_size // 2)
    return path, "exceeding the end of the file"


def large_table(tmp_path, secret, made):
    return changed(made(contents(), "qcow2"), 36, struct.pack(">I", 0x7FFFFFFF)), "qemu-img"


def tables_overlap(tmp_path, secret, made):
    """The table of clusters lies over the header."""
    return changed(made(contents(), "qcow2"), 40, struct.pack(">Q", 0)), "qemu-img"


@pytest.mark.parametrize("craft", [end_cut_off, large_table, tables_overlap],
                         ids=lambda craft: craft.__name__)  # fmt: skip
def test_it_is_refused_by_what_qemu_img_finds_in_the_image_itself(
    craft, tmp_path, secret, made, fetched, commands
):
    path, reason = craft(tmp_path, secret, made)
    assert reason in fetched(path, "qcow2")
    assert all("convert" not in command for command in commands)


def test_types_of_vmdk_can_be_switched_off(made, fetched, commands, conversion_dir):
    settings.use(settings.Settings(str(conversion_dir), vmdk_types=("streamOptimized",)))
    assert "'monolithicSparse' is not allowed" in fetched(made(contents(), "vmdk"), "vmdk")
    assert commands == []


def test_data_that_were_changed_after_the_upload_are_refused(image, made, service, tmp_path):
    image_id = image(made(contents(), "raw"), "raw")
    changed(tmp_path / "images" / f"{image_id}.data", 5, b"evil")
    with pytest.raises(exception.ImageDownloadFailed, match="digest"):
        convert.fetch_to_raw(None, service, image_id, str(tmp_path / "volume"), "1M", size=1)


def test_an_iso_that_boots_from_a_disk_too_is_a_raw_image(image, service, tmp_path):
    """Installation images have a partition table for USB sticks beside their ISO file system."""
    path = tmp_path / "hybrid.iso"
    data = bytearray(2 * MIB)
    data[510:512] = b"\x55\xaa"
    data[446:462] = bytes([0x80, 0, 2, 0, 0x17, 0xFF, 0xFF, 0xFF]) + struct.pack("<II", 1, 4000)
    data[32 * 1024 : 32 * 1024 + 7] = b"\x01CD001\x01"
    path.write_bytes(data)
    volume = tmp_path / "volume"
    convert.fetch_to_raw(None, service, image(path, "iso"), str(volume), "1M", size=1)
    assert volume.read_bytes() == data
