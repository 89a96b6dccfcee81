# SPDX-License-Identifier: Apache-2.0
"""The model's reader of images and its guest, against qemu-img."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model.volume_contents import CLUSTER, GIB, TAG, UNIT, Contents, tag_of
from tests.model.volume_guest import Guest, Write
from tests.model.volume_images import Images, Unreadable, read_qcow2

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-img") is None or shutil.which("qemu-io") is None,
    reason="qemu-img and qemu-io are not installed",
)

SIZE = GIB
PLACES = (0, 1, 15, 16, 17, 8192 * 16 - 1, 8192 * 16, SIZE // UNIT - 17, SIZE // UNIT - 1)


def img(*command: object) -> str:
    done = subprocess.run(
        ["qemu-img", *map(str, command)], check=True, capture_output=True, text=True
    )
    return done.stdout


def some_writes(seed: int) -> list[Write]:
    chance = random.Random(seed)
    writes = []
    for number in range(6):
        first = chance.choice(PLACES)
        count = min(chance.choice((1, 3, 16, 40)), SIZE // UNIT - first)
        tag = None if chance.random() < 0.25 else f"{seed:08}{number:08}".encode()
        writes.append(Write(first, count, tag))
    return writes


def applied(contents: Contents, writes: list[Write]) -> Contents:
    for write in writes:
        contents = write.on(contents)
    return contents


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Guest]:
    with Guest(tmp_path) as guest:
        yield guest


def made(path: Path, image_format: str, *options: str, backing: Path | None = None) -> Path:
    below = [] if backing is None else ["-b", backing.name, "-F", options[0]]
    extra = [] if backing is not None or not options else ["-o", options[0]]
    img("create", "-f", image_format, *below, *extra, path, SIZE)
    return path


@pytest.mark.parametrize(
    ("image_format", "options"),
    [("raw", ()), ("qcow2", ()), ("qcow2", ("preallocation=metadata",))],
)
@pytest.mark.parametrize("seed", range(4))
def test_the_reader_sees_what_a_guest_wrote(tmp_path, guest, image_format, options, seed) -> None:
    path = made(tmp_path / "disk", image_format, *options)
    guest.write(path, image_format, some_writes(seed))
    expected = applied(Contents(SIZE), some_writes(seed))
    assert expected.differences(Images().contents(path, image_format)) == []


@pytest.mark.parametrize("base_format", ["raw", "qcow2"])
def test_the_reader_sees_through_a_chain_what_qemu_img_converts(
    tmp_path, guest, base_format
) -> None:
    base = made(tmp_path / "base", base_format)
    middle = made(tmp_path / "middle", "qcow2", base_format, backing=base)
    top = made(tmp_path / "top", "qcow2", "qcow2", backing=middle)
    images, flat = Images(), tmp_path / "flat"
    layers = [(base, base_format), (middle, "qcow2"), (top, "qcow2")] * 2
    for seed, (path, image_format) in enumerate(layers):
        # The second time round, lower images change under those above, which hide it or not.
        guest.write(path, image_format, some_writes(seed))
        img("convert", "-f", "qcow2", "-O", "raw", top, flat)
        seen = images.contents(top, "qcow2")
        assert images.contents(flat, "raw").differences(seen) == []
        assert seed == 0 or seen.units


def test_an_overlay_hides_what_lies_below_and_may_be_larger(tmp_path, guest) -> None:
    base = made(tmp_path / "base", "raw")
    guest.write(base, "raw", [Write(0, 40, b"b" * TAG), Write(SIZE // UNIT - 1, 1, b"e" * TAG)])
    top = made(tmp_path / "top", "qcow2", "raw", backing=base)
    img("resize", "-f", "qcow2", top, 2 * SIZE)
    guest.write(top, "qcow2", [Write(16, 1, b"t" * TAG), Write(32, 8, None)])
    seen = Images().contents(top, "qcow2")
    assert seen.size == 2 * SIZE
    assert seen.units[15] == b"b" * TAG
    assert seen.units[16] == b"t" * TAG
    assert seen.units[17] == b"b" * TAG
    assert 32 not in seen.units
    assert seen.units[SIZE // UNIT - 1] == b"e" * TAG


def test_a_changed_file_is_read_again(tmp_path, guest) -> None:
    path = made(tmp_path / "disk", "qcow2")
    images = Images()
    expected = Contents(SIZE)
    for number in range(50):
        write = Write(number, 1, f"{number:016}".encode())
        guest.write(path, "qcow2", [write])
        expected = write.on(expected)
        assert expected.differences(images.contents(path, "qcow2")) == []


def test_an_image_with_a_feature_that_no_driver_uses_is_unreadable(tmp_path) -> None:
    path = tmp_path / "disk"
    img("create", "-f", "qcow2", "-o", "extended_l2=on", path, SIZE)
    with pytest.raises(Unreadable, match="features 0x10"):
        read_qcow2(path)


def test_a_backing_file_elsewhere_is_unreadable(tmp_path) -> None:
    base = made(tmp_path / "base", "raw")
    img("create", "-f", "qcow2", "-F", "raw", "-b", base, tmp_path / "top", SIZE)
    with pytest.raises(Unreadable, match="is backed by"):
        Images().contents(tmp_path / "top", "qcow2")


def test_compressed_clusters_are_unreadable(tmp_path, guest) -> None:
    base = made(tmp_path / "base", "raw")
    guest.write(base, "raw", [Write(0, 16, b"b" * TAG)])
    img("convert", "-c", "-f", "raw", "-O", "qcow2", base, tmp_path / "top")
    with pytest.raises(Unreadable, match="compressed"):
        read_qcow2(tmp_path / "top")


def test_differences_name_the_place() -> None:
    one = Contents(GIB).written(3, 2, b"a" * TAG)
    other = one.written(4, 1, b"b" * TAG).zeroed(3, 1)
    assert one.differences(one.written(3, 1, b"a" * TAG)) == []
    assert one.differences(other) == [
        "unit 3 of 262144: zeros, not b'aaaaaaaaaaaaaaaa'",
        "unit 4 of 262144: b'bbbbbbbbbbbbbbbb', not b'aaaaaaaaaaaaaaaa'",
        "2 units differ",
    ]
    assert one.differences(one.resized(2 * GIB))[0] == f"size {2 * GIB}, not {GIB}"


def test_a_disk_that_is_cut_off_and_extended_shows_zeros() -> None:
    disk = Contents(2 * GIB).written(GIB // UNIT - 1, 2, b"a" * TAG)
    assert list(disk.resized(GIB).resized(2 * GIB).units) == [GIB // UNIT - 1]


def test_units_that_repeat_nothing_are_known_by_their_digest() -> None:
    assert tag_of(b"x" * UNIT) == b"x" * TAG
    assert len(tag_of(bytes(range(256)) * 16)) == 32
    assert CLUSTER % UNIT == 0
