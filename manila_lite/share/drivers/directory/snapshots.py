# SPDX-License-Identifier: Apache-2.0
"""Snapshots: copies of a share's directory, and shares made or set back from them."""

from __future__ import annotations

from typing import Any

from manila_lite import exception
from manila_lite.share.driver.base import Model, Rules, ShareServer
from manila_lite.share.drivers.directory.base import DirectoryBase, share_place, snapshot_place
from manila_lite.share.drivers.directory.locks import PlaceBusy
from manila_lite.share.drivers.directory.paths import Kind, Place


class SnapshotMethods(DirectoryBase):
    """Each may be repeated after a kill at any point, and then ends as if it had run once.

    A snapshot of a share that is in use is not the share at one moment: see ``copying``.
    """

    def create_snapshot(
        self, context: Any, snapshot: Model, share_server: ShareServer = None
    ) -> dict[str, Any]:
        """Copy the share. Raises ShareResourceNotFound, ShareBackendFull (nothing is left)."""
        place, source = snapshot_place(snapshot), self._parent(snapshot)
        with self._locks.data(place), self._locks.data(source, shared=True):
            if not self._is_made(place):
                size = int(snapshot["share"]["size"])
                with self._making(place, id=snapshot["id"], size=size, source=source.name) as prep:
                    self._store.create_copy(place, source, prep)
        return {"provider_location": str(place)}

    def delete_snapshot(
        self, context: Any, snapshot: Model, share_server: ShareServer = None
    ) -> None:
        """Remove the copy; one that is gone already is no error.

        Raises ShareSnapshotIsBusy while a share is being made from it, BackendBusy while another
        worker makes or deletes it.
        """
        place = snapshot_place(snapshot)
        try:
            with self._locks.data(place):
                self._refuse_foreign(place)
                self._hide_snapshot(place)
                self._store.remove(place)
                self._forget(place)
        except PlaceBusy as error:
            if not self._locks.is_shared(place):
                raise
            raise exception.ShareSnapshotIsBusy(snapshot_name=place.name) from error

    def create_share_from_snapshot(
        self, context: Any, share: Model, snapshot: Model, share_server: ShareServer = None
    ) -> list[dict[str, Any]]:
        """Copy the snapshot to a new share, which may be larger. Returns export locations.

        Raises InvalidShare for a share that is smaller, SnapshotResourceNotFound,
        ShareBackendFull (nothing is left).
        """
        place, source = share_place(share), snapshot_place(snapshot)
        self._check_size(share, snapshot)
        self._exporting.check_protocol(share)
        with self._locks.data(place), self._locks.data(source, shared=True):
            if not self._is_made(place):
                self._require_snapshot(source)
                size = int(share["size"])
                with self._making(
                    place, id=share["id"], size=size, limit=size, source=source.name
                ) as prepare:
                    self._store.create_copy(place, source, prepare)
        return self._exports(place, share)

    def revert_to_snapshot(
        self,
        context: Any,
        snapshot: Model,
        share_access_rules: Rules,
        snapshot_access_rules: Rules,
        share_server: ShareServer = None,
    ) -> None:
        """Replace the share's data by a copy of the snapshot's, at once and wholly or not at all.

        The share gets the size that it had when the snapshot was taken.

        The export path stays, the directory behind it is a new one. Room for both is needed
        meanwhile. NFS clients have to mount the share again. Raises ShareResourceNotFound,
        SnapshotResourceNotFound, ShareBackendFull.
        """
        place, source = self._parent(snapshot), snapshot_place(snapshot)
        with self._locks.data(place), self._locks.data(source, shared=True):
            self._store.recover(place)
            self._require_snapshot(source)
            before = (self._metadata.read(place) or {}).get("size")
            size = int(snapshot.get("size") or before or snapshot["share"]["size"])
            limit = self._limit_while_replacing(int(before or size), size)
            try:
                self._store.replace_with_copy(place, source, self._preparation(place, limit))
            except Exception:
                if before is not None:
                    self._set_size(place, int(before))
                raise
            self._set_size(place, size)
        self._exporting.refresh(snapshot["share"], place)

    def _hide_snapshot(self, place: Place) -> None:
        """Take its export away; these snapshots have none."""

    def _parent(self, snapshot: Model) -> Place:
        return self._existing(snapshot["share"])

    def _require_snapshot(self, place: Place) -> None:
        if not self._store.exists(place):
            raise exception.SnapshotResourceNotFound(name=place.name)

    def _check_size(self, share: Model, snapshot: Model) -> None:
        made_of = self._metadata.read(Place(Kind.SNAPSHOT, snapshot["name"])) or {}
        needed = int(made_of.get("size", 0))
        if int(share["size"]) < needed:
            raise exception.InvalidShare(
                reason=f"{share['size']} GiB are less than the {needed} GiB of its snapshot"
            )
