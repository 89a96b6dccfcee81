# SPDX-License-Identifier: Apache-2.0
"""Several processes at one volume, and commands that outlive the process that started them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manila_lite.clock import SystemClock
from manila_lite.exception import kinds
from manila_lite.testing import volume_models
from manila_lite.volume.qcow2 import image_locks
from tests.functional.volume.local_bench import UNIT, Bench
from tests.model.volume_guest import Guest

MIB = (1 << 20) // UNIT
PATIENCE = 60.0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Guest(tmp_path) as guest:
        yield Bench(tmp_path, [tmp_path / "first", tmp_path / "second"], guest)


def in_a_child(call: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        try:
            call()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return child


def exit_codes(children: list[int]) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def test_two_processes_at_one_volume_take_turns(bench) -> None:
    volume = bench.volume()
    bench.write(volume, 0, 16)
    wanted = bench.shown(volume)
    kept = [[volume_models.snapshot(volume) for _ in range(2)] for _ in range(2)]
    passing = [[volume_models.snapshot(volume) for _ in range(2)] for _ in range(2)]

    def work(number: int) -> None:
        driver = bench.start()
        for stays, goes in zip(kept[number], passing[number], strict=True):
            driver.create_snapshot(goes)
            driver.create_snapshot(stays)
            driver.delete_snapshot(goes)

    assert exit_codes([in_a_child(lambda n=n: work(n)) for n in range(2)]) == [0, 0]
    snapshots = [snapshot for one in kept for snapshot in one]
    found = bench.driver._survey(volume)
    assert set(found.files) == {snapshot.id for snapshot in snapshots}
    assert found.is_recorded
    assert len(found.chain) == 5
    assert found.strays == found.temporary == found.unused == ()
    assert bench.shown(volume).differences(wanted) == []
    for snapshot in snapshots:
        assert bench.shown_by(snapshot).differences(wanted) == []


def wait_until(condition: Callable[[], bool]) -> None:
    clock, never = SystemClock(), threading.Event()
    deadline = clock.monotonic() + PATIENCE
    while not condition():
        assert clock.monotonic() < deadline, "it has not come to that"
        clock.wait(never, 0.01)


@pytest.fixture
def orphan(bench, tmp_path: Path) -> Iterator[Callable[[Path, str], None]]:
    """Have something hold an image that nobody has started who still lives."""
    holders: list[subprocess.Popen[bytes]] = []

    def hold(path: Path, image_format: str) -> None:
        command = ["qemu-io", "-f", image_format, str(path)]
        holders.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
        wait_until(lambda: image_locks.holder(str(path)) is image_locks.Holder.WRITER)

    yield hold
    for holder in holders:
        holder.kill()
        holder.communicate()


def test_a_copy_whose_process_died_and_that_still_runs_does_not_keep_the_next_from_beginning(
    bench, orphan
) -> None:
    source = bench.volume()
    bench.write(source, 0, 16)
    snapshot = bench.snapshot(source)
    wanted = bench.shown_by(snapshot)
    new = bench.new_volume()
    path = bench.directories[0] / new.name
    path.touch()
    os.truncate(path, 1 << 30)
    orphan(path, "raw")
    bench.driver.discard_unfinished_volume(new)
    assert not path.exists()
    volume_models.placed(new, bench.driver.create_volume_from_snapshot(new, snapshot))
    assert bench.shown(new).differences(wanted) == []


def test_a_merge_whose_process_died_and_that_still_runs_is_waited_for(bench, orphan) -> None:
    volume = bench.volume()
    snapshot = bench.snapshot(volume)
    bench.write(volume, 0, 16)
    wanted = bench.shown(volume)
    orphan(bench.directories[0] / f"{volume.name}.{snapshot.id}", "qcow2")
    with pytest.raises(Exception, match="lock|open") as caught:
        bench.driver.delete_snapshot(snapshot)
    assert bench.shown(volume).differences(wanted) == []
    assert kinds.classify(caught.value) is kinds.ErrorKind.TRANSIENT
