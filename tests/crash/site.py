# SPDX-License-Identifier: Apache-2.0
"""One back end as its users know it: rows as an API makes them, and casts."""

import dataclasses
import re
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from manila_lite import states
from manila_lite.clock import SystemClock
from manila_lite.conf import load
from manila_lite.context import RequestContext
from manila_lite.db import creation, models
from manila_lite.db.models.lite import operations
from manila_lite.engine import crashpoints, registry
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.rpc import clients, server, transport
from manila_lite.share import flows
from manila_lite.testing.drivers import CallJournal
from tests.crash import count as counting
from tests.fixtures.daemon import poll

ROOT = Path(__file__).parents[2]
SIZE = 2  # GiB of each share
#: What oslo.service's launcher says of a process that died so.
SIGKILLED = re.compile(rb"killed by signal (-9|SIGKILL)")


@dataclasses.dataclass(frozen=True)
class Cast:
    """What was asked for.

    resource_id: as the operation has it; driver_id: as the driver's journal has it. calls: the
    driver's methods by the operation's steps. There is one cast of a method for a resource.
    """

    method: str
    resource_id: str
    driver_id: str
    calls: Mapping[str, str]
    arguments: Mapping[str, object]

    @property
    def key(self):
        return self.method, self.resource_id


class Site:
    """Casts to one daemon's host, by the broker that its configuration names or by the journal.

    calls: file of the driver's journal. The database is reached as daemon.database reaches it.
    """

    def __init__(self, daemon, calls):
        self.daemon = daemon
        self.database = daemon.database
        self.calls = CallJournal(str(calls))
        self.casts = []
        self.deaths = []
        self._clock = SystemClock()
        self.project_id = f"project-{uuid.uuid4().hex[:8]}"
        self._context = RequestContext(project_id=self.project_id, user_id="user", is_admin=True)
        self._conf = load.load(["--config-file", str(daemon.config)])
        self._transport = None
        self.pool = f"{daemon.host}#null"

    def close(self):
        if self._transport is not None:
            self._transport.cleanup()

    # -- the daemon ----------------------------------------------------------------------------

    def start(self, **environment):
        # The driver of these tests is found from the root of the repository.
        self.daemon.start(PYTHONPATH=str(ROOT), **environment)

    def kill(self):
        """SIGKILL to the whole group; take down what was recorded as done by then."""
        self.daemon.kill()
        self.deaths.append(counting.note_death(self))

    def die_at(self, name, passed):
        """Have the daemon die at that pass of a crash point, and start it again."""
        self.start(**{crashpoints.VARIABLE: f"{name}:{passed}"})
        poll(lambda: SIGKILLED.search(self.daemon.log.read_bytes()), f"death at {name}:{passed}")
        self.kill()
        self.start()

    def terminate(self, timeout=30.0):
        """SIGTERM; take down what was recorded as done by then; return the exit code."""
        code = self.daemon.terminate(timeout)
        self.deaths.append(counting.note_death(self))
        return code

    def count(self):
        """What went wrong, by kind: compare with NOTHING_WRONG."""
        return counting.count(self, self.deaths)

    # -- rows ----------------------------------------------------------------------------------

    def available_share(self, connection, rules=0):
        """Make a share that is there already, with so many access rules."""
        made = self._new_share(connection)
        self._update(
            connection, models.share_instances, made["instance_id"],
            status=states.AVAILABLE, launched_at=self._clock.now(), progress="100%",
        )  # fmt: skip
        for number in range(rules):
            self._add_rule(connection, made, f"10.0.0.{number + 1}")
        return made

    def available_snapshot(self, connection, share):
        made = self._new_snapshot(connection, share)
        table = models.share_snapshot_instances
        self._update(connection, table, made["instance_id"], status=states.AVAILABLE)
        return made

    def _new_share(self, connection, snapshot_id=None):
        return creation.new_share(
            connection, self._clock.now(), host=self.pool, size=SIZE, share_proto="NFS",
            project_id=self.project_id, user_id="user", snapshot_id=snapshot_id,
        )  # fmt: skip

    def _new_snapshot(self, connection, share):
        instance = {
            "id": share["instance_id"], "share_id": share["share_id"], "size": SIZE,
            "share_proto": "NFS", "share_type_id": None, "project_id": self.project_id,
            "user_id": "user",
        }  # fmt: skip
        return creation.new_snapshot(connection, self._clock.now(), instance)

    def _add_rule(self, connection, share, address):
        rule = str(uuid.uuid4())
        connection.execute(
            models.share_access_map.insert(),
            {"id": rule, "share_id": share["share_id"], "access_type": "ip",
             "access_to": address, "access_level": "rw", "deleted": "False"},
        )  # fmt: skip
        connection.execute(
            models.share_instance_access_map.insert(),
            {"id": str(uuid.uuid4()), "share_instance_id": share["instance_id"],
             "access_id": rule, "state": "active", "deleted": "False"},
        )  # fmt: skip

    @staticmethod
    def _update(connection, table, key, **values):
        connection.execute(table.update().where(table.c.id == key).values(**values))

    def _begin(self, connection, table, key, status):
        self._update(connection, table, key, status=status, updated_at=self._clock.now())

    # -- what may be asked for: each makes the rows and returns the cast ------------------------

    def create(self, connection, snapshot=None):
        snapshot_id = snapshot and snapshot["snapshot_id"]
        made = self._new_share(connection, snapshot_id)
        method = "create_share_from_snapshot" if snapshot else "create_share"
        arguments = {
            "share_instance_id": made["instance_id"],
            "request_spec": {"share_id": made["share_id"], "share_properties": {"size": SIZE}},
            "filter_properties": {},
            "snapshot_id": snapshot_id,
        }
        return self._cast("create_share_instance", made["instance_id"], {"create": method},
                          arguments)  # fmt: skip

    def delete(self, connection, share):
        key = share["instance_id"]
        self._begin(connection, models.share_instances, key, states.DELETING)
        arguments = {"share_instance_id": key, "force": False, "deferred_delete": False}
        calls = {"deny access": "update_access", "delete": "delete_share"}
        return self._cast("delete_share_instance", key, calls, arguments)

    def extend(self, connection, share):
        return self._resize(connection, share, states.EXTENDING, "extend", SIZE + 1,
                            reservations=[])  # fmt: skip

    def shrink(self, connection, share):
        return self._resize(connection, share, states.SHRINKING, "shrink", SIZE - 1)

    def _resize(self, connection, share, status, verb, new_size, **rest):
        self._begin(connection, models.share_instances, share["instance_id"], status)
        arguments = {"share_id": share["share_id"], "new_size": new_size, **rest}
        method = f"{verb}_share"
        return self._cast(method, share["share_id"], {verb: method}, arguments,
                          driver_id=share["instance_id"])  # fmt: skip

    def snapshot(self, connection, share):
        made = self._new_snapshot(connection, share)
        arguments = {"share_id": share["share_id"], "snapshot_id": made["snapshot_id"]}
        return self._cast("create_snapshot", made["snapshot_id"], {"create": "create_snapshot"},
                          arguments, driver_id=made["instance_id"])  # fmt: skip

    def delete_snapshot(self, connection, snapshot):
        table = models.share_snapshot_instances
        self._begin(connection, table, snapshot["instance_id"], states.DELETING)
        arguments = {"snapshot_id": snapshot["snapshot_id"], "force": False,
                     "deferred_delete": False}  # fmt: skip
        return self._cast("delete_snapshot", snapshot["snapshot_id"],
                          {"delete": "delete_snapshot"}, arguments,
                          driver_id=snapshot["instance_id"])  # fmt: skip

    @staticmethod
    def _cast(method, resource_id, calls, arguments, driver_id=None):
        return Cast(method, resource_id, driver_id or resource_id, calls, arguments)

    # -- casting -------------------------------------------------------------------------------

    def mixed(self, connection):
        """Some of everything: 16 casts, four of them of several steps."""
        shares = [self.available_share(connection) for _ in range(6)]
        snapshots = [self.available_snapshot(connection, shares[0]) for _ in range(2)]
        doomed = [self.available_share(connection, rules=2) for _ in range(4)]
        return [
            self.create(connection),
            self.delete(connection, doomed[0]),
            self.create(connection, snapshots[0]),
            self.delete(connection, doomed[1]),
            self.extend(connection, shares[1]),
            self.extend(connection, shares[2]),
            self.delete(connection, doomed[2]),
            self.shrink(connection, shares[3]),
            self.snapshot(connection, shares[4]),
            self.snapshot(connection, shares[4]),
            self.delete(connection, doomed[3]),
            self.delete_snapshot(connection, snapshots[1]),
            self.create(connection),
            self.snapshot(connection, shares[5]),
            self.create(connection, snapshots[0]),
            self.create(connection),
        ]

    def creations(self, count):
        """Return a function that makes the rows of so many new shares."""
        return lambda connection: [self.create(connection) for _ in range(count)]

    def ask(self, make):
        """Cast what make(connection) returns, after the transaction that made the rows."""
        casts = self.database.run(make)
        self.casts += casts
        self.send(casts)
        return casts

    def send(self, casts):
        if load.transport_url(self._conf) is None:
            self._record(casts)
            return
        client = clients.ShareAPI(self._connected(), self._conf.share_topic)
        for cast in casts:
            client.send(self._context, cast.method, self.pool, **cast.arguments)

    def _record(self, casts):
        self.record([(cast.method, cast.arguments) for cast in casts])

    def record(self, asked):
        """Journal operations, (method, arguments), as casts that have come; return their number."""
        journal = Journal(
            self.database, self.daemon.host, registry, self._clock, flows.LANE_RESOLVERS
        )
        context = self._context.to_journal()
        journal.record([NewOperation(method, ours, context=context) for method, ours in asked])
        return len(asked)

    def _connected(self):
        if self._transport is None:
            self._transport = transport.make_transport(self._conf)
        return self._transport

    def declare_queue(self):
        """Make the daemon's queue before the daemon does, so that casts can wait in it."""
        link = server.connector(
            self._conf, self._connected(), topic=self._conf.share_topic, server=self.daemon.host
        )(lambda raw: None)
        link.close()

    # -- looking -------------------------------------------------------------------------------

    def finished(self):
        """How many of the host's operations came to their end; cheap."""
        return self._number_of(operations.c.finished == 1)

    def open(self):
        return self._number_of(operations.c.finished == 0)

    def _number_of(self, condition):
        query = sa.select(sa.func.count()).where(operations.c.host == self.daemon.host, condition)
        return self.database.run(lambda c: c.execute(query).scalar(), write=False)

    def settled(self):
        """Whether every cast was recorded and no operation is open."""
        known = operations.c.resource_id.is_not(None)
        return self._number_of(known) >= len(self.casts) and self.open() == 0

    def statuses(self, rows):
        """{(table, id): status} of rows, which are given by table and id."""
        with self.database.reader() as connection:
            return {
                (table, key): connection.execute(
                    sa.select(table.c.status).where(table.c.id == key)
                ).scalar_one()
                for table, key in rows
            }

    def under_way(self):
        """(method, id) of the driver's calls that began and did not end."""
        begun, ended = self._called("begin"), self._called("end")
        return begun - ended

    def _called(self, phase):
        return {(e["method"], e["id"]) for e in self.calls.entries(phase=phase)}


class Background:
    """Casts in a thread: a client rides out the broker's absence, and goes on."""

    def __init__(self, site, count):
        self._error = None
        self._thread = threading.Thread(target=self._run, args=(site, count), daemon=True)
        self._thread.start()

    def _run(self, site, count):
        try:
            for _ in range(count):
                site.ask(site.creations(1))
        except Exception as error:
            self._error = error

    def join(self, timeout=60):
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "the casts do not come to their end"
        if self._error is not None:
            raise self._error
