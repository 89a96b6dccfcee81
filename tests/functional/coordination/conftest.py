# SPDX-License-Identifier: Apache-2.0
"""Servers that give locks, each of its own for one test, and processes that hold locks."""

import contextlib
import shutil
import socket
import subprocess
import sys

import pytest
import tenacity

# What tooz grants is lost so many seconds after its holder died.
LEASE = 3

HOLDER = """
import sys
from manila_lite.volume.coordination import Coordinator

directory, url, name = sys.argv[1:]
with Coordinator(directory, url or None).hold(name):
    print("held", flush=True)
    sys.stdin.read()
print("released", flush=True)
"""


class Holder:
    """Another process that holds a lock."""

    def __init__(self, directory, url, name):
        command = [sys.executable, "-W", "ignore", "-c", HOLDER, str(directory), url or "", name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "held\n"

    def release(self):
        output, _ = self.process.communicate(timeout=30)
        assert output == "released\n"

    def kill(self):
        self.process.kill()
        self.process.wait(30)


@pytest.fixture
def hold():
    holders = []

    def build(directory, url, name):
        holders.append(Holder(directory, url, name))
        return holders[-1]

    yield build
    for holder in holders:
        with contextlib.suppress(ProcessLookupError):
            holder.kill()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@tenacity.retry(
    stop=tenacity.stop_after_delay(30),
    wait=tenacity.wait_fixed(0.05),
    retry=tenacity.retry_if_exception_type(OSError),
)
def wait_for(port):
    socket.create_connection(("127.0.0.1", port), timeout=1).close()


class Server:
    """A server on a port of its own that can be ended and started again."""

    def __init__(self, program, command, url, port):
        self._command = [program, *command]
        self._port = port
        self.url = url
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._port)

    def stop(self):
        self.process.kill()
        self.process.wait(30)


def redis_server(tmp_path):
    port = free_port()
    command = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    url = f"redis://127.0.0.1:{port}?lock_timeout={LEASE}&timeout={LEASE}"
    return "redis-server", command, url, port


def etcd_server(tmp_path):
    port, peer = free_port(), free_port()
    client = f"http://127.0.0.1:{port}"
    command = [
        "--data-dir", str(tmp_path / "etcd"),
        "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", f"http://127.0.0.1:{peer}",
        "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
        "--initial-cluster", f"default=http://127.0.0.1:{peer}",
    ]  # fmt: skip
    return "etcd", command, f"etcd3+http://127.0.0.1:{port}?lock_timeout={LEASE}", port


SERVERS = {"redis": redis_server, "etcd": etcd_server}


@pytest.fixture
def server(request, tmp_path):
    """The server that the test asks for by name."""
    program, command, url, port = SERVERS[request.param](tmp_path)
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    found = Server(shutil.which(program), command, url, port)
    found.start()
    yield found
    found.stop()
