# SPDX-License-Identifier: Apache-2.0
"""The btrfs driver: what differs from the directory driver, whose methods it has."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import btrfs as options
from manila_lite.share.driver.base import Model, Rules, ShareServer
from manila_lite.share.drivers.btrfs.adoption import SubvolumeAdoption
from manila_lite.share.drivers.btrfs.commands import Commands
from manila_lite.share.drivers.btrfs.quota import QuotaGroups
from manila_lite.share.drivers.btrfs.store import SubvolumeStore
from manila_lite.share.drivers.directory import DirectoryDriver, access
from manila_lite.share.drivers.directory import quota as project_quota
from manila_lite.share.drivers.directory.base import share_place, snapshot_place
from manila_lite.share.drivers.directory.errors import told_as
from manila_lite.share.drivers.directory.exports import in_force
from manila_lite.share.drivers.directory.locks import PlaceBusy
from manila_lite.share.drivers.directory.paths import Place
from manila_lite.share.drivers.directory.staging import Prepare
from manila_lite.share.drivers.exports import RuleUpdates

LOG = logging.getLogger(__name__)

_GIB = 1 << 30


class BtrfsDriver(SubvolumeAdoption, DirectoryDriver):
    """Shares are subvolumes under ``btrfs_root``, snapshots read-only ones that take no time.

    Every method may be repeated after a kill at any point. What takes root runs as root, through
    oslo.privsep where the service is an ordinary user. Snapshots can be mounted.
    """

    _PREFIX: ClassVar[str] = "btrfs"
    _OPTS: ClassVar[list[cfg.Opt]] = options.OPTS
    _store: SubvolumeStore

    def do_setup(self, context: Any) -> None:
        """Make the layout under the root, enable quotas, and clear up after killed operations.

        Raises ConfigurationError, which names option and value, for a root that cannot serve.
        """
        self._root.check()
        self._check_type()
        self._root.create_layout()
        try:
            self._groups.enable()
        except OSError as error:
            raise self._unusable(f"quotas could not be enabled: {error.strerror}") from error
        self._store.sweep(self._locks)
        LOG.info("Shares are subvolumes in %s", self._root.path)

    def shrink_share(self, share: Model, new_size: int, share_server: ShareServer = None) -> None:
        """Limit the share to new_size GiB; ShareShrinkingPossibleDataLoss where more is used.

        Raises BackendBusy while btrfs counts anew what is used.
        """
        place, size = self._existing(share), int(new_size)
        with self._locks.data(place):
            self._require_room(share, place, size)
            before = self._groups.limit_of(self._store.number(place))
            self._limit(place, size)
            try:
                # Somebody may have written until the limit was there.
                self._require_room(share, place, size)
            except exception.ManilaException:
                self._limit(place, None if before is None else before // _GIB)
                raise
            self._metadata.update(place, size=size, limit=size)

    def extend_share(self, share: Model, new_size: int, share_server: ShareServer = None) -> None:
        """Raise the limit to new_size GiB."""
        place = self._existing(share)
        with self._locks.data(place):
            self._set_size(place, int(new_size))

    def ensure_share(
        self, context: Any, share: Model, share_server: ShareServer = None
    ) -> list[dict[str, Any]]:
        """Return the export location, and see to it that the size is enforced.

        Raises ShareResourceNotFound if the subvolume vanished.
        """
        exports = super().ensure_share(context, share)
        self._ensure_limit(share_place(share))
        return exports

    def create_snapshot(
        self, context: Any, snapshot: Model, share_server: ShareServer = None
    ) -> dict[str, Any]:
        """Make a read-only clone, at one moment of the share.

        Raises ShareResourceNotFound, ShareBackendFull, and ShareBackendException for a share in
        which users have made subvolumes: a snapshot would not have what is in them.
        """
        update = super().create_snapshot(context, snapshot)
        exports = self._exports(snapshot_place(snapshot), snapshot["share"])
        return {**update, "export_locations": exports}

    def snapshot_update_access(
        self,
        context: Any,
        snapshot: Model,
        access_rules: Rules,
        add_rules: Rules,
        delete_rules: Rules,
        share_server: ShareServer = None,
    ) -> None:
        """Apply the rules of a snapshot; nobody may write to one, whatever a rule says.

        Raises SnapshotResourceNotFound, and InvalidSnapshotAccess for a rule that no export can
        follow: then none of add_rules is in force.
        """
        place = snapshot_place(snapshot)
        self._require_snapshot(place)
        refused = self._let_in(snapshot, place, access_rules)
        if refused:
            new = {access.access_id(rule) for rule in add_rules}
            old = [rule for rule in access_rules if access.access_id(rule) not in new]
            self._let_in(snapshot, place, old)
            raise exception.InvalidSnapshotAccess(reason=_shown(access_rules, refused))

    def update_share_usage_size(
        self, context: Any, shares: Sequence[Model]
    ) -> list[dict[str, Any]]:
        """Used GiB of each share that can be measured, as btrfs counts them."""
        try:
            self._groups.settle()
        except (exception.ShareBackendException, OSError) as error:
            LOG.warning("The usage of shares cannot be told: %s", error)
            return []
        return super().update_share_usage_size(context, shares)

    def get_backend_info(self, context: Any) -> dict[str, Any]:
        """What export locations are made of: when it changes, shares are ensured anew."""
        return {
            "btrfs_root": self._root.path,
            "btrfs_export_host": self._own("export_host") or "",
            "btrfs_export_helpers": self._own("export_helpers"),
        }

    def _hide_snapshot(self, place: Place) -> None:
        self._exporting.remove(place)

    def _let_in(self, snapshot: Model, place: Place, given: Rules) -> RuleUpdates:
        rules = [{**rule, "access_level": "ro"} for rule in given]
        updates = self._exporting.update_access(snapshot["share"], place, rules)
        self._metadata.update(place, access=access.kept(in_force(rules, updates)))
        return updates

    def _make_store(self) -> SubvolumeStore:
        self._commands = Commands(lambda *cmd, **kwargs: self._execute(*cmd, **kwargs))
        self._groups = QuotaGroups(self._root, self._commands)
        return SubvolumeStore(self._root, self._commands, self._groups)

    def _choose_limits(self) -> project_quota.Limits:
        """Raise ConfigurationError where quota groups cannot enforce sizes."""
        self._check_type()
        reason = self._groups.why_not()
        if reason:
            raise self._unusable(reason)
        return project_quota.NoLimits()

    def _check_type(self) -> None:
        found = project_quota.mount_of(self._root.path).type
        if found != "btrfs":
            raise self._unusable(f"it is on {found}, not on btrfs")

    def _unusable(self, reason: str) -> exception.ConfigurationError:
        return exception.ConfigurationError(
            section=self._section, option="btrfs_root", value=self._root.configured, reason=reason
        )

    def _capabilities(self) -> dict[str, Any]:
        return {
            **super()._capabilities(),
            "driver_name": "Btrfs",
            "mount_snapshot_support": True,
            "size_enforced": True,
        }

    def _preparation(self, place: Place, size: int | None) -> Prepare:
        """What limits a new subvolume to ``size`` GiB. A clone has its source's limit at first."""

        def prepare(path: str) -> None:
            self._groups.limit(self._groups.number(path), size)

        return prepare

    def _limit_while_replacing(self, before: int, size: int) -> int:
        """Each subvolume has a limit of its own."""
        return size

    def _set_size(self, place: Place, size: int) -> None:
        self._limit(place, size)
        self._metadata.update(place, size=size, limit=size)

    def _limit(self, place: Place, size: int | None) -> None:
        with told_as(f"limiting {place}", self._root.path):
            self._groups.limit(self._store.number(place), size)

    def _ensure_limit(self, place: Place) -> None:
        """Limits are gone after quotas were disabled, and lag behind after a kill."""
        try:
            with self._locks.data(place):
                known = self._metadata.read(place) or {}
                if known.get("size") is not None:
                    self._limit(place, int(known["size"]))
        except PlaceBusy:
            LOG.debug("Something works on %s, and will see to its limit", place)

    def _require_room(self, share: Model, place: Place, size: int) -> None:
        if self._store.used_bytes(place) > size * _GIB:
            raise exception.ShareShrinkingPossibleDataLoss(share_id=share["id"])

    def _used(self, place: Place) -> int:
        return self._store.counted_bytes(place)


def _shown(rules: Rules, refused: Mapping[str, Any]) -> str:
    found = [rule for rule in rules if access.access_id(rule) in refused]
    named = ", ".join(f"{rule['access_type']} {rule['access_to']}" for rule in found)
    return f"snapshots cannot be given to {named}"
