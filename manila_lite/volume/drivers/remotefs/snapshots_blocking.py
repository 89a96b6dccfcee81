# SPDX-License-Identifier: Apache-2.0
"""Snapshots of volumes that a guest has, as calls that return when Nova is done.

For callers without an engine, and for drivers that replace one of the three methods by which
Cinder's drivers do this. They wait as Cinder's do: 1, 2, 5, 10 seconds between two looks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from manila_lite import exception
from manila_lite.volume.drivers.remotefs.snapshots_online import (
    SWITCHED,
    UNSWITCHED,
    OnlineSnapshotMethods,
)
from manila_lite.volume.qcow2 import deletion
from manila_lite.volume.qcow2.survey import Survey

LOG = logging.getLogger(__name__)

CREATE_TIMEOUT: Final = 600.0
DELETE_TIMEOUT: Final = 7200.0
#: (seconds waited so far, seconds to the next look), as Cinder waits.
PAUSES: Final = ((0.0, 1.0), (10.0, 2.0), (20.0, 5.0), (60.0, 10.0))
#: Nova sends it in every callback, failures included.
SPOKEN: Final = "90%"

_BLOCKING: Final = (
    "_create_snapshot_online",
    "_delete_snapshot_online",
    "_nova_assisted_vol_snap_delete",
)


class BlockingSnapshotMethods(OnlineSnapshotMethods):
    """The steps of OnlineSnapshotMethods in a row, with waits on the driver's clock between."""

    _nova: Any
    db: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A driver with blocking methods of its own is not driven step by step."""
        super().__init_subclass__(**kwargs)
        own = [n for n in _BLOCKING if getattr(cls, n) is not getattr(BlockingSnapshotMethods, n)]
        if own and "has_online_phases" not in cls.__dict__:
            cls.has_online_phases = False

    def _create_attached(self, snapshot: Any, found: Survey, path: str) -> None:
        made = found.files.get(snapshot.id)
        if made is not None and made != found.active:
            LOG.info("Snapshot %s was made before", snapshot.id)
            return
        if self.online_snapshot_state(snapshot) != SWITCHED:
            self._create_snapshot_online(snapshot, self._under(snapshot, found), path)
        self._complete_creation(snapshot)

    def _create_snapshot_online(
        self, snapshot: Any, backing_filename: str, new_snap_path: str
    ) -> None:
        """Make an overlay and have Nova move the guest to it; returns when it has.

        Raises RemoteFSException when Nova says that it failed, or nothing in time, and
        RemoteFSConcurrentRequest when the snapshot is being deleted meanwhile.
        """
        create_info = self._prepare(snapshot, self._survey(snapshot.volume))
        try:
            self._ask(
                snapshot_context(snapshot),
                snapshot,
                "create_volume_snapshot",
                snapshot.volume_id,
                create_info,
            )
            self._wait_for_switch(snapshot)
        except Exception:
            self._abandon_quietly(snapshot)
            raise

    def _delete_attached(self, snapshot: Any) -> None:
        plan = self._plan(snapshot)
        if plan is None:
            return
        if self.online_deletion_state(snapshot, plan) == deletion.DONE:
            self._complete_deletion(snapshot, plan)
            return
        position = self._survey(snapshot.volume, snapshot.id).position(snapshot.id)
        info = {
            "active_file": position.active,
            "snapshot_file": position.overlay.name,
            "base_file": position.base.name,
            "base_id": position.base_id,
            "new_base_file": position.base.backing,
        }
        self._delete_snapshot_online(snapshot_context(snapshot), snapshot, info)

    def _delete_snapshot_online(self, context: Any, snapshot: Any, info: Mapping[str, Any]) -> None:
        """Have Nova merge, then record it and remove a file. info: file names, see Cinder."""
        plan = self._plan(snapshot)
        if plan is None:
            return
        self._nova_assisted_vol_snap_delete(context, snapshot, plan["delete_info"])
        self._complete_deletion(snapshot, plan)

    def _nova_assisted_vol_snap_delete(
        self, context: Any, snapshot: Any, delete_info: Mapping[str, Any]
    ) -> None:
        """Ask Nova to merge; return when the chain shows that it has, else RemoteFSException."""
        plan = self._plan(snapshot)
        try:
            self._ask(context, snapshot, "delete_volume_snapshot", snapshot.id, delete_info)
        except Exception as error:
            if exception.classify(error) is not exception.ErrorKind.IN_DOUBT:
                self.abandon_online_deletion(snapshot)
            raise
        if plan is not None:
            self._wait_for_merge(snapshot, plan)

    def _ask(self, context: Any, snapshot: Any, question: str, *arguments: Any) -> None:
        if self._nova is None:
            raise exception.RemoteFSException(
                f"Volume {snapshot.volume.id} is attached, and Nova is not configured"
            )
        try:
            getattr(self._nova, question)(context, *arguments)
        except Exception:
            LOG.exception("Nova could not be asked about snapshot %s", snapshot.id)
            raise

    def _wait_for_switch(self, snapshot: Any) -> None:
        def is_done(status: str, progress: Any) -> bool:
            if status == "error":
                raise exception.RemoteFSException("Nova says that the snapshot failed.")
            if status in ("deleting", "error_deleting"):
                raise exception.RemoteFSConcurrentRequest(
                    f"Snapshot {snapshot.id} is to be deleted while it is being made"
                )
            said = status == "available" or (status == "creating" and progress == SPOKEN)
            # What Nova said may have been said about an earlier request.
            return said and self.online_snapshot_state(snapshot) != UNSWITCHED

        timeout = self._timeout("nova_snapshot_create_timeout", CREATE_TIMEOUT)
        if not self._wait_for_nova(snapshot, is_done, timeout) and (
            self.online_snapshot_state(snapshot) != SWITCHED
        ):
            raise exception.RemoteFSException(
                f"Nova said nothing about the creation of snapshot {snapshot.id} in time"
            )

    def _wait_for_merge(self, snapshot: Any, plan: Mapping[str, Any]) -> None:
        def is_merged() -> bool:
            return self.online_deletion_state(snapshot, plan) == deletion.DONE

        def is_done(status: str, progress: Any) -> bool:
            if status == "deleting":
                return progress == SPOKEN and is_merged()
            if is_merged():
                return True
            raise exception.RemoteFSException(
                f"Snapshot {snapshot.id} could not be deleted; its status is {status}"
            )

        timeout = self._timeout("nova_snapshot_delete_timeout", DELETE_TIMEOUT)
        if not self._wait_for_nova(snapshot, is_done, timeout) and not is_merged():
            raise exception.RemoteFSException(
                f"Nova said nothing about the deletion of snapshot {snapshot.id} in time"
            )

    def _wait_for_nova(
        self, snapshot: Any, is_done: Callable[[str, Any], bool], timeout: float
    ) -> bool:
        """Look at the snapshot's row until is_done(status, progress); False when time is over."""
        context, never = snapshot_context(snapshot), threading.Event()
        started = self._clock.monotonic()
        while True:
            row = self.db.snapshot_get(context, snapshot.id)
            if is_done(row["status"], row["progress"]):
                return True
            waited = self._clock.monotonic() - started
            if waited >= timeout:
                return False
            self._clock.wait(never, pause_after(waited))

    def _timeout(self, option: str, default: float) -> float:
        found = self.configuration.safe_get(option) if self.configuration else None
        return default if found is None else float(found)


def pause_after(waited: float) -> float:
    """Seconds until the next look, after so many seconds of waiting."""
    return next(pause for start, pause in reversed(PAUSES) if waited >= start)


def snapshot_context(snapshot: Any) -> Any:
    """The context that a snapshot brings along, if it does."""
    return getattr(snapshot, "_context", None)
