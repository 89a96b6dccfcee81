# SPDX-License-Identifier: Apache-2.0
"""One volume daemon on directories of this machine for all tests of a module, with its users."""

import contextlib
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from manila_lite.clock import SystemClock
from manila_lite.conf import load
from manila_lite.context import RequestContext
from manila_lite.db import models, operation_requests, volume_creation
from manila_lite.db import volumes as volume_rows
from manila_lite.db.models.lite import operations
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.rpc import transport, volume_clients
from manila_lite.volume import flows
from tests.fixtures.daemon import VolumeDaemon, poll
from tests.fixtures.databases import fresh_url
from tests.fixtures.rabbitmq import lent_broker
from tests.support.cinder import VolumeClient

#: Nobody waits for a timer that a test can have sooner.
EAGER = {
    "reconcile_interval": 1,
    "lease_seconds": 5,
    "poll_interval": 0.05,
    "sweep_interval": 0.2,
    "retry_policy": "driver initial_interval=0.05 backoff_coefficient=1 maximum_interval=0.05 "
    "maximum_attempts=3",
}
BUSY = {"report_interval": 1, "periodic_interval": 2, "connection_wait": 20}


@pytest.fixture(autouse=True)
def _needs_qemu_img():
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-img (Debian: qemu-utils) is not installed")


class Site:
    """A daemon with one back end of one pool, and all that its users can see of it."""

    def __init__(self, directory: Path, database_url, broker=None, host="node", **default):
        self.broker = broker
        self.share = directory / "share"
        self.share.mkdir()
        self.daemon = VolumeDaemon(
            directory, database_url,
            transport_url=broker.url if broker is not None else None,
            host=host,
            default={**BUSY, **default}, ours=EAGER,
            backend={"localfs_volume_dir": self.share, "nas_secure_file_operations": "true",
                     "nas_secure_file_permissions": "true"},
        )  # fmt: skip
        self.database, self.host = self.daemon.database, self.daemon.host
        # A directory that is the share is the pool.
        self.pool = f"{self.host}#{self.share}"
        self._exits = contextlib.ExitStack()

    def start(self):
        self.daemon.start()
        self.daemon.wait_ready(60)
        if self.broker is not None:
            # Casts of Cinder to a queue that is not there yet are lost without a word.
            queue = f"cinder-volume.{self.host}.{self.host.partition('@')[0]}"
            poll(lambda: self.broker.depth(queue) is not None, queue)

    # -- who asks ------------------------------------------------------------------------------

    def _transport(self):
        conf = load.load(["--config-file", str(self.daemon.config)])
        made = transport.make_transport(conf)
        self._exits.callback(made.cleanup)
        return made

    def cinder(self):
        """A client as Cinder has it."""
        return VolumeClient(self._transport())

    def api(self):
        """Our own client."""
        return volume_clients.VolumeAPI(self._transport())

    def record(self, method, **arguments):
        """Put an operation into the journal, as the command line does; return the request id."""
        context = RequestContext(project_id="project", user_id="user", is_admin=True)
        journal = Journal(
            self.database, self.host, flows.registry, SystemClock(), flows.LANE_RESOLVERS
        )
        journal.record([NewOperation(method, arguments, context=context.to_journal())])
        return context.request_id

    # -- rows ----------------------------------------------------------------------------------

    def new_volume(self, status="creating", **columns):
        with self.database.writer() as connection:
            made = volume_creation.new_volume(
                connection, SystemClock().now(), host=self.pool, size=1, project_id="project",
                user_id="user", status=status, **columns,
            )  # fmt: skip
        return made["volume_id"]

    def new_snapshot(self, volume_id):
        with self.database.writer() as connection:
            found = volume_rows.get_volume(connection, volume_id)
            made = volume_creation.new_snapshot(connection, SystemClock().now(), found)
        return made["snapshot_id"]

    def set(self, table, key, **values):
        with self.database.writer() as connection:
            connection.execute(table.update().where(table.c.id == key).values(**values))

    def row(self, table, key):
        with self.database.reader() as connection:
            return connection.execute(sa.select(table).where(table.c.id == key)).one()

    def volume(self, key):
        return self.row(models.volumes, key)

    def snapshot(self, key):
        return self.row(models.snapshots, key)

    def ended(self, request_id, timeout=30.0):
        """Wait until the operation of a request came to its end; return it."""

        def look():
            query = sa.select(operations).where(
                operations.c.request_id == request_id, operations.c.finished == 1
            )
            with self.database.reader() as connection:
                return connection.execute(query).mappings().first()

        return poll(look, f"the end of {request_id}", timeout)

    def operation(self, uuid):
        with self.database.reader() as connection:
            return operation_requests.get_operation(connection, uuid)[0]

    def files(self):
        return sorted(path.name for path in self.share.iterdir() if path.name[0] != ".")

    @property
    def log(self):
        return self.daemon.log.read_text()

    def close(self):
        self._exits.close()
        self.daemon.close()


@pytest.fixture(scope="module")
def broker():
    with lent_broker() as lent:
        yield lent


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """A function that makes sites; they are ended with the module."""
    with contextlib.ExitStack() as exits:

        def make(broker=None, kind="sqlite", **options):
            directory = tmp_path_factory.mktemp("volumes")
            url = exits.enter_context(fresh_url(kind, directory))
            made = Site(directory, url, broker, **options)
            exits.callback(made.close)
            made.start()
            return made

        yield make


@pytest.fixture(scope="module")
def site(sites, broker):
    """A service with a broker, that runs for the whole module and ends when it is told to."""
    made = sites(broker)
    yield made
    assert made.daemon.terminate() == 0
