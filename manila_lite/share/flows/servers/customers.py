# SPDX-License-Identifier: Apache-2.0
"""What is put on a share server: a new share instance, or a new share group."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite.db import models, share_groups
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record


@dataclasses.dataclass(frozen=True)
class Customer:
    """What is to be put on a server: which rows say so, and which question the driver is asked."""

    id: str
    table: ClassVar[sa.Table]

    def read(self, connection: Connection, template: str) -> Record | None:
        """Return the row as it is now: share_server_id, share_network_id, zone, host."""
        raise NotImplementedError

    def choose(self, driver: Any, context: Any, servers: list[Record], row: Record) -> Any:
        """Ask the driver for one of the servers; None: it wants a new one."""
        raise NotImplementedError

    def share_type_id(self, row: Record) -> str | None:
        """The share type that a new server is made for."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class NewShare(Customer):
    """A share instance; snapshot: what it is made from; network_id: other than its row's."""

    snapshot: Record | None = None
    network_id: str | None = None
    table: ClassVar[sa.Table] = models.share_instances

    def read(self, connection: Connection, template: str) -> Record | None:
        row = share_rows.get_instance(connection, self.id, template)
        if row is None:
            return None
        row["share_network_id"] = self.network_id or row["share_network_id"]
        if row["share_group_id"] is not None:
            row["share_group"] = share_groups.get_group(connection, row["share_group_id"])
        return row

    def choose(self, driver: Any, context: Any, servers: list[Record], row: Record) -> Any:
        return driver.choose_share_server_compatible_with_share(
            context, servers, row, snapshot=self.snapshot, share_group=row.get("share_group")
        )

    def share_type_id(self, row: Record) -> str | None:
        found: str | None = row["share_type_id"]
        return found


@dataclasses.dataclass(frozen=True)
class NewGroup(Customer):
    """A share group; group_snapshot: what it is made from."""

    group_snapshot: Any = None
    table: ClassVar[sa.Table] = models.share_groups

    def read(self, connection: Connection, template: str) -> Record | None:
        return share_groups.get_group(connection, self.id)

    def choose(self, driver: Any, context: Any, servers: list[Record], row: Record) -> Any:
        return driver.choose_share_server_compatible_with_share_group(
            context, servers, row, share_group_snapshot=self.group_snapshot
        )

    def share_type_id(self, row: Record) -> str | None:
        types = row.get("share_types") or ()
        return types[0]["share_type_id"] if types else None
