# SPDX-License-Identifier: Apache-2.0
"""Snapshots of volumes that a guest has: Nova moves the guest, or the data under it.

What is done before and after Nova's work are methods of their own (prepare, plan, complete,
abandon), each short and to be done again after a crash. The service calls them one by one and
waits in between without a thread; `create_snapshot` and `delete_snapshot` use them too, see
snapshots_blocking.

Nova's word is never enough to remove a file: the headers of the images have to say that nothing
rests on it any more.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from manila_lite import exception
from manila_lite.volume.drivers.remotefs.locks import locked_volume_id_operation
from manila_lite.volume.drivers.remotefs.snapshots_offline import OfflineSnapshotMethods
from manila_lite.volume.qcow2 import chain, deletion, image_locks, survey
from manila_lite.volume.qcow2.chain import Image
from manila_lite.volume.qcow2.image_locks import Holder
from manila_lite.volume.qcow2.survey import Survey

LOG = logging.getLogger(__name__)

SWITCHED: Final = "switched"
UNSWITCHED: Final = "unswitched"
UNKNOWN: Final = "unknown"


class OnlineSnapshotMethods(OfflineSnapshotMethods):
    """What the service drives step by step."""

    has_online_phases: ClassVar[bool] = True
    """Whether the service may use the steps; not where a driver has its own blocking methods."""

    # -- create, step by step ------------------------------------------------------------------

    @locked_volume_id_operation
    def prepare_online_snapshot(self, snapshot: Any) -> dict[str, Any]:
        """Make the overlay that the guest is to be moved to; return create_info for Nova.

        One that is there already is used, if it is over the active image and was never used.
        """
        return self._prepare(snapshot, self._settled(snapshot.volume))

    def online_snapshot_state(self, snapshot: Any) -> str:
        """Whether the guest is on the snapshot's overlay: SWITCHED, UNSWITCHED or UNKNOWN.

        Seen from qemu's locks, and from what was written. UNKNOWN where nobody is seen to hold
        either image: the guest is away, or on a host whose locks are not seen here.
        """
        directory = self._image_directory(snapshot.volume)
        name = os.path.basename(self._get_new_snap_path(snapshot))
        try:
            overlay = directory.image(name)
        except FileNotFoundError:
            return UNSWITCHED
        if overlay.backing is None:
            # All that was under it has been pulled into it since.
            return SWITCHED
        upper = _holder(directory.path(name))
        lower = _holder(directory.path(overlay.backing))
        if Holder.UNKNOWN in (upper, lower):
            return UNKNOWN
        writers = [holder is Holder.WRITER for holder in (upper, lower)]
        if any(writers):
            # Both, for a moment while the guest is moved.
            return UNKNOWN if all(writers) else SWITCHED if writers[0] else UNSWITCHED
        return SWITCHED if survey.has_any_data(directory.path(name)) else UNKNOWN

    @locked_volume_id_operation
    def complete_online_snapshot(self, snapshot: Any) -> None:
        """Record the overlay that the guest was moved to. RemoteFSException if it was not."""
        self._complete_creation(snapshot)

    @locked_volume_id_operation
    def abandon_online_snapshot(self, snapshot: Any) -> bool:
        """Remove the overlay of a snapshot that has not come about; whether it is gone.

        It stays unless it is proven that no guest uses it: a guest is seen to write to the image
        under it, and the overlay can be locked and is empty. Nova fails when it comes to it late.
        """
        return self._abandon(snapshot)

    # -- delete, step by step ------------------------------------------------------------------

    @locked_volume_id_operation
    def plan_online_deletion(self, snapshot: Any) -> dict[str, Any] | None:
        """What Nova has to merge, see `qcow2.deletion`; None where nothing is left to be merged.

        The plan is noted beside the images. RemoteFSConcurrentRequest while Nova may still be
        working for another deletion: afterwards nobody could tell what it has merged.
        """
        return self._plan(snapshot)

    def online_deletion_state(self, snapshot: Any, plan: Mapping[str, Any]) -> str:
        """What the chain proves: "done", "undone", or "unknown" where it is neither."""
        directory = self._image_directory(snapshot.volume)
        try:
            images = list(chain.walk(directory, plan["active_file"]))
        except (chain.ImageMissing, exception.BackingFileRefused) as error:
            # A header that is being written looks damaged for a moment.
            LOG.debug("The images of snapshot %s cannot be read: %s", snapshot.id, error)
            return deletion.UNKNOWN
        return deletion.state(images, plan)

    @locked_volume_id_operation
    def complete_online_deletion(self, snapshot: Any, plan: Mapping[str, Any]) -> None:
        """Record that a snapshot is merged and remove the image that is of no use any more.

        RemoteFSException unless the chain proves it, whatever Nova says.
        """
        self._complete_deletion(snapshot, plan)

    @locked_volume_id_operation
    def abandon_online_deletion(self, snapshot: Any) -> None:
        """Note that nothing is under way for a deletion: Nova did not take the request for it.

        Not for an error that Nova reports later: the hypervisor may go on when Nova has lost
        sight of its job.
        """
        found = self._settled(snapshot.volume)
        if found.unfinished is not None and found.unfinished.snapshot_id == snapshot.id:
            self._record(snapshot.volume, found.active, dict(found.files))

    # -- parts of these ------------------------------------------------------------------------

    def _under(self, snapshot: Any, found: Survey) -> str:
        """The image that the snapshot's overlay is to be made over."""
        own = found.images.get(os.path.basename(self._get_new_snap_path(snapshot)))
        if own is not None and own.name == found.active and own.backing is not None:
            # There already, and nobody is seen on it.
            return own.backing
        return found.active

    def _prepare(self, snapshot: Any, found: Survey) -> dict[str, Any]:
        path = self._get_new_snap_path(snapshot)
        name, backing = os.path.basename(path), self._under(snapshot, found)
        if not self._is_prepared(found, name, backing):
            self._do_create_snapshot(snapshot, backing, path)
        return {"snapshot_id": snapshot.id, "type": "qcow2", "new_file": name}

    def _is_prepared(self, found: Survey, name: str, backing: str) -> bool:
        """Whether the overlay can be used as it is. Raises where it must not be replaced."""
        overlay = found.images.get(name)
        if overlay is None:
            return False
        if name == found.active or _is_fit(found, overlay, backing):
            return True
        if found.is_needed(name) or not self._discard_overlay(found, name, attached=True):
            raise exception.RemoteFSException(
                f"{name} is there already and may be in use; its snapshot cannot be made again"
            )
        return False

    def _complete_creation(self, snapshot: Any) -> None:
        if self.online_snapshot_state(snapshot) == UNSWITCHED:
            raise exception.RemoteFSException(
                f"No guest is on the image of snapshot {snapshot.id}, whatever Nova says"
            )
        found = self._settled(snapshot.volume)
        if snapshot.id not in found.files:
            name = os.path.basename(self._get_new_snap_path(snapshot))
            files = {**found.files, snapshot.id: name}
            self._record(snapshot.volume, name, files, found.unfinished)

    def _abandon(self, snapshot: Any) -> bool:
        found = self._survey(snapshot.volume)
        name = os.path.basename(self._get_new_snap_path(snapshot))
        if name not in found.images:
            return True
        if name not in found.unused or self.online_snapshot_state(snapshot) != UNSWITCHED:
            return False
        return self._discard_overlay(found, name, attached=True)

    def _abandon_quietly(self, snapshot: Any) -> None:
        """Clear up after an error that is the one to be told."""
        try:
            self._abandon(snapshot)
        except Exception:
            LOG.exception("The image of snapshot %s stays for now", snapshot.id)

    def _plan(self, snapshot: Any) -> dict[str, Any] | None:
        volume = snapshot.volume
        recorded = self._recorded_file(snapshot)
        found = self._settled(volume, snapshot.id)
        if snapshot.id not in found.files:
            self._forget_attached(snapshot, found, recorded)
            return None
        unfinished = found.unfinished if found.unfinished and found.unfinished.nova else None
        if unfinished is not None and unfinished.snapshot_id != snapshot.id:
            raise exception.RemoteFSConcurrentRequest(
                f"Nova may still be merging for snapshot {unfinished.snapshot_id}: delete that "
                "one first, or detach the volume"
            )
        plan = deletion.plan(found.position(snapshot.id), volume.id, found.files)
        # A note of this same plan: whoever wrote it may have asked Nova.
        plan["asked_before"] = unfinished is not None
        intent = deletion.intent(snapshot.id, plan)
        if found.unfinished != intent:
            self._record(volume, found.active, dict(found.files), intent)
        return plan

    def _forget_attached(self, snapshot: Any, found: Survey, recorded: str | None) -> None:
        own = os.path.basename(self._get_new_snap_path(snapshot))
        if own in found.unused and not self._discard_overlay(found, own, attached=True):
            raise exception.RemoteFSException(
                f"{own} may be about to be used; snapshot {snapshot.id} cannot be deleted now"
            )
        self._forget_snapshot(snapshot, found, recorded)

    def _complete_deletion(self, snapshot: Any, plan: Mapping[str, Any]) -> None:
        state = self.online_deletion_state(snapshot, plan)
        if state != deletion.DONE:
            raise exception.RemoteFSException(
                f"The images of snapshot {snapshot.id} are not merged ({state}), whatever Nova says"
            )
        found = self._survey(snapshot.volume, snapshot.id)
        remaining = {i: file for i, file in found.files.items() if i != snapshot.id}
        unneeded = plan["file_to_delete"]
        if found.directory.exists(unneeded) and found.is_needed(unneeded):
            raise exception.RemoteFSException(f"{unneeded} is still needed by another image")
        self._finish_deletion(snapshot, found, found.active, remaining, unneeded)


def _holder(path: str) -> Holder:
    try:
        return image_locks.holder(path)
    except FileNotFoundError:
        return Holder.NOBODY


def _is_fit(found: Survey, overlay: Image, backing: str) -> bool:
    """Whether an overlay was made over the active image as it is, and never used."""
    fits = overlay.backing == backing
    large = overlay.virtual_size >= found.images[backing].virtual_size
    return fits and large and not survey.has_any_data(found.directory.path(overlay.name))
