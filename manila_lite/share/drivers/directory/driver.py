# SPDX-License-Identifier: Apache-2.0
"""The directory driver: shares, sizes, access rules and reports."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from manila_lite import exception
from manila_lite.share.driver.base import Model, Rules, ShareServer
from manila_lite.share.drivers.directory import access
from manila_lite.share.drivers.directory.adoption import AdoptionMethods
from manila_lite.share.drivers.directory.backups import BackupMethods
from manila_lite.share.drivers.directory.base import share_place
from manila_lite.share.drivers.directory.capacity import capacity, reservations
from manila_lite.share.drivers.directory.exports import in_force
from manila_lite.share.drivers.directory.paths import Place
from manila_lite.share.drivers.directory.snapshots import SnapshotMethods

LOG = logging.getLogger(__name__)

_GIB = 1 << 30


class DirectoryDriver(SnapshotMethods, AdoptionMethods, BackupMethods):
    """Shares are directories under ``directory_root``. Needs no root privileges and no server.

    Every method may be repeated after a kill at any point. Export helpers make the directories
    NFS and CIFS shares; without one, the rules are kept, and the export location says where the
    directory is.
    """

    def create_share(
        self, context: Any, share: Model, share_server: ShareServer = None
    ) -> list[dict[str, Any]]:
        """Make an empty directory; return its export locations.

        Raises PathRefused, and InvalidShare for a protocol that is not exported.
        """
        place, size = share_place(share), int(share["size"])
        self._exporting.check_protocol(share)
        with self._locks.data(place):
            if not self._is_made(place):
                with self._making(place, id=share["id"], size=size, limit=size) as prepare:
                    mode = int(self._own("share_mode"), 8)
                    self._store.create_empty(place, mode, prepare)
        return self._exports(place, share)

    def delete_share(self, context: Any, share: Model, share_server: ShareServer = None) -> None:
        """Remove the data, also of a share that was never complete. One that is gone is no error.

        Raises ShareBackendException for data that this driver did not make, or may not remove.
        """
        place = share_place(share)
        with self._locks.data(place):
            self._refuse_foreign(place)
            self._exporting.remove(place)
            if not self._store.remove(place):
                LOG.warning("Share %s had no directory to delete", share["id"])
            self._forget(place)

    def extend_share(self, share: Model, new_size: int, share_server: ShareServer = None) -> None:
        """Record the new size in GiB, and enforce it where sizes are enforced."""
        self._set_size(self._existing(share), int(new_size))

    def shrink_share(self, share: Model, new_size: int, share_server: ShareServer = None) -> None:
        """As `extend_share`; ShareShrinkingPossibleDataLoss where more space than that is used."""
        place = self._existing(share)
        if self._store.used_bytes(place) > int(new_size) * _GIB:
            raise exception.ShareShrinkingPossibleDataLoss(share_id=share["id"])
        self._set_size(place, int(new_size))

    def ensure_share(
        self, context: Any, share: Model, share_server: ShareServer = None
    ) -> list[dict[str, Any]]:
        """Return the export location; raise ShareResourceNotFound if the directory vanished.

        Mends what a killed revert left, and metadata that were lost.
        """
        place = self._existing(share)
        if self._store.is_split(place):
            self._mend(place)
        if self._metadata.read(place) is None:
            LOG.warning("Share %s had no metadata; they are made anew", share["id"])
            self._metadata.update(place, id=share["id"], size=int(share["size"]))
        return self._exports(place, share)

    def ensure_shares(self, context: Any, shares: Sequence[Model]) -> dict[str, dict[str, Any]]:
        """Export locations by share id; status error for those whose directory vanished.

        A share that cannot be looked at just now is left out, and stays as it is.
        """
        updates: dict[str, dict[str, Any]] = {}
        for share in shares:
            try:
                updates[share["id"]] = {"export_locations": self.ensure_share(context, share)}
            except (exception.ShareResourceNotFound, exception.PathRefused):
                updates[share["id"]] = {"status": "error"}
            except (exception.ShareBackendException, OSError):
                LOG.exception("Share %s could not be ensured", share["id"])
        return updates

    def get_share_status(self, share: Model, share_server: ShareServer = None) -> dict[str, Any]:
        """What became of a share that was being made: status, with export_locations or progress.

        ``creating`` also stands for a copy whose process was killed; repeating the call that
        makes the share finishes it. Raises ShareResourceNotFound when there is no trace of it.
        """
        place = share_place(share)
        if self._store.exists(place):
            return {"status": "available", "export_locations": self._exports(place, share)}
        if self._store.is_being_made(place):
            return {"status": "creating", "progress": f"{self.copy_progress(place.name) or 0}%"}
        raise exception.ShareResourceNotFound(share_id=share["id"])

    def update_access(
        self,
        context: Any,
        share: Model,
        access_rules: Rules,
        add_rules: Rules,
        delete_rules: Rules,
        share_server: ShareServer = None,
    ) -> dict[str, dict[str, str]] | None:
        """Apply the rules, and keep them: of type ip and user, rw and ro, as far as the share's
        protocol has them. Any other one is put into error.
        """
        place = self._existing(share)
        updates = self._exporting.update_access(share, place, access_rules)
        self._metadata.update(place, access=access.kept(in_force(access_rules, updates)))
        return updates or None

    def update_share_usage_size(
        self, context: Any, shares: Sequence[Model]
    ) -> list[dict[str, Any]]:
        """Used GiB of each share that can be measured, by walking through it."""
        return [update for share in shares if (update := self._usage(share)) is not None]

    def get_pool(self, share: Model) -> str:
        """The pool in the share's host, else this back end's only one."""
        return str(share.get("host") or "").partition("#")[2] or self._pool_name()

    def get_backend_info(self, context: Any) -> dict[str, Any]:
        """What export locations are made of: when it changes, shares are ensured anew."""
        return {
            "directory_root": self._root.path,
            "directory_export_host": self._setting("directory_export_host") or "",
            "directory_export_helpers": self._setting("directory_export_helpers"),
            "directory_enforce_size": self._setting("directory_enforce_size"),
        }

    def get_configured_ip_versions(self) -> list[int]:
        """Both: a path is reached over whatever its server speaks."""
        return [4, 6]

    def _update_share_stats(self, data: dict[str, Any] | None = None) -> None:
        """Report one pool with the capacity of the root's file system, in GiB.

        Servers are looked at as well: what one lost in a restart is exported again.
        """
        self._exporting.restore()
        common = self._capabilities()
        super()._update_share_stats({**common, "pools": [self._pool(common)], **(data or {})})

    def _capabilities(self) -> dict[str, Any]:
        return {
            "driver_name": "Directory",
            "driver_version": "1.0",
            "vendor_name": "manila_lite",
            "storage_protocol": self._exporting.storage_protocol or self._own("storage_protocol"),
            "snapshot_support": True,
            "create_share_from_snapshot_support": True,
            "revert_to_snapshot_support": True,
            "mount_snapshot_support": False,
            "qos": False,
            "size_enforced": self._limits.enforced,
            "reflink": self._store.reflink,
            **reservations(self.configuration),
        }

    def _pool(self, common: dict[str, Any]) -> dict[str, Any]:
        return {
            **common,
            **capacity(self._root.path),
            "pool_name": self._pool_name(),
            "provisioned_capacity_gb": self._metadata.provisioned(),
            "max_over_subscription_ratio": self._setting("max_over_subscription_ratio"),
            "thin_provisioning": True,
            "dedupe": False,
            "compression": False,
        }

    def _pool_name(self) -> str:
        return str(self._setting("share_backend_name") or self._section)

    def _mend(self, place: Place) -> None:
        """Unless a revert is at work right now, which will see to it."""
        try:
            with self._locks.data(place):
                self._store.recover(place)
        except exception.BackendBusy:
            LOG.debug("Something works on %s", place)

    def _used(self, place: Place) -> int:
        return self._store.used_bytes(place)

    def _usage(self, share: Model) -> dict[str, Any] | None:
        try:
            used = self._used(self._existing(share))
        except (exception.ManilaException, OSError) as error:
            LOG.warning("The usage of share %s cannot be told: %s", share["id"], error)
            return None
        size = round(used / _GIB, 6)
        return {"id": share["id"], "used_size": size, "gathered_at": self._clock.now()}
