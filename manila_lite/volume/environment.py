# SPDX-License-Identifier: Apache-2.0
"""What a volume flow finds around it, beyond what every flow does: volumes, images and Nova."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from oslo_config import cfg
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.clock import Clock
from manila_lite.db import services, volume_overview, volume_snapshots, volumes
from manila_lite.db.records import Record
from manila_lite.db.session import Database
from manila_lite.db.together import Together
from manila_lite.environment import Environment
from manila_lite.scheduler import volume_capabilities
from manila_lite.volume.configuration import Configuration


class Nova(Protocol):
    """What is asked of Nova; compute.API does it."""

    def create_volume_snapshot(
        self, context: Any, volume_id: str, create_info: Mapping[str, Any]
    ) -> Any: ...

    def delete_volume_snapshot(
        self, context: Any, snapshot_id: str, delete_info: Mapping[str, Any]
    ) -> Any: ...


@dataclasses.dataclass(kw_only=True)
class VolumeEnvironment(Environment):
    """The surroundings of one volume back end's flows.

    nova: None where snapshots of attached volumes are not served. images: the image service.
    """

    binary: ClassVar[str] = services.VOLUME_BINARY
    service_name: ClassVar[str] = "volume"

    nova: Nova | None = None
    images: Any = None

    @classmethod
    def build(
        cls,
        *,
        database: Database,
        conf: cfg.ConfigOpts,
        host: str,
        backend: str,
        clock: Clock,
        configuration: Configuration,
    ) -> VolumeEnvironment:
        """Put an environment together that lacks its driver and what lies beyond the process."""
        return cls(
            db=database,
            conf=conf,
            host=host,
            backend=backend,
            clock=clock,
            configuration=configuration,
        )

    @property
    def topic(self) -> str:
        return str(self.conf.volume_topic)

    def report(self) -> dict[str, Any] | None:
        stats = self.driver.get_volume_stats(refresh=True)
        name = self.configuration.safe_get("volume_backend_name") or self.backend
        return volume_capabilities.complete(stats, name, self.allocated()) if stats else None

    def allocated(self) -> dict[str, int]:
        """GiB of all volumes by pool, as the schedulers' filters count them."""
        return self.db.run(
            lambda connection: volume_overview.allocated_by_pool(connection, self.host), write=False
        )

    # -- rows ----------------------------------------------------------------------------------

    @functools.cached_property
    def volumes(self) -> Together[Record]:
        """Volumes by id, complete: with metadata, type and attachments."""

        def read(connection: Connection, ids: Any) -> Mapping[str, Record]:
            return volumes.get_volumes(connection, ids, self.volume_name_template)

        return Together(lambda ids: self.db.run(lambda c: read(c, ids), write=False))

    @functools.cached_property
    def snapshot_words(self) -> Together[tuple[str, str | None]]:
        """(status, progress) of snapshots by id: what Nova has said of them last.

        Thousands of waits ask for it again and again, so those that ask together share a query.
        """

        def read(connection: Connection, ids: Any) -> Mapping[str, tuple[str, str | None]]:
            return volume_overview.words_of(connection, ids)

        return Together(lambda ids: self.db.run(lambda c: read(c, ids), write=False))

    def snapshot(self, snapshot_id: str) -> Record | None:
        """Return a snapshot with its volume, or None."""

        def read(connection: Connection) -> Record | None:
            return volume_snapshots.get_snapshot(
                connection, snapshot_id, self.snapshot_name_template, self.volume_name_template
            )

        return self.db.run(read, write=False)

    @property
    def volume_name_template(self) -> str:
        return str(self.conf.volume_name_template)

    @property
    def snapshot_name_template(self) -> str:
        return str(self.conf.snapshot_name_template)


class DriverDatabase:
    """The database as a volume driver knows it: the seed's drivers ask for one thing only."""

    def __init__(self, environment: VolumeEnvironment) -> None:
        self._environment = environment

    def snapshot_get(self, context: Any, snapshot_id: str) -> Mapping[str, Any]:
        """Return status and progress of a snapshot. Raises SnapshotNotFound."""
        found = self._environment.snapshot_words.get(snapshot_id)
        if found is None:
            raise exception.SnapshotNotFound(snapshot_id=snapshot_id)
        status, progress = found
        return Record(id=snapshot_id, status=status, progress=progress)
