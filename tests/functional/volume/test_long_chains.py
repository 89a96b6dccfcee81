# SPDX-License-Identifier: Apache-2.0
"""Volumes with many snapshots, under the limits that commands have in earnest."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from manila_lite.testing import volume_models
from tests.functional.volume.local_bench import Bench
from tests.model.volume_death import run
from tests.model.volume_guest import Guest

SNAPSHOTS = 24
MANY = 120
GUEST_ID = 64055


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Guest(tmp_path) as guest:
        yield Bench(tmp_path, [tmp_path / "first", tmp_path / "second"], guest)


def test_a_long_chain_is_made_and_taken_apart_in_any_order(bench) -> None:
    # Without limits, which cost another process for each look at an image.
    bench.driver = bench.start(execute=run)
    volume = bench.volume()
    snapshots, kept = [], {}
    for number in range(SNAPSHOTS):
        bench.write(volume, 64 * number, 40)
        wanted = bench.shown(volume)
        snapshots.append(bench.snapshot(volume))
        kept[snapshots[-1].id] = wanted
    wanted = bench.shown(volume)
    order = random.Random(1).sample(snapshots, len(snapshots))
    for snapshot in order:
        bench.driver.delete_snapshot(snapshot)
        snapshots.remove(snapshot)
        assert bench.shown(volume).differences(wanted) == []
        for other in snapshots[:: max(1, len(snapshots) // 3)]:
            assert bench.shown_by(other).differences(kept[other.id]) == []
    assert bench.files() == [volume.name, f"{volume.name}.info"]


def chained(bench: Bench, count: int) -> tuple:
    """A volume with a chain that was there before."""
    volume = bench.volume()
    bench.write(volume, 0, 64)
    directory, snapshots, below, image_format = bench.directories[0], [], volume.name, "raw"
    for _ in range(count):
        snapshot = volume_models.snapshot(volume)
        name = f"{volume.name}.{snapshot.id}"
        command = ["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", image_format]
        run(*command, "-b", below, directory / name, 1 << 30)
        snapshots.append(snapshot)
        below, image_format = name, "qcow2"
    bench.driver._record(volume, below, {one.id: f"{volume.name}.{one.id}" for one in snapshots})
    return volume, snapshots


@pytest.mark.timeout(600)
def test_the_limits_of_commands_are_wide_enough_for_a_very_long_chain(bench) -> None:
    volume, snapshots = chained(bench, MANY)
    wanted = bench.shown(volume)
    middle = snapshots[MANY // 2]
    found = bench.driver._survey(volume)
    # What a deletion does with the data, with its limits.
    bench.driver._merge(found, found.position(middle.id))
    assert bench.shown(volume).differences(wanted) == []
    bench.driver._rebase_img(found.directory.path(found.active), found.chain[1].name, "qcow2")
    assert bench.shown(volume).differences(wanted) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away takes root")
def test_images_of_a_guest_stay_the_guests(bench) -> None:
    volume = bench.volume()
    directory = bench.directories[0]
    base = directory / volume.name
    os.chown(base, GUEST_ID, GUEST_ID)
    first, second = bench.snapshot(volume), bench.snapshot(volume)
    bench.driver.revert_to_snapshot(None, volume, second)
    overlays = [directory / f"{volume.name}.{one.id}" for one in (first, second)]
    assert {owned(path) for path in [base, *overlays]} == {(GUEST_ID, GUEST_ID, 0o660)}
    bench.driver.delete_snapshot(first)
    bench.driver.extend_volume(volume, 2)
    host = {"host": f"{volume.host.partition('#')[0]}#{bench.directories[1]}"}
    _, update = bench.driver.migrate_volume(None, volume, host)
    moved = [bench.directories[1] / name for name in (volume.name, overlays[1].name)]
    assert update["provider_location"] == str(bench.directories[1])
    assert {owned(path) for path in moved} == {(GUEST_ID, GUEST_ID, 0o660)}


@pytest.mark.skipif(os.geteuid() != 0, reason="as an ordinary user this cannot fail")
def test_a_clone_is_the_services_own_and_nobody_elses_to_read(bench) -> None:
    source = bench.volume()
    os.chown(bench.directories[0] / source.name, GUEST_ID, GUEST_ID)
    made = bench.new_volume()
    bench.driver.create_cloned_volume(made, source)
    assert owned(bench.directories[0] / made.name) == (os.getuid(), os.getgid(), 0o660)


def owned(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)
