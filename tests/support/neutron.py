# SPDX-License-Identifier: Apache-2.0
"""A small Neutron on a real socket: networks, subnets, and ports that it numbers."""

import itertools
import json
import urllib.parse
import uuid

from tests.support.http_servers import LoopbackServer

NETWORK = "11111111-0000-4000-8000-000000000001"
SUBNET = "11111111-0000-4000-8000-000000000002"
PREFIX = "/v2.0"


class Neutron(LoopbackServer):
    """ports: {id: port}. script: answers (status, body) that come before everything else."""

    def __init__(self):
        super().__init__()
        self.ports = {}
        self.script = []
        self._numbers = itertools.count(10)
        self.networks = {
            NETWORK: {
                "id": NETWORK, "mtu": 1450, "subnets": [SUBNET],
                "provider:network_type": "vxlan", "provider:segmentation_id": 77,
                "provider:physical_network": None,
            }
        }  # fmt: skip
        self.subnets = {
            SUBNET: {
                "id": SUBNET, "network_id": NETWORK, "cidr": "192.168.5.0/24",
                "gateway_ip": "192.168.5.1", "ip_version": 4,
            }
        }  # fmt: skip

    def take(self, asked, handler):
        self.asked.append(asked)
        url = urllib.parse.urlsplit(asked.path)
        if not url.path.startswith(f"{PREFIX}/"):
            return handler.answer(200, self._versions())
        if self.script:
            return self.script.pop(0)(self, handler)
        kind, _, name = url.path.removeprefix(f"{PREFIX}/").partition("/")
        query = dict(urllib.parse.parse_qsl(url.query))
        return handler.answer(*self._answer(asked, kind, name, query))

    def _answer(self, asked, kind, name, query):
        table = {"networks": self.networks, "subnets": self.subnets, "ports": self.ports}[kind]
        if asked.method == "POST":
            return 201, {"port": self.make_port(**asked.json["port"])}
        if asked.method == "DELETE":
            return (204,) if table.pop(name, None) else missing(kind)
        if name:
            return (200, {kind[:-1]: table[name]}) if name in table else missing(kind)
        return 200, {kind: [row for row in table.values() if matches(row, query)]}

    def make_port(self, **wanted):
        number = next(self._numbers)
        subnet = wanted["fixed_ips"][0]["subnet_id"]
        address = wanted["fixed_ips"][0].get("ip_address", f"192.168.5.{number}")
        port = {
            "id": str(uuid.UUID(int=number)), "mac_address": f"fa:16:3e:00:00:{number:02x}",
            **wanted, "fixed_ips": [{"subnet_id": subnet, "ip_address": address}],
        }  # fmt: skip
        self.ports[port["id"]] = port
        return port

    def _versions(self):
        links = [{"rel": "self", "href": f"{self.url}{PREFIX}/"}]
        return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]}

    def sent(self, method):
        """The requests of one method to Neutron's own paths."""
        return [a for a in self.asked if a.method == method and a.path.startswith(PREFIX)]


def matches(row, query):
    return all(str(row.get(key)) == value for key, value in query.items())


def missing(kind):
    return 404, {"NeutronError": {"type": f"{kind}NotFound", "message": "no such", "detail": ""}}


def refusal(status, kind, message="no"):
    """A step of the script: an error in Neutron's words."""
    body = json.dumps({"NeutronError": {"type": kind, "message": message, "detail": ""}}).encode()
    return lambda server, handler: handler.answer(status, body)
