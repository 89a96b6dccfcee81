# SPDX-License-Identifier: Apache-2.0
"""Moving a volume with its snapshots from one share of the back end to another."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from manila_lite import exception
from manila_lite.volume.drivers.files import moved
from manila_lite.volume.drivers.files.base import GIB, OwnFiles
from manila_lite.volume.drivers.remotefs.image_files import seconds_for
from manila_lite.volume.drivers.remotefs.locks import locked_volume_id_operation
from manila_lite.volume.drivers.remotefs.shares import PlacedVolume
from manila_lite.volume.hosts import extract_host
from manila_lite.volume.qcow2.chain import ImageDirectory
from manila_lite.volume.qcow2.names import NEW, attempt

LOG = logging.getLogger(__name__)


class MovingMethods(OwnFiles):
    """The files at the source are the volume until a marker beside them says that it has moved.

    The marker is written when the copy is complete and durable, and goes last. So a move that was
    killed anywhere can be asked for again: without the marker the copy is made anew, with it only
    what is left at the source is removed.
    """

    @locked_volume_id_operation
    def migrate_volume(
        self, context: Any, volume: Any, host: Mapping[str, Any]
    ) -> tuple[bool, dict[str, Any] | None]:
        """Move a detached volume to the share that is the pool in host['host'].

        Returns (True, {provider_location}), or (False, None) for what this driver cannot do: a
        volume in use, another back end, a share that it does not serve.
        """
        source, target = volume.provider_location, extract_host(host["host"], level="pool")
        self._ensure_shares_mounted()
        if not self._can_move(volume, host["host"], target):
            return False, None
        assert target is not None
        self._ensure_share_mounted(source)
        if source != target:
            self._move(volume, source, target)
        return True, {"provider_location": target}

    def _image_directory(self, volume: Any) -> ImageDirectory:
        """The volume's images. Raises VolumeMigrationFailed for one whose move is half finished.

        Its row still names the source, whose files will go: nobody may write to them any more.
        """
        target = moved.target_of(self._marker(volume))
        if target is not None:
            raise exception.VolumeMigrationFailed(
                reason=f"the move of volume {volume.id} to {target} has to be finished first: "
                "migrate it there again"
            )
        return super()._image_directory(volume)

    def _marker(self, volume: Any) -> str:
        return os.path.join(self._local_volume_dir(volume), f"{volume.name}{NEW}")

    def _can_move(self, volume: Any, host: str, target: str | None) -> bool:
        is_here = extract_host(host) == extract_host(volume["host"])
        is_detached = volume.status in ("available", "retyping", "maintenance", "migrating")
        return is_here and is_detached and target in self._mounted_shares

    def _move(self, volume: Any, source: str, target: str) -> None:
        directory = self._local_volume_dir(volume)
        to = self._local_volume_dir(PlacedVolume(volume, target))
        marker = self._marker(volume)
        if not self._has_moved(volume, directory, to, marker, target):
            LOG.info("Volume %s moves from %s to %s", volume.id, source, target)
            self._copy_all(volume, directory, to)
            moved.mark(marker, target)
        self._remove_rest(volume, directory, marker)

    def _has_moved(self, volume: Any, directory: str, to: str, marker: str, target: str) -> bool:
        """Whether an earlier try got as far as that.

        Raises VolumeMigrationFailed for one that went to another share, and has to be finished
        there, and VolumeNotFound where neither share has all of the volume.
        """
        marked = moved.target_of(marker)
        if marked not in (None, target):
            raise exception.VolumeMigrationFailed(
                reason=f"the move of volume {volume.id} to {marked} has to be finished first"
            )
        if marked is not None:
            return True
        if self._own_files(volume, directory):
            return False
        if not self._is_complete(volume, to):
            raise exception.VolumeNotFound(volume_id=volume.id)
        return True

    def _is_complete(self, volume: Any, directory: str) -> bool:
        """Whether a copy has got all its names: until then one file at least is a `.new` one."""
        names, own = self._volume_names(volume), self._own_files(volume, directory)
        return bool(own) and not any(names.is_temporary(name) for name in own)

    def _copy_all(self, volume: Any, directory: str, to: str) -> None:
        """Copy what belongs to the volume. A copy that fails is removed."""
        own = self._own_files(volume, directory)
        self._refuse_in_use(volume, *(os.path.join(directory, name) for name in own))
        self._remove_all(volume, to)
        names = self._volume_names(volume)
        whole = [name for name in own if not names.is_temporary(name)]
        copies = {name: attempt(os.path.join(to, name)) for name in whole}
        try:
            for name, copy in copies.items():
                self._copy_file(os.path.join(directory, name), copy)
            for name, copy in copies.items():
                path = os.path.join(to, name)
                self._execute("mv", "-nT", copy, path, run_as_root=self._execute_as_root)
            self._sync_directory(to)
        except Exception:
            self._remove_all(volume, to)
            raise

    def _copy_file(self, source: str, target: str) -> None:
        """Copy a file, its holes, its owner and its mode."""
        limit = seconds_for(os.stat(source).st_size / GIB)
        sparse = "always" if self._promises_more_than_it_has() else "auto"
        self._execute(
            "cp", f"--sparse={sparse}", "--preserve=mode,ownership,timestamps", "-T",
            source, target, run_as_root=self._execute_as_root, timeout=limit,
        )  # fmt: skip
        self._execute("sync", target, run_as_root=self._execute_as_root, timeout=limit)

    def _remove_rest(self, volume: Any, directory: str, marker: str) -> None:
        """Remove the volume where it was, the marker last. It has moved, whatever goes wrong."""
        own = [os.path.join(directory, name) for name in self._own_files(volume, directory)]
        try:
            for path in sorted(own, key=lambda path: path == marker):
                self._delete(path)
        except (exception.ProcessExecutionError, exception.CommandTimeout, OSError) as error:
            LOG.error("Volume %s has moved, but files stay in %s: %s", volume.id, directory, error)

    def _remove_all(self, volume: Any, directory: str) -> None:
        for name in self._own_files(volume, directory):
            self._delete(os.path.join(directory, name))

    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str
    ) -> dict[str, Any]:
        """What the row of a volume is to say whose data the service copied to new_volume.

        The files keep the name of new_volume, which _name_id leads to: renaming several files is
        not possible in one step.
        """
        name_id = new_volume["_name_id"] or new_volume.id
        return {"_name_id": name_id, "provider_location": new_volume.provider_location}
