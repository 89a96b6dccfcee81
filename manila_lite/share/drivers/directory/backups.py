# SPDX-License-Identifier: Apache-2.0
"""Backups: copies of a share's directory below another root, and shares set back to them."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any, Final

from manila_lite import exception
from manila_lite.share.driver.base import Model, ShareServer
from manila_lite.share.drivers.directory.base import DirectoryBase, share_place
from manila_lite.share.drivers.directory.jobs import Jobs, StoppableProgress
from manila_lite.share.drivers.directory.locks import Locks
from manila_lite.share.drivers.directory.metadata import MetadataStore
from manila_lite.share.drivers.directory.paths import Kind, Place, Root
from manila_lite.share.drivers.directory.store import Store

# How long a question waits for a copy that is nearly done, and a deletion for one to stop.
_MOMENT: Final = 0.5
_STOP_SECONDS: Final = 30.0
_RESTORED: Final = "restored"


def backup_place(backup: Model) -> Place:
    """Where a backup lies below the backups' root. Raises PathRefused."""
    return Place(Kind.BACKUP, backup["name"])


@dataclasses.dataclass
class _Parts:
    """What works below the backups' root, and the shares' trees as the copies see them."""

    root: Root
    locks: Locks
    metadata: MetadataStore
    store: Store
    shares: Store
    progress: StoppableProgress
    jobs: Jobs


