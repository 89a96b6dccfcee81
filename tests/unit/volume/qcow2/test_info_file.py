# SPDX-License-Identifier: Apache-2.0
"""What an .info file says, whatever has become of it."""

import json

import pytest

from manila_lite.volume.qcow2 import info_file
from manila_lite.volume.qcow2.info_file import Recorded, Unfinished
from manila_lite.volume.qcow2.names import VolumeNames

NAMES = VolumeNames("volume-1")
GOOD = {"active": "volume-1.bb", "aa": "volume-1.aa", "bb": "volume-1.bb"}


def parse(values):
    return info_file.parse(json.dumps(values), NAMES)


def test_the_form_of_cinder_is_understood():
    assert parse(GOOD) == Recorded(
        active="volume-1.bb", files={"aa": "volume-1.aa", "bb": "volume-1.bb"}
    )


def test_what_is_written_is_what_is_read():
    unfinished = Unfinished("aa", "volume-1.aa", merged=True)
    values = info_file.content("volume-1.bb", {"bb": "volume-1.bb"}, unfinished)
    assert parse(values) == Recorded("volume-1.bb", {"bb": "volume-1.bb"}, unfinished)


def test_cinder_takes_an_unfinished_deletion_for_no_snapshot():
    values = info_file.content("volume-1", {}, Unfinished("aa", "volume-1.aa", merged=False))
    assert [key for key, value in values.items() if value == "volume-1.aa"] == []


@pytest.mark.parametrize(
    "text",
    ["", "\0" * 100, "{", "[]", '"a"', "{}", "null", "[" * 100000, json.dumps(GOOD)[:-9]],
    ids=["empty", "zeros", "cut", "list", "text", "nothing", "null", "deep", "truncated"],
)
def test_a_damaged_file_is_told_and_nothing_of_it_is_believed(text):
    found = info_file.parse(text, NAMES)
    assert found.damage
    assert (found.active, dict(found.files), found.unfinished) == (None, {}, None)


@pytest.mark.parametrize(
    "change",
    [
        {"active": "volume-2"},
        {"active": "/etc/passwd"},
        {"active": None},
        {"active": 1},
        {"aa": "../volume-1.aa"},
        {"aa": ["volume-1.aa"]},
        {"unfinished_deletion": {"snapshot_id": "aa", "file": "/etc/passwd", "merged": True}},
        {"unfinished_deletion": {"snapshot_id": 1, "file": "volume-1.aa", "merged": True}},
        {"unfinished_deletion": {}},
    ],
)
def test_a_file_that_names_what_is_no_image_of_the_volume_is_not_believed(change):
    assert parse({**GOOD, **change}).damage
