# SPDX-License-Identifier: Apache-2.0
"""Share servers in network namespaces, and clients on the same bridge."""

import contextlib
import secrets
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from manila_lite.conf import btrfs, exports, namespace, network, network_standalone
from manila_lite.share.drivers.namespace import NamespaceDriver
from manila_lite.testing import models
from tests.fixtures.export_servers import GANESHA_PROGRAMS, nfs_url, require

OPTS = [
    *btrfs.OPTS, *exports.OPTS, *namespace.OPTS, *network.OPTS, *network_standalone.OPTS,
]  # fmt: skip


class Site:
    """A driver's storage, and the machine around it; ``bridge`` is the driver's own."""

    def __init__(self, root: Path, directory: Path) -> None:
        self.root, self.directory = root, directory
        self.bridge = f"ml{secrets.token_hex(3)}"
        self._exits = contextlib.ExitStack()

    def options(self) -> dict:
        return {
            "driver_handles_share_servers": True,
            "btrfs_root": str(self.root),
            "namespace_dir": str(self.directory),
            "namespace_bridge": self.bridge,
        }

    def start(self) -> NamespaceDriver:
        """A driver as a process has it that has just started."""
        driver = models.driver(
            NamespaceDriver,
            OPTS,
            network_api_class="standalone",
            standalone_network_plugin_gateway="10.9.0.1",
            standalone_network_plugin_mask="24",
            **self.options(),
        )
        driver.do_setup(None)
        driver.check_for_setup_error()
        return driver

    def client(self, *addresses: str, vlan: int | None = None) -> "Client":
        """A machine of a project; it is gone with the site."""
        name = f"mlc-{secrets.token_hex(4)}"
        client = Client(name, addresses)
        bridge = self.bridge if vlan is None else f"{self.bridge}.{vlan}"
        _ip("netns", "add", name)
        self._exits.callback(_ip, "netns", "delete", name)
        outside = f"mlc{secrets.token_hex(4)}"
        _ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", outside, "master", bridge, "up")
        for address in addresses:
            _ip("-netns", name, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-netns", name, "link", "set", "eth0", "up")
        return client

    def close(self) -> None:
        """Tear down whatever a test left: processes, namespaces, mounts, bridges."""
        try:
            driver = self.start()
            for path in self.directory.glob("*/server.json"):
                driver.teardown_server(server_details={"server_id": path.parent.name})
        finally:
            self._exits.close()
            for path in Path("/sys/class/net").glob(f"{self.bridge}*"):
                _ip("link", "delete", path.name)


class Client:
    """A namespace with addresses; the first one is where it connects from."""

    def __init__(self, name: str, addresses: tuple[str, ...]) -> None:
        self._enter = ["nsenter", f"--net=/run/netns/{name}"]
        self.address = addresses[0]

    def ls(self, location: str) -> list[str] | str:
        done = self._run("nfs-ls", nfs_url(location))
        if done.returncode:
            return done.stderr + done.stdout
        return sorted(line.split()[-1] for line in done.stdout.splitlines())

    def write(self, location: str, name: str, source: Path) -> str:
        done = self._run("nfs-cp", source, nfs_url(location, name))
        return "" if done.returncode == 0 else done.stderr + done.stdout

    def _run(self, *command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._enter, *map(str, command)], capture_output=True, text=True, timeout=30
        )


def _ip(*command: str) -> None:
    subprocess.run(["ip", *command], check=True, capture_output=True)


@pytest.fixture
def site(btrfs_root: Path) -> Iterator[Site]:
    require({**GANESHA_PROGRAMS, "btrfs": "btrfs-progs"})
    # The path of a socket is at most 107 characters long.
    directory = Path(tempfile.mkdtemp(prefix="mlns-"))
    made = Site(btrfs_root, directory)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(directory)


@pytest.fixture
def driver(site: Site) -> NamespaceDriver:
    return site.start()


def info(address: str, *, vlan: int | None = None, **values: object) -> list[dict]:
    """What the manager says of one server's networks."""
    kind = "flat" if vlan is None else "vlan"
    network = {"network_type": kind, "segmentation_id": vlan, "cidr": "10.9.0.0/24"}
    allocation = {**network, "ip_address": address, "gateway": "10.9.0.1", "mtu": 1400}
    whole = {
        **network,
        "server_id": str(uuid.uuid4()),
        "security_services": [],
        "network_allocations": [allocation],
        "admin_network_allocations": [],
        "backend_details": {},
        **values,
    }
    return [whole]
