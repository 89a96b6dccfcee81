# SPDX-License-Identifier: Apache-2.0
"""Shares that are full or read-only: an operation fails, nothing is lost, and later it works."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manila_lite import exception
from tests.functional.volume.local_bench import GIB, UNIT, Bench
from tests.model.volume_guest import Guest

SHARE = 24 << 20
MIB = (1 << 20) // UNIT
#: What a driver raises where a command or a write of its own fails.
FAILURES = (exception.ProcessExecutionError, exception.ManilaException, OSError)


@pytest.fixture
def shares(tmp_path: Path) -> Iterator[list[Path]]:
    """Two file systems of 24 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    with contextlib.ExitStack() as stack:
        points = [tmp_path / "first", tmp_path / "second"]
        for point in points:
            point.mkdir()
            command = ["mount", "-t", "tmpfs", "-o", f"size={SHARE}", "tmpfs", str(point)]
            done = subprocess.run(command, capture_output=True, check=False)
            if done.returncode:
                pytest.skip(f"tmpfs cannot be mounted here: {done.stderr.decode()}")
            stack.callback(subprocess.run, ["umount", str(point)], check=True)
        yield points


@pytest.fixture(params=["raw", "qcow2"])
def bench(request, tmp_path: Path, shares: list[Path]) -> Iterator[Bench]:
    with Guest(tmp_path) as guest:
        qcow2 = request.param == "qcow2"
        yield Bench(tmp_path, shares, guest, localfs_qcow2_volumes=qcow2)


@contextlib.contextmanager
def filled(directory: Path, but_for: int = 0) -> Iterator[None]:
    """Let the file system have no more room than so many bytes."""
    filler = directory / ".filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(UNIT))
    os.truncate(filler, filler.stat().st_size - but_for)
    try:
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def read_only(directory: Path) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(directory)], check=True)


def test_a_merge_for_which_there_is_no_room_is_done_when_there_is(bench) -> None:
    volume = bench.volume()
    bench.write(volume, 0, 2 * MIB)
    oldest = bench.snapshot(volume)
    before = bench.shown(volume)
    doomed = bench.snapshot(volume)
    bench.write(volume, 100 * MIB, 4 * MIB)
    latest = bench.snapshot(volume)
    bench.write(volume, MIB, MIB)
    wanted, kept = bench.shown(volume), bench.shown_by(latest)
    with filled(bench.directories[0], but_for=1 << 20):
        with pytest.raises(FAILURES):
            bench.driver.delete_snapshot(doomed)
        assert bench.shown(volume).differences(wanted) == []
        assert bench.shown_by(latest).differences(kept) == []
        assert bench.shown_by(oldest).differences(before) == []
    bench.driver.delete_snapshot(doomed)
    assert bench.shown(volume).differences(wanted) == []
    assert bench.shown_by(latest).differences(kept) == []
    assert bench.shown_by(oldest).differences(before) == []
    assert bench.findings(volume, oldest, latest) == []


def operations(bench: Bench) -> dict[str, Callable[[], object]]:
    """What needs room, on a volume with one snapshot."""
    volume = bench.volume()
    bench.write(volume, 0, MIB)
    snapshot = bench.snapshot(volume)
    bench.write(volume, MIB, 2 * MIB)
    bench.now = (volume, snapshot, bench.shown(volume), bench.shown_by(snapshot))
    bench.made = bench.new_volume()
    source = {**volume}
    return {
        "create": lambda: bench.driver.create_volume(bench.made),
        "snapshot": lambda: bench.snapshot(volume),
        "delete": lambda: bench.driver.delete_snapshot(snapshot),
        "revert": lambda: bench.driver.revert_to_snapshot(None, volume, snapshot),
        "clone": lambda: bench.driver.create_cloned_volume(bench.made, type(volume)(source)),
        "from snapshot": lambda: bench.driver.create_volume_from_snapshot(bench.made, snapshot),
        "extend": lambda: bench.driver.extend_volume(volume, 2),
        "remove": lambda: bench.driver.delete_volume(volume),
    }


def check_that_nothing_happened(bench: Bench) -> None:
    volume, snapshot, wanted, kept = bench.now
    assert bench.shown(volume).resized(GIB).differences(wanted) == []
    assert bench.shown_by(snapshot).differences(kept) == []


@pytest.mark.parametrize("name", ["snapshot", "revert", "clone", "from snapshot"])
def test_what_finds_no_room_at_all_leaves_the_volume_as_it_is(bench, name) -> None:
    operation = operations(bench)[name]
    with filled(bench.directories[0]):
        with pytest.raises(FAILURES):
            operation()
        check_that_nothing_happened(bench)
        assert not [file for file in bench.files() if file.startswith(bench.made.name)]
    volume, snapshot, _, _ = bench.now
    bench.driver.repair_volume(volume, [snapshot.id], dry_run=False)
    check_that_nothing_happened(bench)
    assert bench.findings(volume, snapshot) == []
    operation()


@pytest.mark.parametrize(
    "name", ["create", "snapshot", "delete", "revert", "clone", "from snapshot", "extend", "remove"]
)
def test_a_read_only_share_stays_as_it_is(bench, name) -> None:
    operation = operations(bench)[name]
    before = bench.files()
    # With room on the other share, a volume could go there; it has to be the one of its host.
    with read_only(bench.directories[0]):
        with pytest.raises(FAILURES):
            operation()
        assert bench.files() == before
    check_that_nothing_happened(bench)
    operation()


def test_a_volume_that_cannot_arrive_stays_where_it_is(bench) -> None:
    operations(bench)
    volume, snapshot, _, _ = bench.now
    target = bench.directories[1]
    host = {"host": f"{volume.host.partition('#')[0]}#{target}", "capabilities": {}}
    with filled(target):
        with pytest.raises(FAILURES):
            bench.driver.migrate_volume(None, volume, host)
        check_that_nothing_happened(bench)
        assert bench.files(target) == [".filler"]
    moved, update = bench.driver.migrate_volume(None, volume, host)
    assert moved
    volume.update(update)
    check_that_nothing_happened(bench)
    assert bench.findings(volume, snapshot) == []
    assert bench.files() == []
