# SPDX-License-Identifier: Apache-2.0
"""Manila's own drivers, from the manila package: `make manila` has an environment with it."""

import dataclasses
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.functional.cmd.conftest import Shell

collect_ignore_glob = [] if importlib.util.find_spec("manila") else ["test_*.py"]

DUMMY = "manila.tests.share.drivers.dummy.DummyDriver"
LUSTRE = "manila.share.drivers.lustre.driver.LustreShareDriver"
MOUNTED = Path("/dev/shm")


def network(first: str) -> dict[str, Any]:
    """A standalone network of one's own for share servers."""
    return {
        "network_api_class": "manila.network.standalone_network_plugin.StandaloneNetworkPlugin",
        "standalone_network_plugin_gateway": f"{first}.0.0.1",
        "standalone_network_plugin_mask": 24,
    }


def dummy(servers: bool) -> dict[str, dict[str, Any]]:
    """Sections of a configuration in which the dummy driver can do all that it can."""
    section = {
        "driver_handles_share_servers": servers,
        "dummy_driver_default_driver_method_delay": 0,
        "dummy_driver_driver_methods_delays": "",
    }
    if not servers:
        return {"alpha": section}
    section |= {**network("10"), "admin_network_config_group": "admin"}
    return {"alpha": section, "admin": network("11")}


@dataclasses.dataclass
class Lustre:
    """Directories on a real mount, and commands that keep what the driver says of them."""

    root: Path
    state: Path
    commands: Path

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.commands}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "LUSTRE_STATE": str(self.state)}

    @property
    def sections(self) -> dict[str, dict[str, Any]]:
        helper = Path(sys.executable).with_name("privsep-helper")
        return {
            "alpha": {
                "lustre_share_export_ip": "192.0.2.1",
                "lustre_fs_name": "tests",
                "lustre_mount_point": MOUNTED,
                "lustre_share_path_prefix": self.root.name,
            },
            "manila_sys_admin": {"helper_command": helper},
        }

    def known(self, what: str) -> dict[str, Any]:
        return json.loads(self.state.read_text()).get(what, {})

    def shares(self) -> list[Path]:
        return sorted(self.root.iterdir())

    def clients(self) -> dict[str, list[str]]:
        """{level: addresses} that the node maps let in."""
        found: dict[str, list[str]] = {}
        for name, nodemap in self.known("nodemaps").items():
            for nids in nodemap["ranges"]:
                found.setdefault(name[-2:], []).append(nids.partition("@")[0])
        return found


@pytest.fixture
def lustre(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("the driver's helper has to run as root")
    root = Path(tempfile.mkdtemp(prefix="manila-lite-tests-", dir=MOUNTED))
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in ("lctl", "lfs", "chattr"):
        (commands / name).write_text(
            f"#!{sys.executable}\n" + Path(__file__).with_name("lustre.py").read_text()
        )
        (commands / name).chmod(0o755)
    yield Lustre(root, tmp_path / "lustre.json", commands)
    shutil.rmtree(root)


@pytest.fixture
def start(daemons, tmp_path):
    """Start a daemon with a driver of Manila's; return its shell."""

    def start(driver, sections, environment=None, **default):
        backend = sections.pop("alpha")
        daemon = daemons(
            f"sqlite:///{tmp_path}/manila.sqlite",
            driver=driver,
            default=default,
            backend=backend,
            sections=sections,
        )
        daemon.start(**(environment or {}))
        daemon.wait_ready(60)
        return Shell(daemon.config)

    return start
