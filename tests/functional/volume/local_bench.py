# SPDX-License-Identifier: Apache-2.0
"""LocalFsDriver on directories of a test's choice, and what its volumes show."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manila_lite.conf.localfs import localfs_opts
from manila_lite.db.records import Record
from manila_lite.testing import volume_models
from manila_lite.volume.drivers.localfs import LocalFsDriver
from tests.model.volume_contents import GIB, TAG, UNIT, Contents
from tests.model.volume_guest import Guest, Write
from tests.model.volume_images import Images


class Bench:
    """A driver as a process has it that has just started. Rows are kept by the tests."""

    def __init__(
        self, root: Path, directories: Sequence[Path], guest: Guest, **options: Any
    ) -> None:
        self.directories = list(directories)
        self.guest = guest
        self._root = root
        self._options = options
        self._images = Images()
        self._numbers = itertools.count(1)
        self.driver = self.start()

    def start(self, **keywords: Any) -> LocalFsDriver:
        """Another process's driver on the same directories; keywords: for its constructor."""
        driver = volume_models.driver(
            LocalFsDriver,
            localfs_opts,
            state_path=str(self._root / "state"),
            keywords=keywords,
            localfs_volume_dir=[str(path) for path in self.directories],
            # Small file systems promise volumes of whole GiB.
            max_over_subscription_ratio="100000",
            **self._options,
        )
        driver.do_setup(None)
        driver.check_for_setup_error()
        return driver

    @property
    def base_format(self) -> str:
        return "qcow2" if self._options.get("localfs_qcow2_volumes") else "raw"

    def volume(self, size: int = 1, **values: Any) -> Record:
        model = self.new_volume(size, **values)
        return volume_models.placed(model, self.driver.create_volume(model))

    def new_volume(self, size: int = 1, **values: Any) -> Record:
        """One that is not made yet, for the first directory."""
        host = f"{volume_models.HOST}#{self.directories[0]}"
        return volume_models.volume(size, **{"host": host, **values})

    def snapshot(self, volume: Record) -> Record:
        model = volume_models.snapshot(volume)
        self.driver.create_snapshot(model)
        return model

    def write(self, volume: Record, first: int = 0, units: int = 16) -> bytes:
        """Fill so many units of 4 KiB with a tag of their own."""
        tag = f"tag {next(self._numbers)}".encode().ljust(TAG)
        self.guest.write(*self.active(volume), [Write(first, units, tag)])
        return tag

    def active(self, volume: Record) -> tuple[Path, str]:
        data = self.driver.initialize_connection(volume, {})["data"]
        return Path(data["device_path"]), data["format"]

    def shown(self, volume: Record) -> Contents:
        """What a guest would see."""
        return self._images.contents(*self.active(volume))

    def shown_by(self, snapshot: Record) -> Contents:
        """What a volume made of the snapshot would show."""
        found = self.driver._survey(snapshot.volume)
        base = found.position(snapshot.id).base
        return self._images.contents(Path(found.directory.path(base.name)), base.file_format)

    def findings(self, volume: Record, *snapshots: Record) -> list[dict[str, Any]]:
        return self.driver.check_volume(volume, [one.id for one in snapshots])["findings"]

    def files(self, directory: Path | None = None) -> list[str]:
        return sorted(path.name for path in (directory or self.directories[0]).iterdir())


__all__ = ["GIB", "UNIT", "Bench"]
