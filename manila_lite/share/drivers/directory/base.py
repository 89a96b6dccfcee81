# SPDX-License-Identifier: Apache-2.0
"""What the families of the driver's methods have in common: their parts, and how they are used."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any, ClassVar

from oslo_config import cfg

from manila_lite import exception
from manila_lite.clock import Clock, SystemClock
from manila_lite.conf import directory as options
from manila_lite.share.driver import ExecuteMixin, ShareDriver
from manila_lite.share.driver.base import Model
from manila_lite.share.drivers.directory import quota
from manila_lite.share.drivers.directory.exports import Exports
from manila_lite.share.drivers.directory.locks import Locks
from manila_lite.share.drivers.directory.metadata import MetadataStore
from manila_lite.share.drivers.directory.paths import Kind, Place, Root
from manila_lite.share.drivers.directory.progress import CopyProgress
from manila_lite.share.drivers.directory.staging import Prepare
from manila_lite.share.drivers.directory.store import Store, Trees
from manila_lite.share.drivers.exports import build

LOG = logging.getLogger(__name__)


def share_place(share: Model) -> Place:
    """Where a share lies. Raises PathRefused for a name that is no file name."""
    return Place(Kind.SHARE, share["name"])


def snapshot_place(snapshot: Model) -> Place:
    """Where a snapshot lies. Raises PathRefused."""
    return Place(Kind.SNAPSHOT, snapshot["name"])


class DirectoryBase(ExecuteMixin, ShareDriver):
    """Construction, set-up, and what every method does first or last.

    Another file system's driver derives from this one: it names its options alike, with a prefix
    of its own, and replaces ``_make_store`` and what limits sizes.
    """

    _PREFIX: ClassVar[str] = "directory"
    _OPTS: ClassVar[list[cfg.Opt]] = options.OPTS
    _SHARE_SERVERS: ClassVar[bool] = False
    _store: Trees

    def __init__(self, *args: Any, clock: Clock | None = None, **kwargs: Any) -> None:
        """As every share driver; ``clock`` is for tests."""
        opts = [*kwargs.pop("config_opts", []), self._OPTS]
        super().__init__(self._SHARE_SERVERS, *args, config_opts=opts, **kwargs)
        self._clock = clock or SystemClock()
        section = getattr(self.configuration, "config_group", None) or "DEFAULT"
        self._section = section
        self._root = Root(self._own("root"), section, f"{self._PREFIX}_root")
        self._locks = Locks(self._root)
        self._metadata = MetadataStore(self._root, self._locks)
        self._progress = CopyProgress()
        self._store = self._make_store()
        self._exporting = self._make_exports()
        self._limits: quota.Limits = quota.NoLimits()

    def do_setup(self, context: Any) -> None:
        """Make the layout under the root, and find out what its file system can do.

        Raises ConfigurationError, which names option and value, for a root that cannot serve.
        """
        self._root.create_layout()
        self._limits = self._choose_limits()
        reflinks = self._store.probe()
        LOG.info("Shares are directories in %s; reflinks: %s", self._root.path, reflinks)

    def check_for_setup_error(self) -> None:
        """Raise ConfigurationError, or InvalidParameterValue, for what makes service impossible."""
        super().check_for_setup_error()
        self._root.check()
        self._choose_limits()
        self._exporting.check()
        self._check_backup_root()

    def _check_backup_root(self) -> None:
        """Nothing to check for drivers without backups."""

    def copy_progress(self, name: str) -> int | None:
        """Percent, 0 to 99, of the copy that makes this share or snapshot; None when none does."""
        return self._progress.percent(name)

    def _setting(self, name: str) -> Any:
        return self.configuration.safe_get(name)

    def _own(self, name: str) -> Any:
        """One of this driver's own options, by its name without the prefix."""
        return self._setting(f"{self._PREFIX}_{name}")

    def _make_exports(self) -> Exports:
        host = self._own("export_host") or socket.gethostname()
        helpers = build(
            self._own("export_helpers") or (),
            self.configuration,
            lambda *command, **kwargs: self._execute(*command, **kwargs),
            [host],
            f"{self._PREFIX}_export_helpers",
        )
        return Exports(self._root, host, helpers)

    def _make_store(self) -> Trees:
        return Store(self._root, self._progress)

    def _choose_limits(self) -> quota.Limits:
        if self._setting("directory_enforce_size") != "project_quota":
            return quota.NoLimits()
        mount = quota.mount_of(self._root.path)
        reason = quota.why_not(mount, self._root.path)
        if reason:
            raise exception.ConfigurationError(
                section=self._section, option="directory_enforce_size", value="project_quota",
                reason=reason,
            )  # fmt: skip
        return quota.ProjectQuota(self._root, self._locks, mount, self._execute)

    def _exports(self, place: Place, share: Model | None = None) -> list[dict[str, Any]]:
        """Export locations of a share's or snapshot's data, which are exported with the rules kept.

        share: whose protocol counts; None exports nothing. Raises what export helpers raise.
        """
        kept = (self._metadata.read(place) or {}).get("access")
        return self._exporting.ensure(share, place, kept)

    def _existing(self, share: Model) -> Place:
        """The place of a share that has data. Raises ShareResourceNotFound, and logs where."""
        place = share_place(share)
        if not self._store.exists(place):
            LOG.error("Share %s is gone: %s", share["id"], self._root.data_path(place))
            raise exception.ShareResourceNotFound(share_id=share["id"])
        return place

    def _is_made(self, place: Place) -> bool:
        """Whether an earlier call has made the place already. The caller holds its lock.

        Raises ShareBackendException for data that this driver did not make: they are somebody's.
        """
        if not self._store.exists(place):
            return False
        self._refuse_foreign(place)
        return True

    def _refuse_foreign(self, place: Place) -> None:
        if self._store.exists(place) and self._metadata.read(place) is None:
            raise exception.ShareBackendException(
                msg=f"{self._root.data_path(place)} was not made by this driver (it has no "
                "metadata); move it away, or manage it"
            )

    @contextlib.contextmanager
    def _making(self, place: Place, **values: Any) -> Iterator[Prepare]:
        """Know of a place before it has data, and forget it when making it failed.

        Yields what prepares a new tree for the limit of ``size`` GiB, where sizes are enforced.
        """
        self._metadata.update(place, **values)
        try:
            yield self._preparation(place, values.get("limit"))
        except Exception:
            if not self._store.exists(place):
                self._forget(place)
            raise

    def _preparation(self, place: Place, size: int | None) -> Prepare:
        """What gives a new tree its project and limit in GiB; None for no limit."""
        if size is None or not self._limits.enforced:
            return lambda path: None

        def prepare(path: str) -> None:
            project = self._project(place) or self._new_project(place)
            self._limits.assign(path, project)
            self._limits.limit(project, size)

        return prepare

    def _set_size(self, place: Place, size: int) -> None:
        """Record a size in GiB, and enforce it where sizes are enforced.

        A tree that was made before they were gets its project now.
        """
        if self._limits.enforced:
            project = self._project(place)
            if project is None:
                self._preparation(place, size)(self._root.data_path(place))
            else:
                self._limits.limit(project, size)
        self._metadata.update(place, size=size, limit=size)

    def _limit_while_replacing(self, before: int, size: int) -> int:
        """GiB for the new tree: until the old data are gone, both count to the share."""
        return before + size

    def _project(self, place: Place) -> int | None:
        project = (self._metadata.read(place) or {}).get("project_id")
        return None if project is None else int(project)

    def _new_project(self, place: Place) -> int:
        project = self._limits.new_project()
        self._metadata.update(place, project_id=project)
        return project

    def _forget(self, place: Place) -> None:
        project = self._project(place) if self._limits.enforced else None
        if project is not None:
            self._limits.limit(project, 0)
        self._metadata.remove(place)
