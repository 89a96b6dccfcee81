# SPDX-License-Identifier: Apache-2.0
"""Which overlay stands for which snapshot: tables of what is recorded and what the chain shows."""

import pytest

from manila_lite.volume.qcow2.info_file import Recorded, Unfinished
from manila_lite.volume.qcow2.names import VolumeNames
from manila_lite.volume.qcow2.reconcile import ChainUnclear, by_order, reconcile

NAMES = VolumeNames("v")
A, B, C = "v.aa", "v.bb", "v.cc"
ALL = {"aa": A, "bb": B, "cc": C}


def intent(snapshot_id, file, merged=False):
    return Unfinished(snapshot_id, file, merged)


@pytest.mark.parametrize(
    ("files", "unfinished", "overlays", "deleting", "expected", "gone", "found"),
    [
        pytest.param(ALL, None, [A, B, C], None, ALL, (), (), id="all is well"),
        pytest.param({}, None, [A, B], None, {"aa": A, "bb": B}, (), ("aa", "bb"), id="lost"),
        pytest.param({"aa": A}, None, [A, B], None, {"aa": A, "bb": B}, (), ("bb",), id="new"),
        pytest.param(
            ALL, None, [A, C], None, {"aa": A, "cc": C}, ("bb",), (), id="committed in between"
        ),
        pytest.param(
            ALL, intent("bb", B), [A, C], "bb", {"aa": A, "cc": C}, ("bb",), (), id="committed"
        ),
        pytest.param(
            ALL, intent("cc", B), [A, C], "cc", {"aa": A, "bb": C}, ("cc",), (), id="pulled"
        ),
        pytest.param(ALL, intent("cc", B), [A, B, C], "cc", ALL, (), (), id="not pulled yet"),
        pytest.param(
            ALL, None, [A, C], "cc", {"aa": A, "bb": C}, ("cc",), (), id="pulled, by Cinder"
        ),
        pytest.param(
            {"aa": A}, intent("aa", "v"), [], "aa", {}, ("aa",), (), id="the only one pulled"
        ),
        pytest.param(
            {"aa": C}, None, [C], None, {"aa": C}, (), (), id="an image with another's name"
        ),
        pytest.param(
            {"aa": A, "bb": B},
            intent("bb", A),
            [B],
            "aa",
            {"aa": B},
            ("bb",),
            (),
            id="what is noted goes before what is asked now",
        ),
    ],
)
def test_the_record_is_mended(files, unfinished, overlays, deleting, expected, gone, found):
    recorded = Recorded(active="v", files=files, unfinished=unfinished)
    mended = reconcile(recorded, overlays, NAMES, deleting)
    assert (dict(mended.files), mended.gone, mended.found) == (expected, gone, found)


def test_nobody_guesses_for_whom_an_image_stands():
    """An overlay named after a snapshot that has another one."""
    with pytest.raises(ChainUnclear, match=r"for which snapshot v\.aa stands"):
        reconcile(Recorded(active=B, files={"aa": B}), [A, B], NAMES)


def test_nobody_guesses_which_of_two_snapshots_has_lost_its_image():
    with pytest.raises(ChainUnclear, match="have lost their images"):
        reconcile(Recorded(active=C, files=ALL), [C], NAMES, "cc")


def test_by_their_order_overlays_and_snapshots_belong_together_if_their_numbers_agree():
    assert by_order([C, A], ["aa", "bb"]) == {"aa": C, "bb": A}
    assert by_order([C], ["aa", "bb"]) is None
