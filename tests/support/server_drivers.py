# SPDX-License-Identifier: Apache-2.0
"""A driver with share servers whose storage is the journal of its calls."""

import contextlib
import uuid

import sqlalchemy as sa

from manila_lite.db import models
from manila_lite.testing.drivers import ScriptedDriver

PATH = "tests.support.server_drivers.TenantDriver"
SECRET = "geheim-of-the-server"

#: What a back end's section and the network's have to say.
BACKEND = {
    "share_driver": PATH,
    "driver_handles_share_servers": True,
    "network_config_group": "tenants",
}
NETWORK = {
    "network_api_class": "manila.network.standalone_network_plugin.StandaloneNetworkPlugin",
    "standalone_network_plugin_gateway": "10.9.0.1",
    "standalone_network_plugin_mask": "24",
    "standalone_network_plugin_allowed_ip_ranges": "10.9.0.10-10.9.0.30",
}


class TenantDriver(ScriptedDriver):
    """As ScriptedDriver; a share's export has the address of the server that it is on.

    The journal knows servers by their ids.
    """

    MODES = True

    def get_network_allocations_number(self):
        return 1

    def _setup_server(self, network_info, metadata=None):
        info = network_info[0]
        with self._called("setup_server", info["server_id"]):
            [address] = [found["ip_address"] for found in info["network_allocations"]]
        return {"server": info["server_id"], "address": address, "password": SECRET}

    def _teardown_server(self, server_details, security_services=None):
        with self._called("teardown_server", server_details.get("server")):
            assert server_details["password"] == SECRET

    def create_share(self, context, share, share_server=None):
        super().create_share(context, share, share_server)
        return self._exports_on(share, share_server)

    def ensure_share(self, context, share, share_server=None):
        super().ensure_share(context, share, share_server)
        return self._exports_on(share, share_server)

    def ensure_shares(self, context, shares):
        return {
            share["id"]: {"export_locations": self._exports_on(share, share["share_server"])}
            for share in shares
        }

    def delete_share(self, context, share, share_server=None):
        assert share_server["id"] == share["share_server_id"]
        super().delete_share(context, share, share_server)

    @staticmethod
    def _exports_on(share, server):
        address = server["backend_details"]["address"]
        return [{"path": f"{address}:/{share['name']}", "is_admin_only": False, "metadata": {}}]

    @contextlib.contextmanager
    def _called(self, method, identity):
        self.journal_call(method, identity, "begin")
        self.wait_as_told(method)
        self.fail_as_told(method)
        yield
        self.journal_call(method, identity, "end")


def add_network(connection, project_id, now):
    """A share network with one default subnet, as the API makes it; return its id."""
    network = str(uuid.uuid4())
    owner = {"project_id": project_id, "user_id": "user", "status": "active"}
    row = {"id": network, "deleted": "False", "created_at": now, **owner}
    connection.execute(models.share_networks.insert(), row)
    subnet = {
        "id": str(uuid.uuid4()), "share_network_id": network, "deleted": "False",
        "created_at": now,
    }  # fmt: skip
    connection.execute(models.share_network_subnets.insert(), subnet)
    return network


def put_on_network(connection, instance_id, network):
    table = models.share_instances
    connection.execute(
        table.update().where(table.c.id == instance_id).values(share_network_id=network)
    )


def addresses_in_use(connection):
    """The addresses that living allocations have, sorted."""
    table = models.network_allocations
    query = sa.select(table.c.ip_address).where(table.c.deleted == "False")
    return sorted(connection.execute(query).scalars())
