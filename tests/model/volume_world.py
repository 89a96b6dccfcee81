# SPDX-License-Identifier: Apache-2.0
"""The world of the volumes' state machine: two shares, a driver that dies, a guest, an oracle."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis.stateful import RuleBasedStateMachine
from oslo_config import cfg

from manila_lite import process
from manila_lite.conf import localfs
from manila_lite.db.records import Record
from manila_lite.image import settings as image_settings
from manila_lite.testing.clock import ManualClock
from manila_lite.volume.configuration import Configuration
from manila_lite.volume.coordination import Coordinator
from manila_lite.volume.driver import volume_opts
from manila_lite.volume.drivers.localfs import LocalFsDriver
from tests.model.volume_contents import GIB, TAG, Contents
from tests.model.volume_death import Death, Life
from tests.model.volume_guest import Guest
from tests.model.volume_images import Images
from tests.model.volume_shelf import ImageShelf

Result = TypeVar("Result")

HOST = "host@localfs"
SECTION = "localfs"
#: What base images are, and the options that make them so.
KINDS = {
    "sparse": {},
    "thick": {"localfs_sparsed_volumes": False},
    "qcow2": {"localfs_qcow2_volumes": True},
}
#: Bytes that must be free in memory for the model to work there rather than on a disk.
_ROOM = 2 * GIB


@dataclasses.dataclass(eq=False)
class Snapshot:
    """A snapshot, and what it must show. doomed: its deletion has begun and has not ended."""

    id: str
    contents: Contents
    doomed: bool = False


@dataclasses.dataclass(eq=False)
class Volume:
    """A volume, and what it must show. Snapshots: oldest first.

    columns: what the driver has returned for the row. leftover: a clone of it was given up.
    """

    id: str
    contents: Contents
    pool: str
    columns: dict[str, Any] = dataclasses.field(default_factory=dict)
    snapshots: list[Snapshot] = dataclasses.field(default_factory=list)
    leftover: bool = False

    @property
    def name(self) -> str:
        return f"volume-{self.id}"

    @property
    def directory(self) -> Path:
        return Path(self.columns["provider_location"])

    @property
    def image_format(self) -> str:
        """Of the base image, as the row has it."""
        return str(self.columns["admin_metadata"]["format"])

    @property
    def size(self) -> int:
        """GiB."""
        return self.contents.size // GIB

    @property
    def untidy(self) -> bool:
        """Whether anything was given up half-way, and is still so."""
        return self.leftover or any(snapshot.doomed for snapshot in self.snapshots)

    @property
    def sound_snapshots(self) -> list[Snapshot]:
        return [snapshot for snapshot in self.snapshots if not snapshot.doomed]


class VolumeWorld(RuleBasedStateMachine):
    """Volumes on two shares, as rows would describe them, and a driver that has made them."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = contextlib.ExitStack()
        if shutil.which("qemu-img") is None:
            pytest.skip("qemu-img is not installed")
        self.root = Path(
            self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix="manila-lite-model-", dir=_fast_directory())
            )
        )
        self.storage = self.root / "storage"
        self.shares = [str(self.storage / name) for name in ("one", "two")]
        for path in (*self.shares, self.root / "images"):
            Path(path).mkdir(parents=True)
        self.guest = self._stack.enter_context(Guest(self.root))
        self.life = Life(self.storage)
        self._stack.callback(self.life.end)
        self.shelf = ImageShelf(self.root / "images")
        self.images = Images()
        self.volumes: list[Volume] = []
        #: What images on the shelf must show.
        self.shelved: dict[str, Contents] = {}
        self.deaths = 0
        #: How many moments the last operation of a kind had.
        self._lengths: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self.kind = "sparse"

    # -- the driver ------------------------------------------------------------------------------

    def begin(self, kind: str) -> None:
        """Start a back end whose base images are of a kind."""
        self.kind = kind
        before = process.execute
        self._stack.callback(setattr, process, "execute", before)
        # Conversions of images run commands without the driver.
        process.execute = self.life.execute  # type: ignore[assignment]
        self._stack.callback(image_settings.use, None)
        self.start_driver()

    def start_driver(self) -> None:
        """What is left of conversions goes when a service starts."""
        shutil.rmtree(self.storage / "conversion", ignore_errors=True)
        conversion = self.storage / "conversion"
        image_settings.use(image_settings.Settings(conversion_dir=str(conversion)))
        clock = ManualClock()
        self.driver = LocalFsDriver(
            configuration=self._configuration(),
            execute=self.life.execute,
            clock=clock,
            host=HOST,
            coordinator=Coordinator(clock=clock),
        )
        self.driver.do_setup(None)
        self.driver.check_for_setup_error()
        self.driver.set_initialized()

    def _configuration(self) -> Configuration:
        conf = cfg.ConfigOpts()
        conf([], project="manila-lite", default_config_files=[])
        found = Configuration([*volume_opts, *localfs.localfs_opts], SECTION, conf)
        for name, value in {"localfs_volume_dir": self.shares, **KINDS[self.kind]}.items():
            conf.set_override(name, value, group=SECTION)
        return found

    def carry_out(
        self,
        kind: str,
        dying: Sequence[int],
        call: Callable[[Any], Result],
        again: Callable[[Any], object] | None = None,
    ) -> Result:
        """Have the driver do something; it dies as often as is said, and a new one does it again.

        dying: any numbers; each chooses a moment of those that this kind of operation had when it
        was last done, or the one between its end and the record of it. again: what comes before a
        repetition.
        """
        for count, number in enumerate([*dying, None]):
            moment = self._moment(kind, number)
            try:
                with self.life.during(moment):
                    if count and again is not None:
                        again(self.driver)
                    result = call(self.driver)
                if moment is None:
                    self._lengths[kind] = self.life.lived
                    return result
            except Death:
                self.deaths += 1
            self.start_driver()
        raise AssertionError("the last try comes to its end")

    def died_in(self, kind: str, dying: Sequence[int], call: Callable[[Any], object]) -> bool:
        """As carry_out, but nobody does it again; whether the driver died before the end."""
        try:
            with self.life.during(self._moment(kind, dying[0] if dying else None)):
                call(self.driver)
        except Death:
            self.deaths += 1
            self.start_driver()
            return True
        return False

    def _moment(self, kind: str, number: int | None) -> int | None:
        return None if number is None else number % (self._lengths.get(kind, 30) + 1)

    # -- rows ------------------------------------------------------------------------------------

    def new_id(self) -> str:
        return str(uuid.UUID(int=next(self._numbers) << 96 | 0x4000_8000_0000_0000_0000))

    def new_tag(self) -> bytes:
        return f"tag {next(self._numbers)}".encode().ljust(TAG)

    def row(self, volume: Volume, status: str = "available", **values: Any) -> Record:
        """A volume as drivers get it."""
        return Record(
            {
                "id": volume.id,
                "_name_id": None,
                "name_id": volume.id,
                "name": volume.name,
                "size": volume.size,
                "status": status,
                "attach_status": "detached",
                "host": f"{HOST}#{volume.pool}",
                "provider_location": None,
                "provider_id": None,
                "display_name": None,
                "display_description": None,
                "metadata": {},
                "admin_metadata": {},
                "volume_type": None,
                "volume_type_id": None,
                "encryption_key_id": None,
                "snapshot_id": None,
                "source_volid": None,
                "bootable": False,
                "multiattach": False,
                "migration_status": None,
                "availability_zone": "nova",
                "project_id": "project",
                "user_id": "user",
                "volume_attachment": [],
                "volume_glance_metadata": {},
                "created_at": None,
                **volume.columns,
                **values,
            }
        )

    def snapshot_row(
        self,
        volume: Volume,
        snapshot: Snapshot,
        status: str = "available",
        volume_status: str = "available",
    ) -> Record:
        """A snapshot as drivers get it, with its volume."""
        return Record(
            {
                "id": snapshot.id,
                "name": f"snapshot-{snapshot.id}",
                "volume_id": volume.id,
                "volume": self.row(volume, volume_status),
                "volume_name": volume.name,
                "volume_size": snapshot.contents.size // GIB,
                "status": status,
                "progress": None,
                "provider_location": None,
                "metadata": {},
                "display_name": None,
                "project_id": "project",
                "user_id": "user",
                "_context": None,
            }
        )

    def end(self) -> None:
        """Put everything away."""
        self._stack.close()


def _fast_directory() -> str | None:
    """Memory, where there is enough of it: the model flushes all the time."""
    memory = "/dev/shm"
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < _ROOM:
        return None
    return memory
