# SPDX-License-Identifier: Apache-2.0
"""A share with one volume on it, a driver in the manner of Cinder's, and what is on the disk.

The driver has no more than a driver outside this project would write.
"""

from __future__ import annotations

import dataclasses
import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from oslo_config import cfg

from manila_lite import process
from manila_lite.db.records import Record
from manila_lite.testing.clock import ManualClock
from manila_lite.volume.configuration import Configuration
from manila_lite.volume.drivers.remotefs import RemoteFSSnapDriver
from manila_lite.volume.qcow2 import qemu_img

GIB = 1 << 30
BLOCK = 64 * 1024
#: Where tests write: over the disk, and its last bytes.
PLACES = (0, 5 * BLOCK, 123 * 1024 * 1024, 512 * 1024 * 1024 - BLOCK, GIB - BLOCK)


class SiteDriver(RemoteFSSnapDriver):
    """One directory is the only share, mounted where it is."""

    driver_prefix = "site"

    def __init__(self, directory: Path, **kwargs: Any) -> None:
        configuration = Configuration([], None, cfg.ConfigOpts())
        configuration.conf([])
        super().__init__(configuration=configuration, clock=ManualClock(), **kwargs)
        self.directory = str(directory)
        self._execute_as_root = False
        configuration.nas_secure_file_permissions = "true"
        configuration.nas_secure_file_operations = "true"

    def _get_mount_point_for_share(self, share: str) -> str:
        return self.directory

    def _ensure_share_mounted(self, share: str) -> None:
        pass

    def _ensure_shares_mounted(self) -> None:
        pass

    def _find_share(self, volume: Any) -> str:
        return "site:/share"

    def _qemu_img_info(self, path: str, volume_name: str) -> Any:
        return self._qemu_img_info_base(path, volume_name, None)

    def _copy_volume_from_snapshot(self, snapshot: Any, volume: Any, volume_size: int) -> None:
        known = self._read_info_file(self._local_path_volume_info(snapshot.volume))
        overlay = os.path.join(self.directory, known[snapshot.id])
        base = self._qemu_img_info(overlay, snapshot.volume.name).backing_file
        source = os.path.join(self.directory, base)
        form = self._qemu_img_info(source, snapshot.volume.name).file_format
        qemu_img.convert(source, self.local_path(volume), form, "raw", execute=self._execute)


def volume_record(**values: Any) -> Record:
    """A volume as a driver gets it."""
    volume_id = str(uuid.uuid4())
    return Record(
        {
            "id": volume_id,
            "name": f"volume-{volume_id}",
            "size": 1,
            "status": "available",
            "provider_location": "site:/share",
            "encryption_key_id": None,
            "volume_type": None,
            "metadata": {},
            "admin_metadata": {},
            **values,
        }
    )


@dataclasses.dataclass
class Site:
    """The driver, its volume, and the snapshots in the order of their creation."""

    driver: SiteDriver
    volume: Record
    snapshots: list[Record] = dataclasses.field(default_factory=list)

    @property
    def directory(self) -> Path:
        return Path(self.driver.directory)

    def snapshot(self, snapshot_id: str | None = None) -> Record:
        """A snapshot that is not made yet."""
        return Record(
            {
                "id": snapshot_id or str(uuid.uuid4()),
                "volume_id": self.volume.id,
                "volume": self.volume,
                "status": "available",
                "_context": None,
            }
        )

    def take(self) -> Record:
        """Make a snapshot."""
        snapshot = self.snapshot()
        self.driver.create_snapshot(snapshot)
        self.snapshots.append(snapshot)
        return snapshot

    def delete(self, snapshot: Record) -> None:
        self.driver.delete_snapshot(snapshot)
        self.snapshots.remove(snapshot)

    def active(self) -> str:
        return self.driver.get_active_image_from_info(self.volume)

    def path(self, name: str) -> str:
        return str(self.directory / name)

    def overlay(self, snapshot: Record) -> str:
        """The name that the snapshot's overlay gets."""
        return f"{self.volume.name}.{snapshot.id}"

    def write(self, writes: Mapping[int, int]) -> None:
        """Fill blocks, by their places, with a byte; the volume is detached."""
        name = self.active()
        write_blocks(self.path(name), self.format_of(name), writes)

    def format_of(self, name: str) -> str:
        return "raw" if name == self.volume.name and not self.is_qcow2(name) else "qcow2"

    def is_qcow2(self, name: str) -> bool:
        size = (self.directory / name).stat().st_size
        with open(self.directory / name, "rb") as file:
            return file.read(4) == b"QFI\xfb" and size % GIB != 0

    def info(self) -> dict[str, Any]:
        """What the ``.info`` file has."""
        text = (self.directory / f"{self.volume.name}.info").read_text()
        return dict(json.loads(text))

    def files(self) -> set[str]:
        """Names of the volume's files after its own name: '', '.info', '.<snapshot id>'."""
        return {p.name.removeprefix(self.volume.name) for p in self.directory.iterdir()}

    def shown(self) -> dict[str, dict[int, bytes]]:
        """What the volume ('volume') and each snapshot (its id) show at PLACES."""
        found = self.driver._survey(self.volume)
        shown = {"volume": self.shown_by_volume()}
        for snapshot in self.snapshots:
            base = found.position(snapshot.id).base.name
            shown[snapshot.id] = read_blocks(self.path(base), self.format_of(base))
        return shown

    def shown_by_volume(self) -> dict[int, bytes]:
        """What a guest would see at PLACES."""
        name = self.active()
        return read_blocks(self.path(name), self.format_of(name))


def write_blocks(path: str, image_format: str, writes: Mapping[int, int]) -> None:
    commands: list[str] = []
    for place, value in writes.items():
        commands += ["-c", f"write -q -P {value} {place} {BLOCK}"]
    process.execute("qemu-io", "-f", image_format, *commands, path)


def read_blocks(path: str, image_format: str, places: tuple[int, ...] = PLACES) -> dict[int, bytes]:
    """What an image shows at some places; b'' past its end."""
    flat = f"{path}.flat"
    qemu_img.convert(path, flat, image_format, "raw", options=["-U"])
    try:
        with open(flat, "rb") as file:
            return {place: os.pread(file.fileno(), BLOCK, place) for place in places}
    finally:
        os.unlink(flat)


def new_site(directory: Path, *, image_format: str = "raw", **kwargs: Any) -> Site:
    """A share with an empty volume of 1 GiB."""
    site = Site(SiteDriver(directory, **kwargs), volume_record())
    qemu_img.create(site.path(site.volume.name), image_format, GIB)
    return site


class Died(BaseException):
    """The process would have ended here."""


class Mortal:
    """Runs commands, and dies before or after one of them. Counts those that change something.

    partly: for the commit that it dies "after", what is done instead: half of it.
    """

    def __init__(self, at: int, when: str, partly: Callable[[list[str]], None] | None = None):
        self.at = at
        self.when = when
        self.partly = partly
        self.count = 0

    def __call__(self, *command: Any, **kwargs: Any) -> tuple[str, str]:
        if command[:2] == ("qemu-img", "info"):
            return process.execute(*command, **kwargs)
        self.count += 1
        if self.count == self.at and self.when == "before":
            raise Died
        if self.count == self.at and self.when == "within" and "commit" in command and self.partly:
            self.partly([str(part) for part in command])
            raise Died
        answer = process.execute(*command, **kwargs)
        if self.count == self.at and self.when == "after":
            raise Died
        return answer
