# SPDX-License-Identifier: Apache-2.0
"""Names of a volume's files, and what an image may name as its backing file."""

import pytest

from manila_lite import exception
from manila_lite.volume.qcow2.names import VolumeNames, attempt, checked_snapshot_id

NAME = "volume-0a1b"
SNAPSHOT = "11111111-1111-4111-8111-111111111111"
HASH = "d41d8cd98f00b204e9800998ecf8427e"
PLAIN = VolumeNames(NAME)
WINDOWS = VolumeNames(NAME, ["vhd", "vhdx"])


@pytest.mark.parametrize(
    ("name", "snapshot_id"),
    [
        (NAME, None),
        (f"{NAME}.{SNAPSHOT}", SNAPSHOT),
        (f"{NAME}.tmp-snap-{SNAPSHOT}", f"tmp-snap-{SNAPSHOT}"),
    ],
)
def test_the_base_and_the_overlays_are_images(name, snapshot_id):
    assert PLAIN.is_image(name)
    assert PLAIN.snapshot_id(name) == snapshot_id
    assert PLAIN.is_overlay(name) == (snapshot_id is not None)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "volume-0a1",
        f"{NAME}0",
        f"{NAME}.info",
        f"{NAME}.",
        f"{NAME}.-",
        f"{NAME}.xyz",
        f"{NAME}.{SNAPSHOT}.vhd",
        f"{NAME}.tmp-snap-",
        f"{NAME}\n",
        f"{NAME}.{SNAPSHOT}\n",
        f"x{NAME}",
        f"a/{NAME}",
        f"{NAME}.{SNAPSHOT.upper()[:-1]}G",
    ],
)
def test_nothing_else_is_an_image(name):
    assert not PLAIN.is_image(name)
    assert not PLAIN.is_overlay(name)


@pytest.mark.parametrize("name", [f"{NAME}.vhdx", f"{NAME}.{SNAPSHOT}.vhd", NAME])
def test_a_driver_may_have_extensions(name):
    assert WINDOWS.is_image(name)
    assert not WINDOWS.is_image(f"{name}.exe")


def test_a_dot_in_the_name_of_a_volume_is_a_dot():
    names = VolumeNames("volume.1")
    assert names.is_image("volume.1")
    assert not names.is_image("volumex1")


@pytest.mark.parametrize("name", [f"{NAME}.new", f"{NAME}.{SNAPSHOT}.new", f"{NAME}.info.new"])
def test_files_that_are_being_written_are_told_by_their_names(name):
    assert PLAIN.is_temporary(name)
    assert not PLAIN.is_image(name)
    assert not PLAIN.is_temporary(f"other-{name}")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".a", "a b", "a\n", "x" * 201, "json:{}"])
def test_a_volume_name_that_is_no_file_name_is_refused(name):
    with pytest.raises(exception.PathRefused):
        VolumeNames(name)


@pytest.mark.parametrize("snapshot_id", ["", "..", "a/b", "snap", "-a", "A", "a\n", "f" * 201])
def test_a_snapshot_id_that_is_none_is_refused(snapshot_id):
    with pytest.raises(exception.PathRefused):
        checked_snapshot_id(snapshot_id)


@pytest.mark.parametrize(
    "written",
    [NAME, f"/share/{NAME}", f"/mounts/{HASH}/{NAME}", f"/mounts/0/{NAME}"],
    ids=["bare", "in its directory", "under a hash", "under a short hash"],
)
def test_own_images_are_accepted_as_backing_files(written):
    assert PLAIN.backing_name("/share/x", written, "/share", "/mounts") == NAME


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (f"/other/{NAME}", "outside"),
        (f"/share/../other/{NAME}", "outside"),
        (f"/share/x/{NAME}", "outside"),
        (f"./{NAME}", "outside"),
        (f"/mounts/xyz/{NAME}", "outside"),
        (f"/mounts/{HASH}/../{NAME}", "outside"),
        (f"/mountsx{HASH}/{NAME}", "outside"),
        (f"{NAME}x", "no image of this volume"),
        (f"/mounts/{HASH}/volume-other", "no image of this volume"),
        (f"{NAME}\n", "unprintable"),
        ("json:{}", "json"),
        (f"file:{NAME}", "protocol file"),
        ("nbd+unix:///x?socket=/s", r"protocol nbd\+unix"),
        ("/dev/sda", "outside"),
    ],
)
def test_any_other_backing_file_is_refused_with_the_reason(written, reason):
    with pytest.raises(exception.BackingFileRefused, match=reason) as caught:
        PLAIN.backing_name("/share/x", written, "/share", "/mounts")
    assert "/share/x" in str(caught.value)


def test_without_a_base_of_mounts_no_hash_is_accepted():
    with pytest.raises(exception.BackingFileRefused):
        PLAIN.backing_name("/share/x", f"/mounts/{HASH}/{NAME}", "/share", None)


def test_attempts_have_names_of_their_own():
    one, other = attempt(f"{NAME}.{SNAPSHOT}"), attempt(f"{NAME}.{SNAPSHOT}")
    assert one != other
    assert PLAIN.is_temporary(one)
    assert PLAIN.is_attempt(one)
    assert not PLAIN.is_image(one)
    assert not PLAIN.is_attempt(f"{NAME}.{SNAPSHOT}.new")
    assert not PLAIN.is_attempt(f"other-{one}")
