# SPDX-License-Identifier: Apache-2.0
"""Which image is the active one, where the record and the chain do not agree."""

import pytest

from manila_lite.volume.qcow2.active import Choice
from manila_lite.volume.qcow2.chain import Image, ImageMissing
from manila_lite.volume.qcow2.image_locks import Holder
from manila_lite.volume.qcow2.info_file import Recorded, Unfinished
from manila_lite.volume.qcow2.reconcile import ChainUnclear

MISSING = Recorded(missing=True)
DAMAGED = Recorded(damage="cut")


def images(**backing):
    """Images by name, each with the name of what is under it."""
    return {name: Image(name, "qcow2", 1, lower) for name, lower in backing.items()}


def active(found, recorded, writers=(), used=()):
    choice = Choice(
        found,
        recorded,
        "v",
        "v",
        lambda name: Holder.WRITER if name in writers else Holder.NOBODY,
        lambda name: name in used,
    )
    return choice.active()


def recorded(name, unfinished=None):
    return Recorded(active=name, files={}, unfinished=unfinished)


@pytest.mark.parametrize(
    ("found", "record", "writers", "used", "expected"),
    [
        pytest.param({"v": None}, MISSING, "", "", "v", id="no snapshots"),
        pytest.param({"v": None, "a": "v"}, recorded("a"), "", "", "a", id="as recorded"),
        pytest.param({"v": None, "a": "v"}, recorded("v"), "", "", "a", id="one above, unused"),
        pytest.param({"v": None, "a": "v"}, recorded("v"), "", "a", "a", id="one above, used"),
        pytest.param({"v": None, "a": "v"}, MISSING, "", "", "a", id="no record"),
        pytest.param({"v": None, "a": "v"}, recorded("v"), "v", "", "v", id="guest below"),
        pytest.param({"v": None, "a": "v"}, recorded("v"), "a", "", "a", id="guest above"),
        pytest.param({"v": None, "a": "v"}, recorded("v"), "v", "a", "v", id="guest goes first"),
        pytest.param({"v": None, "a": "v"}, recorded("v"), "va", "", "a", id="while it is moved"),
        pytest.param({"v": None, "a": "v", "b": "v"}, recorded("v"), "", "", "v", id="two unused"),
        pytest.param({"v": None, "a": "v", "b": "v"}, recorded("v"), "", "b", "b", id="one of two"),
        pytest.param(
            {"v": None, "a": "v", "b": "v"}, recorded("a"), "", "b", "a", id="a stray beside it"
        ),
        pytest.param({"v": None, "a": "v", "b": "a"}, recorded("v"), "", "a", "b", id="two high"),
        pytest.param({"a": None}, DAMAGED, "", "", "a", id="base pulled, record damaged"),
        pytest.param({"a": None}, recorded("a"), "", "", "a", id="base pulled"),
    ],
)
def test_the_active_image_is_found(found, record, writers, used, expected):
    assert active(images(**found), record, writers, used) == expected


def test_an_image_that_was_merged_is_not_taken_for_a_newer_one():
    """It has data, stands over the active image, and is about to be removed."""
    merged = recorded("v", Unfinished("aa", "a", merged=True))
    assert active(images(v=None, a="v"), merged, used="a") == "v"


def test_an_image_that_nova_is_to_merge_counts():
    asked = recorded("v", Unfinished("aa", "a", merged=False))
    assert active(images(v=None, a="v"), asked, used="a") == "a"


@pytest.mark.parametrize(
    ("found", "record", "used"),
    [
        pytest.param({"v": None, "a": "v", "b": "v"}, recorded("v"), "ab", id="two with data"),
        pytest.param({"v": None, "a": "v", "b": "v"}, DAMAGED, "", id="two, and no record"),
        pytest.param({}, DAMAGED, "", id="nothing at all"),
    ],
)
def test_what_is_unclear_is_not_decided(found, record, used):
    with pytest.raises(ChainUnclear):
        active(images(**found), record, used=used)


def test_an_active_image_that_is_gone_is_not_replaced_by_an_older_one():
    """Whoever lost the file wants to know, and not to go on with older data."""
    with pytest.raises(ImageMissing):
        active(images(v=None), recorded("a"))


def test_images_in_a_circle_end_the_search():
    assert active(images(a="b", b="a"), recorded("a")) == "a"
