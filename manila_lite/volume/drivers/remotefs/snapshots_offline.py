# SPDX-License-Identifier: Apache-2.0
"""Snapshots of volumes that no guest has: qemu-img moves the data.

Deleting a snapshot merges its overlay S into the image B under it:

0. ``.info`` says that this is going on.
1. commit: the data of S are written into B; S keeps them. The snapshot being deleted is the only
   one that B showed, and all images above see S, so nobody can tell how far this has come.
2. rebase: the image over S, if there is one, names B from now on. What it shows stays the same.
3. ``.info`` without the snapshot, but saying that S has been merged.
4. S is removed.
5. ``.info`` says no more of S.

Killed before 2, or before 3 where S is the active image, the chain is as it was, and everything is
done again. Killed before 3, the record knows an overlay that the chain has not, and which deletion
has merged it. Killed later, the record says so itself: without that, S, which stands over the
active image, would be taken for an overlay with newer data. ``.info`` comes before the removal,
since a record that names a file which is gone could as well mean that somebody lost it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from typing import Any, Final

from oslo_utils import units

from manila_lite import exception
from manila_lite.volume.drivers.remotefs.backing_chain import BackingChainMethods
from manila_lite.volume.qcow2 import image_locks, info_file, qemu_img, survey
from manila_lite.volume.qcow2.chain import QCOW2, Image
from manila_lite.volume.qcow2.info_file import Unfinished
from manila_lite.volume.qcow2.names import TEMPORARY_SNAPSHOT, attempt
from manila_lite.volume.qcow2.survey import Position, Survey

LOG = logging.getLogger(__name__)

IN_USE: Final = "in-use"
_CAN_CREATE: Final = ("available", IN_USE, "backing-up")
_CAN_DELETE: Final = ("available", IN_USE, "backing-up", "deleting", "downloading")
_HELD: Final = (image_locks.Holder.WRITER, image_locks.Holder.READER)
_PROBE: Final = ".cinder-write-test-"


class OfflineSnapshotMethods(BackingChainMethods):
    """Making and deleting overlays. Callers hold the volume's lock; each may be done again."""

    # -- create --------------------------------------------------------------------------------

    def _create_snapshot(self, snapshot: Any) -> None:
        """Put a new overlay over the active image, by way of Nova where a guest has the volume.

        Raises InvalidVolume for a volume in no status for this.
        """
        volume = snapshot.volume
        self._check_can_snapshot(snapshot)
        found = self._settled(volume)
        path = self._get_new_snap_path(snapshot)
        if volume.status == IN_USE:
            self._create_attached(snapshot, found, path)
            return
        self._refuse_guest(found)
        self._discard_unused(found)
        if snapshot.id in found.files:
            LOG.info("Snapshot %s has its image already", snapshot.id)
            return
        name = os.path.basename(path)
        if found.is_needed(name):
            raise exception.RemoteFSException(f"{name} stands for another snapshot already")
        self._do_create_snapshot(snapshot, found.active, path)
        self._record(volume, name, {**found.files, snapshot.id: name})

    def _check_can_snapshot(self, snapshot: Any) -> None:
        acceptable = [*_CAN_CREATE]
        if str(snapshot.id).startswith(TEMPORARY_SNAPSHOT):
            # One of ours, for a copy of the volume: wanted also while an image is loaded.
            acceptable.append("downloading")
        self._validate_state(snapshot.volume.status, acceptable)

    def _create_attached(self, snapshot: Any, found: Survey, path: str) -> None:
        """Have the guest moved to a new overlay at path."""
        raise NotImplementedError

    def _do_create_snapshot(self, snapshot: Any, backing_filename: str, new_snap_path: str) -> None:
        """Make an empty overlay over an image of the volume, which is not opened.

        It gets its name when it is complete; an overlay that has the name already is replaced.
        """
        found = self._image_directory(snapshot.volume)
        backing = found.image(backing_filename)
        new = attempt(new_snap_path)
        try:
            self._make_overlay(new, snapshot.volume, found.path(backing_filename), backing)
        except Exception:
            self._delete(new)
            raise
        os.rename(new, new_snap_path)
        info_file.sync_directory(found.directory)

    def _make_overlay(self, path: str, volume: Any, backing_path: str, backing: Image) -> None:
        qemu_img.create_overlay(
            path,
            backing.name,
            backing.file_format,
            # An overlay that is smaller than its base would hide data.
            max(volume.size * units.Gi, backing.virtual_size),
            execute=self._execute,
            run_as_root=self._execute_as_root,
        )
        self._set_rw_permissions(path)
        if self.secure_file_operations_enabled():
            self._adopt_owner(path, backing_path)

    def _adopt_owner(self, path: str, reference: str) -> None:
        """Give a file the owner and group of another one: the guest's, where a guest had it."""
        new, old = os.stat(path), os.stat(reference)
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            self._execute(
                "chown", f"--reference={reference}", path, run_as_root=self._execute_as_root
            )

    # -- delete --------------------------------------------------------------------------------

    def _delete_snapshot(self, snapshot: Any) -> None:
        """Merge a snapshot's overlay away, by way of Nova where a guest has the volume.

        A snapshot that has no overlay, neither in the record nor in the chain, is deleted
        already. Raises InvalidVolume for a volume in no status for this.
        """
        volume = snapshot.volume
        self._validate_state(volume.status, [*_CAN_DELETE])
        self._ensure_share_writable(self._local_volume_dir(volume))
        if volume.status == IN_USE:
            self._delete_attached(snapshot)
            return
        recorded = self._recorded_file(snapshot)
        found = self._settled(volume)
        self._refuse_guest(found)
        self._discard_unused(found)
        if snapshot.id in found.files:
            self._delete_detached(snapshot, found)
        else:
            self._forget_snapshot(snapshot, found, recorded)

    def _delete_attached(self, snapshot: Any) -> None:
        """Have the guest's images merged."""
        raise NotImplementedError

    def _delete_detached(self, snapshot: Any, found: Survey) -> None:
        position = found.position(snapshot.id)
        remaining = {i: file for i, file in found.files.items() if i != snapshot.id}
        if position.overlay.name in remaining.values():
            self._record(snapshot.volume, found.active, remaining)
            return
        self._refuse_held(found, position)
        # Instead of what Nova may have been asked for once: no guest is left for it to work on.
        intent = Unfinished(snapshot.id, position.overlay.name, merged=False)
        self._record(snapshot.volume, found.active, dict(found.files), intent)
        self._straighten(found)
        self._merge(found, position)
        active = found.active if position.higher else position.base.name
        self._finish_deletion(snapshot, found, active, remaining, position.overlay.name)

    def _refuse_held(self, found: Survey, position: Position) -> None:
        """Raise ImageInUse while qemu has one of the images open that are about to change.

        A merge or a copy goes on when the process dies that has started it; it has an end.
        """
        for image in (position.overlay, position.base, position.higher):
            if image is not None and image_locks.holder(found.directory.path(image.name)) in _HELD:
                raise image_locks.ImageInUse(reason=f"something has {image.name} open")

    def _merge(self, found: Survey, position: Position) -> None:
        overlay, base, higher = position.overlay, position.base, position.higher
        path = found.directory.path(overlay.name)
        if overlay.virtual_size < base.virtual_size and overlay.file_format == QCOW2:
            # Else what the base has beyond the overlay's end would come to light above it.
            qemu_img.resize(
                path,
                QCOW2,
                base.virtual_size,
                execute=self._execute,
                run_as_root=self._execute_as_root,
            )
        if type(self)._img_commit is BackingChainMethods._img_commit:
            self._commit_only(path)
        else:
            self._img_commit(path)
        if higher is not None:
            self._rebase_img(found.directory.path(higher.name), base.name, base.file_format)

    def _finish_deletion(
        self, snapshot: Any, found: Survey, active: str, files: dict[str, str], merged: str
    ) -> None:
        """Record that a snapshot is gone and remove the image that was merged."""
        self._record(snapshot.volume, active, files, Unfinished(snapshot.id, merged, merged=True))
        self._remove_image(found.directory, merged)
        self._record(snapshot.volume, active, files)

    def _delete_stale_snapshot(self, snapshot: Any) -> None:
        """Forget a snapshot that has no overlay in the chain, and remove what is left of it."""
        recorded = self._recorded_file(snapshot)
        self._forget_snapshot(snapshot, self._settled(snapshot.volume, snapshot.id), recorded)

    def _recorded_file(self, snapshot: Any) -> str | None:
        """The overlay that the record gives to a snapshot, whatever the chain says."""
        names = self._image_directory(snapshot.volume).names
        return self._recorded(snapshot.volume, names).files.get(snapshot.id)

    def _forget_snapshot(self, snapshot: Any, found: Survey, recorded: str | None) -> None:
        """found: settled, so that ``.info`` does not know the snapshot any more."""
        LOG.info("Snapshot %s has no image in the chain", snapshot.id)
        own = os.path.basename(self._get_new_snap_path(snapshot))
        for name in {own, *([recorded] if recorded else [])}:
            if name in found.strays and not found.is_needed(name):
                self._remove_image(found.directory, name)

    # -- both ----------------------------------------------------------------------------------

    def _refuse_guest(self, found: Survey) -> None:
        """Raise ImageInUse where a guest is seen to have a volume that should be detached."""
        path = found.directory.path(found.active)
        if image_locks.holder(path) is image_locks.Holder.WRITER:
            raise image_locks.ImageInUse(reason=f"a guest writes to {path}")

    def _discard_unused(self, found: Survey) -> None:
        """Remove overlays that snapshots were to get which have not come about.

        They lie over the active image of a volume that no guest has, and show the same.
        """
        for name in reversed(found.unused):
            self._discard_overlay(found, name)

    def _discard_overlay(self, found: Survey, name: str, attached: bool = False) -> bool:
        """Remove an overlay that was never used; whether it is gone.

        attached: whether a guest could be about to use it; then it goes only under qemu's own
        lock. Raises ImageInUse, and ImageHasData.
        """
        path = found.directory.path(name)
        with contextlib.suppress(FileNotFoundError), image_locks.exclusive(path) as locked:
            if attached and not locked:
                return False
            if survey.has_any_data(path):
                raise ImageHasData(path=path)
            self._delete(path)
        info_file.sync_directory(found.directory.directory)
        return True

    def _ensure_share_writable(self, path: str) -> None:
        """Raises RemoteFSException unless this service can make files in the directory."""
        try:
            # Without a name where the file system can do that: a kill leaves nothing behind.
            with tempfile.TemporaryFile(prefix=f"{_PROBE}{os.getpid()}-", dir=path):
                pass
        except OSError as error:
            raise exception.RemoteFSException(
                f"The share at {path} cannot be written to by this service, so that snapshots "
                f"cannot be made or deleted: {error.strerror}"
            ) from error


class ImageHasData(exception.RemoteFSException):
    """An image that should have been of no use; it is kept."""

    message = "Image %(path)s was to be removed as unused, and has data"
