# SPDX-License-Identifier: Apache-2.0
"""What is recorded, mended after Nova merged for a deletion that nobody waited for any more."""

import pytest

from manila_lite.volume.qcow2.info_file import Recorded, Unfinished
from manila_lite.volume.qcow2.names import VolumeNames
from manila_lite.volume.qcow2.reconcile import reconcile

NAMES = VolumeNames("volume-1")
ONE, TWO, THREE = (f"volume-1.{number}" for number in "123")


def recorded(active, files, unfinished):
    return Recorded(active=active, files=files, unfinished=unfinished)


@pytest.mark.parametrize("above", [[], [THREE]], ids=["active", "another one made since"])
def test_an_image_that_took_in_the_one_under_it_stands_for_that_ones_snapshot(above):
    pulled = Unfinished("2", ONE, merged=False)
    found = reconcile(recorded(TWO, {"1": ONE, "2": TWO}, pulled), [TWO, *above], NAMES)
    assert found.files == {"1": TWO, **dict(zip("3", above, strict=False))}
    assert found.gone == ("2",)


@pytest.mark.parametrize("above", [[], [THREE]], ids=["active", "another one made since"])
def test_an_image_that_was_committed_takes_nothing_from_the_others(above):
    committed = Unfinished("1", ONE, merged=False)
    found = reconcile(recorded(TWO, {"1": ONE, "2": TWO}, committed), [TWO, *above], NAMES)
    assert found.files == {"2": TWO, **dict(zip("3", above, strict=False))}
    assert found.gone == ("1",)


def test_a_merge_that_is_not_done_changes_nothing():
    pulled = Unfinished("2", ONE, merged=False)
    found = reconcile(recorded(TWO, {"1": ONE, "2": TWO}, pulled), [ONE, TWO, THREE], NAMES)
    assert found.files == {"1": ONE, "2": TWO, "3": THREE}
    assert found.gone == ()
