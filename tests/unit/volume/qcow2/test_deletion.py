# SPDX-License-Identifier: Apache-2.0
"""What Nova is asked to merge, for each place in the chain: the table of Nova's API."""

import json

import pytest

from manila_lite.volume.qcow2 import deletion
from manila_lite.volume.qcow2.chain import Image
from manila_lite.volume.qcow2.info_file import Unfinished
from manila_lite.volume.qcow2.survey import Position

BASE = Image("v", "raw", 1)
A, B, C = (
    Image("v.aa", "qcow2", 1, "v", "raw"),
    Image("v.bb", "qcow2", 1, "v.aa", "qcow2"),
    Image("v.cc", "qcow2", 1, "v.bb", "qcow2"),
)
FILES = {"aa": "v.aa", "bb": "v.bb", "cc": "v.cc"}
OLDEST = Position("aa", A, BASE, B, "v.cc", None)
MIDDLE = Position("bb", B, A, C, "v.cc", "aa")
ACTIVE = Position("cc", C, B, None, "v.cc", "bb")
ONLY = Position("aa", A, BASE, None, "v.aa", None)

CASES = {
    "oldest": (OLDEST, FILES, ("v.aa", "v"), "v.aa", {"bb": "v.bb", "cc": "v.cc"}),
    "middle": (MIDDLE, FILES, ("v.bb", "v.aa"), "v.bb", {"aa": "v.aa", "cc": "v.cc"}),
    "active": (ACTIVE, FILES, ("v.aa", None), "v.bb", {"aa": "v.aa", "bb": "v.cc"}),
    "only": (ONLY, {"aa": "v.aa"}, (None, None), "v", {}),
}
EXPECTED = {
    "oldest": {"image": "v.bb", "backing_file": "v", "before": "v.aa"},
    "middle": {"image": "v.cc", "backing_file": "v.aa", "before": "v.bb"},
    "active": {"image": "v.cc", "backing_file": "v.aa", "before": "v.bb"},
    "only": {"image": "v.aa", "backing_file": None, "before": "v"},
}


@pytest.mark.parametrize("place", CASES)
def test_nova_is_asked_for_the_right_files(place):
    position, files, (merge, target), delete, after = CASES[place]
    plan = deletion.plan(position, "the volume", files)
    assert plan["delete_info"] == {
        "type": "qcow2",
        "volume_id": "the volume",
        "file_to_merge": merge,
        "merge_target_file": target,
    }
    assert plan["file_to_delete"] == delete
    assert plan["info_after"] == {"active": position.active, **after}
    assert plan["expect"] == EXPECTED[place]
    assert json.loads(json.dumps(plan)) == plan


@pytest.mark.parametrize("place", CASES)
def test_the_intent_names_the_file_that_will_be_of_no_use(place):
    position, files, _, delete, _ = CASES[place]
    plan = deletion.plan(position, "v", files)
    assert deletion.intent("aa", plan) == Unfinished("aa", delete, merged=False, nova=True)


@pytest.mark.parametrize("place", CASES)
def test_the_chain_proves_whether_it_is_done(place):
    position, files, *_ = CASES[place]
    plan = deletion.plan(position, "v", files)
    changed = plan["expect"]["image"]
    states = {
        name: deletion.state([Image(changed, "qcow2", 1, backing)], plan)
        for name, backing in (
            ("after", plan["expect"]["backing_file"]),
            ("before", plan["expect"]["before"]),
            ("other", "v.dd"),
        )
    }
    assert states == {"after": "done", "before": "undone", "other": "unknown"}


def test_a_chain_without_the_image_proves_nothing():
    plan = deletion.plan(MIDDLE, "v", FILES)
    assert deletion.state([BASE], plan) == "unknown"
