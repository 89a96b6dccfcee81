# SPDX-License-Identifier: Apache-2.0
"""What network plugins keep in the database: allocations, and what they know of subnets.

The service gives its ledger to the plugins of the driver; drivers and plugins' interface know
nothing of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from manila_lite.clock import Clock
from manila_lite.db import network_allocations, share_networks
from manila_lite.db.records import Record
from manila_lite.db.session import Database
from manila_lite.network.base import NetworkBaseAPI

T = TypeVar("T")


class Ledger:
    """Allocations of share servers; the words are those of db.network_allocations."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of_server(self, server_id: str, label: str, subnet_id: str | None = None) -> list[Record]:
        """Return what a share server has, on one subnet or on all."""
        return self._database.run(
            lambda c: network_allocations.of_server(c, server_id, label, subnet_id), write=False
        )

    def allocate(
        self,
        server_id: str,
        label: str,
        subnet_id: str | None,
        *,
        count: int,
        network: str,
        candidates: Callable[[], Iterable[str]],
        columns: Mapping[str, Any],
    ) -> list[Record]:
        """Return ``count`` addresses of the server, that nobody else has; see allocate() there."""
        return self._write(
            lambda c: network_allocations.allocate(
                c,
                self._clock.now(),
                server_id=server_id,
                label=label,
                subnet_id=subnet_id,
                count=count,
                network=network,
                candidates=candidates(),
                columns=columns,
            )
        )

    def claim(
        self,
        server_id: str,
        label: str,
        subnet_id: str | None,
        addresses: Sequence[str],
        columns: Mapping[str, Any],
    ) -> None:
        """Note that the server has these addresses; raises IPAddressInUse."""
        self._write(
            lambda c: network_allocations.claim(
                c,
                self._clock.now(),
                server_id=server_id,
                label=label,
                subnet_id=subnet_id,
                addresses=addresses,
                columns=columns,
            )
        )

    def add(self, values: Mapping[str, Any]) -> Record:
        """Keep an allocation that something else has made, under its id there."""
        return self._write(lambda c: network_allocations.add(c, self._clock.now(), values))

    def get(self, allocation_id: str) -> Record | None:
        """Return a living allocation, or None."""
        return self._database.run(lambda c: network_allocations.get(c, allocation_id), write=False)

    def forget(self, allocations: Iterable[Mapping[str, Any]]) -> None:
        """Let allocations go: their addresses are free."""
        ids = [allocation["id"] for allocation in allocations]
        if ids:
            self._write(lambda c: network_allocations.delete(c, ids, self._clock.now()))

    def describe_subnet(self, subnet_id: str, columns: Mapping[str, Any]) -> None:
        """Keep in a share network subnet's row what its network is like."""
        self._write(
            lambda c: share_networks.describe_subnet(c, subnet_id, columns, self._clock.now())
        )

    def _write(self, work: Callable[[Connection], T]) -> T:
        return self._database.run(work)


def connect(driver: Any, database: Database, clock: Clock) -> None:
    """Give the driver's network plugins the database; those that are not ours have their own."""
    for name in ("network_api", "admin_network_api"):
        plugin = getattr(driver, name, None)
        if isinstance(plugin, NetworkBaseAPI):
            plugin.use_ledger(Ledger(database, clock))
