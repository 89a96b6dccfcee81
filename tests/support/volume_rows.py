# SPDX-License-Identifier: Apache-2.0
"""Rows of volumes and their snapshots, as Cinder's API would make them."""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy as sa

from manila_lite.db import models, volume_creation, volume_snapshots, volumes
from manila_lite.db.records import Record
from manila_lite.db.session import Database

HOST = "host@nfs"
POOL = f"{HOST}#pool"
PROJECT, USER = "project", "user"
NOW = datetime.datetime(2026, 5, 6, 7, 8, 9)

__all__ = ["HOST", "NOW", "POOL", "PROJECT", "USER", "VolumeRows"]


class VolumeRows:
    """Makes and reads rows in a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add_volume(self, status: str = "creating", **options: Any) -> Record:
        """Insert a volume of 5 GiB and return it, complete."""
        values = {"host": POOL, "size": 5, "project_id": PROJECT, "user_id": USER, **options}
        with self.database.writer() as connection:
            made = volume_creation.new_volume(connection, NOW, status=status, **values)
        return self.volume(made["volume_id"])

    def add_snapshot(self, volume: Record, status: str = "creating", **options: Any) -> Record:
        """Insert a snapshot and return it, with its volume."""
        with self.database.writer() as connection:
            made = volume_creation.new_snapshot(connection, NOW, volume, status=status, **options)
        return self.snapshot(made["snapshot_id"])

    def volume(self, volume_id: str) -> Record:
        """The complete volume; an error when there is none."""
        with self.database.reader() as connection:
            found = volumes.get_volume(connection, volume_id)
        assert found is not None
        return found

    def snapshot(self, snapshot_id: str) -> Record:
        """The snapshot with its volume; an error when there is none."""
        with self.database.reader() as connection:
            found = volume_snapshots.get_snapshot(connection, snapshot_id)
        assert found is not None
        return found

    def row(self, table: sa.Table, row_id: str) -> Record:
        """A row, deleted or not."""
        with self.database.reader() as connection:
            return Record.of(connection.execute(sa.select(table).filter_by(id=row_id)).one())

    def force(self, resource: Record, **values: Any) -> None:
        """Change a row past all rules: what an administrator's reset does."""
        table = models.snapshots if "volume_id" in resource else models.volumes
        with self.database.writer() as connection:
            connection.execute(table.update().filter_by(id=resource["id"]).values(**values))
