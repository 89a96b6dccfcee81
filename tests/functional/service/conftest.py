# SPDX-License-Identifier: Apache-2.0
"""One daemon with two back ends for all tests of a module, and those who cast to it."""

import contextlib
import functools
import os
from pathlib import Path

import pytest

from manila_lite.conf import load
from manila_lite.testing.drivers import CallJournal
from tests.fixtures.daemon import Daemon, poll
from tests.fixtures.databases import KINDS, fresh_url
from tests.fixtures.rabbitmq import lent_broker
from tests.functional.service.casting import ApiSender, RawSender
from tests.functional.service.rows import Rows

ROOT = Path(__file__).parents[3]
DRIVER = "tests.functional.service.drivers.ObedientDriver"
HOST = "mbase"  # as in the recordings
ALPHA = f"{HOST}@alpha#fake_pool_for_alpha"
BETA = f"{HOST}@beta#beta"

#: Nobody waits for a timer that a test can have sooner.
EAGER = {
    "reconcile_interval": 1,
    "lease_seconds": 5,
    "poll_interval": 0.05,
    "sweep_interval": 0.2,
    "retry_policy": "driver initial_interval=0.05 backoff_coefficient=1 maximum_interval=0.05 "
    "maximum_attempts=3",
}
BUSY = {"report_interval": 1, "periodic_interval": 2, "periodic_deferred_delete_interval": 1}


class Service:
    """A daemon, and all that its users and its operator can see of it.

    alpha obeys the shares' descriptions, beta keeps directories.
    """

    def __init__(self, directory, database_url, broker=None, *, default=None, ours=None,
                 alpha=None, sections=None, **options):  # fmt: skip
        self.root = directory / "shares"
        self.root.mkdir(exist_ok=True)
        self.backups = directory / "backups"
        self.backups.mkdir(exist_ok=True)
        self.calls = CallJournal(str(directory / "calls"))
        self.broker = broker
        self.daemon = Daemon(
            directory,
            database_url,
            transport_url=broker.url if broker is not None else None,
            host=HOST,
            driver=DRIVER,
            default={"enabled_share_backends": "alpha,beta", **BUSY, **(default or {})},
            ours={**EAGER, **(ours or {})},
            backend={"scripted_journal": self.calls.path, **(alpha or {})},
            sections={"beta": self._beta(), **(sections or {})},
            **options,
        )
        self.rows = Rows(self.daemon.database)
        self._exits = contextlib.ExitStack()

    def _beta(self):
        return {
            "share_driver": "directory",
            "share_backend_name": "beta",
            "driver_handles_share_servers": False,
            "directory_root": self.root,
            "directory_backup_root": self.backups,
            "directory_export_host": "files.example.org",
        }

    def start(self, *hosts, **environment):
        """Start, and wait for the workers of these hosts; of both without any."""
        # The driver of these tests is found from the root of the repository.
        self.daemon.start(PYTHONPATH=os.fspath(ROOT), **environment)
        self.daemon.wait_ready()
        for host in hosts or (f"{HOST}@alpha", f"{HOST}@beta"):
            poll(lambda host=host: self._lives(host), f"a worker of {host}")
            if self.broker is not None:
                queue = f"manila-share.{host}"
                poll(lambda queue=queue: self.broker.depth(queue) is not None, f"queue {queue}")

    def _lives(self, host):
        from manila_lite.db import workers

        return self.daemon.database.run(lambda c: workers.active(c, host), write=False)

    def processes(self):
        """{host: process id} of the workers that live."""
        hosts = (f"{HOST}@alpha", f"{HOST}@beta")
        return {row["host"]: row["pid"] for host in hosts for row in self._lives(host)}

    def workers(self, host=f"{HOST}@alpha"):
        """Process ids of the workers of one back end, on all machines."""
        return {row["pid"] for row in self._lives(host)}

    def raw(self):
        return self._closing(RawSender(self.broker))

    def api(self):
        return self._closing(ApiSender(load.load(["--config-file", str(self.daemon.config)])))

    def _closing(self, sender):
        self._exits.callback(sender.close)
        return sender

    @property
    def log(self):
        return self.daemon.log.read_text()

    def ended(self, request_id, timeout=15.0):
        """Wait until the operation of a request came to its end; return it."""
        what = f"the end of {request_id}"
        return poll(lambda: self.rows.finished(request_id=request_id), what, timeout)

    def do(self, sender, method, resource, **changes):
        """Cast, and wait for an end that must be a good one."""
        operation = self.ended(sender.cast(method, resource, **changes))
        assert operation["state"] == "succeeded", operation["error"]

    def called(self, method, identity, phase="begin"):
        return len(self.calls.entries(method=method, id=identity, phase=phase))

    def close(self):
        self._exits.close()
        self.daemon.close()


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """A function that makes services with a database of the kind; ended with the module."""
    with contextlib.ExitStack() as exits:

        def make(kind="sqlite", broker=None, *, url=None, **options):
            directory = tmp_path_factory.mktemp("service")
            url = url or exits.enter_context(fresh_url(kind, directory))
            made = Service(directory, url, broker, **options)
            exits.callback(made.close)
            return made

        yield make


@pytest.fixture(scope="package")
def broker():
    with lent_broker() as lent:
        yield lent


@pytest.fixture(scope="package", params=KINDS)
def service(request, broker, tmp_path_factory):
    """A service that runs for the whole package, once for each kind of database.

    It ends when it is told to, after all that the tests did to it.
    """
    directory = tmp_path_factory.mktemp("service")
    with fresh_url(request.param, directory) as url:
        made = Service(directory, url, broker)
        try:
            made.start()
            yield made
            assert made.daemon.terminate() == 0
        finally:
            made.close()


@pytest.fixture(scope="package")
def senders(service):
    return {"recorded": service.raw(), "share_api": service.api()}


@pytest.fixture(params=["recorded", "share_api"])
def sender(request, senders):
    """Who casts: a sender of recorded bodies, or our own client."""
    return senders[request.param]


@pytest.fixture
def do(service, sender):
    """Cast either way, and wait for the operation's end."""
    return functools.partial(_do, service, sender)


@pytest.fixture
def do_recorded(service, senders):
    """Cast a recorded body, and wait for the operation's end."""
    return functools.partial(_do, service, senders["recorded"])


def _do(service, sender, method, resource, **changes):
    return service.ended(sender.cast(method, resource, **changes))


@pytest.fixture
def rows(service):
    return service.rows