class BackupMethods(DirectoryBase):
    """Each may be repeated after a kill at any point; a copy that was killed begins anew.

    The copies go on in threads while nobody waits for them. A backup of a share that is in use is
    not the share at one moment: see ``copying``. Without directory_backup_root there are none
    (NotImplementedError).
    """

    restore_to_target_support = True

    def create_backup(
        self, context: Any, share_instance: Model, backup: Model, share_server: ShareServer = None
    ) -> None:
        """Note what the backup is of; create_backup_continue copies it.

        Raises ShareResourceNotFound, PathRefused.
        """
        parts, place = self._backups, backup_place(backup)
        source = self._existing(share_instance)
        self._stop(parts, place)
        size = int(share_instance["size"])
        parts.metadata.update(place, id=backup["id"], size=size, source=source.name)

    def create_backup_continue(
        self, context: Any, share_instance: Model, backup: Model, share_server: ShareServer = None
    ) -> dict[str, str]:
        """Copy the share, beginning if nothing copies it, and tell total_progress in percent.

        Raises ShareBackupNotFound for one that create_backup does not know, ShareResourceNotFound,
        ShareBackendFull (nothing is left).
        """
        parts, place = self._backups, backup_place(backup)
        self._require(parts, place, backup)
        if parts.store.exists(place):
            return _done()
        source = self._existing(share_instance)
        return self._attend(parts, place, functools.partial(self._copy, parts, place, source))

    def delete_backup(
        self,
        context: Any,
        backup: Model,
        share_instance: Model | None,
        share_server: ShareServer = None,
    ) -> None:
        """Remove the copy, also one that is being made. One that is gone is no error.

        Raises BackendBusy while it is being restored.
        """
        parts, place = self._backups, backup_place(backup)
        self._stop(parts, place)
        with parts.locks.data(place):
            parts.store.remove(place)
            parts.metadata.remove(place)

    def restore_backup(
        self, context: Any, backup: Model, share_instance: Model, share_server: ShareServer = None
    ) -> None:
        """Note that a share is to be set back; restore_backup_continue does it.

        Raises ShareBackupNotFound, ShareResourceNotFound, InvalidShare for a share that is smaller.
        """
        parts, place = self._backups, backup_place(backup)
        target = self._existing(share_instance)
        known = self._require(parts, place, backup)
        if not parts.store.exists(place):
            raise exception.ShareBackupNotFound(backup_id=backup["id"])
        if int(share_instance["size"]) < int(known["size"]):
            raise exception.InvalidShare(
                reason=f"{share_instance['size']} GiB are less than the {known['size']} GiB of its "
                "backup"
            )
        self._stop(parts, target)
        self._metadata.update(target, **{_RESTORED: None})

    def restore_backup_continue(
        self, context: Any, backup: Model, share_instance: Model, share_server: ShareServer = None
    ) -> dict[str, str]:
        """Replace the share's data by a copy of the backup, at once and wholly or not at all.

        Begins if nothing copies it, and tells total_progress in percent. The export path stays, the
        directory behind it is a new one; room for both is needed meanwhile. NFS clients have to
        mount the share again. Raises as restore_backup, and ShareBackendFull.
        """
        parts, source = self._backups, backup_place(backup)
        place = share_place(share_instance)
        if (self._metadata.read(place) or {}).get(_RESTORED) == source.name:
            return _done()
        self._require(parts, source, backup)
        work = functools.partial(self._put_back, parts, place, source, share_instance)
        return self._attend(parts, place, work)

    def _stop(self, parts: _Parts, place: Place) -> None:
        """End a copy that nobody asks after any more. Raises BackendBusy where it goes on."""
        if not parts.jobs.stop(place.name, _STOP_SECONDS):
            raise exception.BackendBusy(reason=f"the copy to {place} does not stop")

    def _attend(self, parts: _Parts, place: Place, work: Callable[[], None]) -> dict[str, str]:
        if parts.jobs.attend(place.name, work, _MOMENT):
            return _done()
        return {"total_progress": str(parts.progress.percent(place.name) or 0)}

    def _copy(self, parts: _Parts, place: Place, source: Place) -> None:
        with parts.locks.data(place), self._locks.data(source, shared=True):
            if not parts.store.exists(place):
                parts.store.create_copy(place, source, origin=parts.shares)

    def _put_back(self, parts: _Parts, place: Place, source: Place, share: Model) -> None:
        with self._locks.data(place), parts.locks.data(source, shared=True):
            self._store.recover(place)
            size = int(share["size"])
            prepare = self._preparation(place, self._limit_while_replacing(size, size))
            try:
                parts.shares.replace_with_copy(place, source, prepare, origin=parts.store)
            finally:
                self._set_size(place, size)
            self._metadata.update(place, **{_RESTORED: source.name})
        self._exporting.refresh(share, place)

    def _require(self, parts: _Parts, place: Place, backup: Model) -> dict[str, Any]:
        known = parts.metadata.read(place)
        if known is None:
            raise exception.ShareBackupNotFound(backup_id=backup["id"])
        return known

    @functools.cached_property
    def _backup_parts(self) -> _Parts | None:
        configured = self._own("backup_root")
        if configured is None:
            return None
        root = Root(configured, self._section, f"{self._PREFIX}_backup_root")
        locks, progress = Locks(root), StoppableProgress()
        return _Parts(
            root, locks, MetadataStore(root, locks), Store(root, progress),
            Store(self._root, progress), progress, Jobs(progress),
        )  # fmt: skip

    @property
    def _backups(self) -> _Parts:
        if self._backup_parts is None:
            raise NotImplementedError(
                f"this back end makes no backups: {self._PREFIX}_backup_root is not set"
            )
        return self._backup_parts

    def _check_backup_root(self) -> None:
        """Raise ConfigurationError for a root that cannot serve, or that lies with the shares."""
        parts = self._backup_parts
        if parts is None:
            return
        parts.root.check()
        if os.path.commonpath([parts.root.path, self._root.path]) in (
            parts.root.path,
            self._root.path,
        ):
            raise exception.ConfigurationError(
                section=self._section, option=parts.root.option, value=parts.root.configured,
                reason=f"it and {self._PREFIX}_root must not lie in one another",
            )  # fmt: skip
        parts.root.create_layout((Kind.BACKUP,))


def _done() -> dict[str, str]:
    return {"total_progress": "100"}
