# SPDX-License-Identifier: Apache-2.0
"""A move whose process died, and that nobody has finished before the volume is used again."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from manila_lite import exception
from manila_lite.testing import volume_models
from tests.functional.volume.local_bench import Bench
from tests.model.volume_death import Death, Life
from tests.model.volume_guest import Guest


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    life = Life(tmp_path)
    yield life
    life.end()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Guest(tmp_path) as guest:
        yield Bench(tmp_path, [tmp_path / "first", tmp_path / "second"], guest)


def moved_until(bench: Bench, life: Life, moment: int) -> tuple:
    """A volume with a snapshot, whose move died at that moment; and whether it did."""
    volume = bench.volume()
    bench.write(volume, 0, 16)
    snapshot = bench.snapshot(volume)
    bench.write(volume, 8, 16)
    host = {"host": f"{volume_models.HOST}#{bench.directories[1]}"}
    driver = bench.start(execute=life.execute)
    try:
        with life.during(moment):
            driver.migrate_volume(None, volume, host)
    except Death:
        return volume, snapshot, host, True
    return volume, snapshot, host, False


def test_what_a_guest_writes_after_an_abandoned_move_is_not_lost(bench, life) -> None:
    refused = 0
    for moment in itertools.count():
        volume, snapshot, host, died = moved_until(bench, life, moment)
        if not died:
            break
        kept = None
        try:
            bench.write(volume, 100, 4)
        except exception.ManilaException:
            refused += 1
        else:
            kept = bench.shown(volume)
        _, update = bench.driver.migrate_volume(None, volume, host)
        volume.update(update)
        shown = bench.shown(volume)
        assert kept is None or shown.differences(kept) == [], f"moment {moment}"
        assert len(shown.units) >= 24
        assert len(bench.shown_by(snapshot).units) == 16
        assert bench.findings(volume, snapshot) == []
        assert bench.files() == []
        bench.driver.delete_snapshot(snapshot)
        bench.driver.delete_volume(volume)
        assert bench.files(bench.directories[1]) == []
    assert refused and refused < moment


def test_a_repair_between_does_not_lose_the_copy(bench, life) -> None:
    for moment in itertools.count():
        volume, snapshot, host, died = moved_until(bench, life, moment)
        if not died:
            break
        with contextlib.suppress(exception.VolumeMigrationFailed):
            bench.driver.repair_volume(volume, [snapshot.id], dry_run=False)
        _, update = bench.driver.migrate_volume(None, volume, host)
        volume.update(update)
        assert len(bench.shown(volume).units) == 24, f"moment {moment}"
        assert len(bench.shown_by(snapshot).units) == 16
    assert moment > 5


def test_a_volume_is_deleted_with_what_an_abandoned_move_has_copied(bench, life) -> None:
    for moment in itertools.count():
        volume, _, _, died = moved_until(bench, life, moment)
        if not died:
            break
        bench.driver.delete_volume(volume)
        assert bench.files() == bench.files(bench.directories[1]) == [], f"moment {moment}"
    assert moment > 5
