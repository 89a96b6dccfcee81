# SPDX-License-Identifier: Apache-2.0
"""Share servers of the namespace driver, their processes, and what may be left of them."""

import os
import signal
from pathlib import Path

from manila_lite.share.drivers.namespace.records import Server
from manila_lite.testing import models
from tests.fixtures.daemon import poll
from tests.fixtures.namespaces import info


def set_up(driver, address: str, **values) -> dict:
    """A share server, as the manager hands it to drivers."""
    network = info(address, **values)
    details = driver.setup_server(network, metadata={})
    return {"id": network[0]["server_id"], "backend_details": details, "info": network}


def share_on(driver, server: dict, *rules: dict) -> tuple[dict, str]:
    share = models.share(share_server_id=server["id"])
    (location,) = driver.create_share(None, share, share_server=server)
    driver.update_access(None, share, list(rules), list(rules), [], share_server=server)
    return share, location["path"]


def pids(site, server) -> list[int]:
    directory = site.directory / server["id"]
    return [int((directory / f"{name}.pid").read_text()) for name in ("bus", "ganesha")]


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    poll(lambda: not lives(process), f"the end of process {process}")


def lives(process: int) -> bool:
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes(site, server) -> list[int]:
    """All that have the server's directory in their command line."""
    directory = os.fsencode(site.directory / server["id"])
    entries = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [process for process in entries if directory in command_line(process)]


def command_line(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def assert_up(site, server) -> None:
    """One bus, and one Ganesha in the namespace that has the server's name."""
    assert sorted(processes(site, server)) == sorted(pids(site, server))
    assert is_inside(server, pids(site, server)[1])


def is_inside(server, process: int) -> bool:
    namespace = server["backend_details"]["namespace"]
    return os.path.samefile(f"/run/netns/{namespace}", f"/proc/{process}/ns/net")


def assert_nothing_left(site, server) -> None:
    known = Server(server["id"], str(site.directory / server["id"]), ())
    poll(lambda: not processes(site, server), "the end of all processes")
    assert not os.path.exists(f"/run/netns/{known.namespace}")
    assert list(Path("/sys/class/net").glob(f"{known.host_devices}*")) == []
    assert known.directory not in Path("/proc/self/mountinfo").read_text()
    assert not os.path.exists(known.directory)
