# SPDX-License-Identifier: Apache-2.0
"""A site whose back end handles share servers: a recording driver, and a network plugin that
counts addresses up."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from manila_lite.db import models
from manila_lite.db.records import Record
from manila_lite.db.session import Database
from manila_lite.share.configuration import Configuration
from tests.support.shares import HOST, PROJECT, USER, RecordingDriver, Site, _recorded

__all__ = ["CountingNetwork", "ServerDriver", "ServerSite"]

ADDRESS = "10.0.0.{}"

_METHODS = (
    "choose_share_server_compatible_with_share", "choose_share_server_compatible_with_share_group",
    "_setup_server", "_teardown_server", "get_share_server_network_info", "manage_server",
    "unmanage_server", "update_share_server_security_service",
    "check_update_share_server_security_service", "update_share_server_network_allocations",
    "check_update_share_server_network_allocations", "update_share_network_subnet_from_metadata",
)  # fmt: skip


class CountingNetwork:
    """The part of a network plugin that flows see; writes rows as a real one does."""

    def __init__(self, database: Database, label: str) -> None:
        self.database = database
        self.label = label
        self.error: Exception | None = None
        self.told: list[str] = []
        self.unmanaged: list[str] = []

    enabled_ip_versions = frozenset({4})

    def allocate_network(
        self, context: Any, share_server: Mapping[str, Any], share_network: Any = None,
        share_network_subnet: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        if self.error is not None:
            raise self.error
        subnet_id = share_network_subnet and share_network_subnet["id"]
        for _ in range(kwargs["count"]):
            self._insert(share_server["id"], subnet_id, ADDRESS.format(len(self._rows()) + 1))

    def _insert(self, server_id: str, subnet_id: str | None, address: str) -> None:
        row = {
            "id": str(uuid.uuid4()), "share_server_id": server_id, "label": self.label,
            "share_network_subnet_id": subnet_id, "ip_address": address, "deleted": "False",
        }  # fmt: skip
        with self.database.writer() as connection:
            connection.execute(models.network_allocations.insert(), row)

    def _rows(self) -> Sequence[Any]:
        with self.database.reader() as connection:
            return connection.execute(sa.select(models.network_allocations)).all()

    def deallocate_network(
        self, context: Any, share_server_id: str, share_network: Any = None,
        share_network_subnet: Any = None,
    ) -> None:  # fmt: skip
        table = models.network_allocations
        with self.database.writer() as connection:
            connection.execute(
                table.update()
                .where(table.c.share_server_id == share_server_id, table.c.deleted == "False")
                .values(deleted=table.c.id)
            )

    def update_network_allocation(self, context: Any, share_server: Mapping[str, Any]) -> None:
        self.told.append(share_server["id"])

    def manage_network_allocations(
        self, context: Any, allocations: Sequence[str], share_server: Mapping[str, Any],
        share_network: Any = None, share_network_subnet: Any = None,
    ) -> list[str]:  # fmt: skip
        strange = [address for address in allocations if not self._is_mine(address)]
        for address in allocations:
            if address not in strange:
                subnet_id = share_network_subnet and share_network_subnet["id"]
                self._insert(share_server["id"], subnet_id, address)
        return strange

    def _is_mine(self, address: str) -> bool:
        return address.startswith("10." if self.label == "user" else "192.")

    def unmanage_network_allocations(self, context: Any, share_server_id: str) -> None:
        self.unmanaged.append(share_server_id)
        self.deallocate_network(context, share_server_id)

    def include_network_info(self, share_network_subnet: dict[str, Any]) -> None:
        share_network_subnet["network_type"] = "flat"


class ServerDriver(RecordingDriver):
    """RecordingDriver with share servers; it wants one address for each subnet."""

    modes = True
    network_api: Any

    def __init__(self, configuration: Configuration, database: Database) -> None:
        self._database = database
        super().__init__(configuration)
        self.allocations, self.admin_allocations = 1, 0
        self.answers |= {
            "choose_share_server_compatible_with_share": lambda context, servers, *args, **kwargs: (
                servers[0]
            ),
            "choose_share_server_compatible_with_share_group": lambda context, servers, *a, **k: (
                servers[0]
            ),
            "_setup_server": {"name": "server-on-the-storage"},
            "_teardown_server": None,
        }

    def _set_up_networks(self) -> None:
        self.network_api = CountingNetwork(self._database, "user")
        self._admin_network_api: Any = CountingNetwork(self._database, "admin")

    def get_network_allocations_number(self) -> int:
        return self.allocations

    def get_admin_network_allocations_number(self) -> int:
        return self.admin_allocations


for _name in _METHODS:
    setattr(ServerDriver, _name, _recorded(_name))


class ServerSite(Site):
    """A back end with share servers, and one share network with a default subnet."""

    driver: ServerDriver

    def __init__(self, database: Database | None = None, policy: str | None = None) -> None:
        super().__init__(database, policy)
        self.conf.set_override("driver_handles_share_servers", True, group="backend")
        self.conf.clear_override("delete_share_server_with_last_share")
        configuration = Configuration([], config_group="backend", conf=self.conf)
        self.driver = ServerDriver(configuration, self.database)
        self.environment.driver = self.driver
        self.network = self.add_network()

    def add_network(self, name: str = "network", zone: str | None = None, **columns: Any) -> str:
        network = {
            "id": name, "project_id": PROJECT, "user_id": USER, "status": "active",
            "deleted": "False", "created_at": self.clock.now(),
        }  # fmt: skip
        with self.database.writer() as connection:
            connection.execute(models.share_networks.insert(), network)
        self.add_subnet(name, f"{name}-subnet", zone, **columns)
        return name

    def add_subnet(self, network: str, name: str, zone: str | None = None, **columns: Any) -> str:
        subnet = {
            "id": name, "share_network_id": network, "availability_zone_id": zone,
            "deleted": "False", "created_at": self.clock.now(), **columns,
        }  # fmt: skip
        with self.database.writer() as connection:
            connection.execute(models.share_network_subnets.insert(), subnet)
        return name

    def add_security_service(self, name: str = "ldap", network: str | None = "network") -> str:
        service = {
            "id": name, "project_id": PROJECT, "type": name.partition("-")[0], "user": "admin",
            "password": f"secret of {name}", "deleted": "False",
        }  # fmt: skip
        with self.database.writer() as connection:
            connection.execute(models.security_services.insert(), service)
            if network is not None:
                link = {
                    "share_network_id": network, "security_service_id": name, "deleted": 0,
                }  # fmt: skip
                connection.execute(models.share_network_security_service_association.insert(), link)
        return name

    def add_networked_share(self, network: str | None = "network", **options: Any) -> Record:
        columns = {"share_network_id": network, **options.pop("columns", {})}
        share = self.add_share(columns=columns, **options)
        if "status" not in options:
            with self.database.writer() as connection:
                self._set(
                    connection, models.share_instances, share["instance_id"], "creating", columns
                )
        return share

    def create(self, share: Record, seconds: float = 3, **options: Any) -> dict[str, Any]:
        return self.do(
            "create_share_instance",
            seconds=seconds,
            share_instance_id=share["instance_id"],
            request_spec={"share_id": share["share_id"]},
            filter_properties={},
            **options,
        )

    def cast_create(self, share: Record, **options: Any) -> str:
        return self.cast(
            "create_share_instance",
            share_instance_id=share["instance_id"],
            request_spec={"share_id": share["share_id"]},
            filter_properties={},
            **options,
        )

    def made(self, **options: Any) -> tuple[Record, Record]:
        """A share that was created, and the server that it is on."""
        share = self.add_networked_share(**options)
        self.create(share)
        return share, self.server_of(share)

    def servers(self) -> list[Record]:
        return self.rows(models.share_servers, deleted="False")

    def server(self, server_id: str) -> Record:
        return self.rows(models.share_servers, id=server_id)[0]

    def server_of(self, share: Record) -> Record:
        return self.server(self.instance(share)["share_server_id"])

    def add_server(self, status: str = "active", **columns: Any) -> str:
        from manila_lite.db import share_server_changes

        with self.database.writer() as connection:
            return share_server_changes.new_server(
                connection, self.clock.now(), host=HOST, subnet_ids=["network-subnet"],
                status=status, **columns,
            )  # fmt: skip

    def details(self, server_id: str) -> dict[str, str]:
        table = models.share_server_backend_details
        found = self.rows(table, share_server_id=server_id, deleted="False")
        return {row["key"]: row["value"] for row in found}

    def addresses(self, server_id: str) -> list[tuple[str, str]]:
        table = models.network_allocations
        found = self.rows(table, share_server_id=server_id, deleted="False")
        return [(row["label"], row["ip_address"]) for row in found]
