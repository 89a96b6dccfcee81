# SPDX-License-Identifier: Apache-2.0
"""Addresses of two standalone networks that overlap: whatever is asked, nobody has another's.

The model knows which addresses each server has under each label; the plugins and the database
agree with it after every step.
"""

import contextlib

from hypothesis import settings, stateful
from hypothesis import strategies as st
from oslo_config import cfg

from manila_lite import exception, network
from manila_lite.conf import network_standalone
from manila_lite.db import models
from manila_lite.db.session import Database
from manila_lite.network.ledger import Ledger
from manila_lite.testing.clock import ManualClock

#: Both are 10.0.0.0/28; their ranges overlap from .6 to .9.
RANGES = {"user": ["10.0.0.2-10.0.0.9"], "admin": ["10.0.0.6-10.0.0.12"]}
ALLOWED = {"user": range(2, 10), "admin": range(6, 13)}
SUBNET = {"id": "subnet"}

servers = st.sampled_from(["a", "b", "c"])
labels = st.sampled_from(sorted(RANGES))
addresses = st.lists(st.integers(0, 15).map("10.0.0.{}".format), max_size=3, unique=True)


def plugin(label, database):
    conf = cfg.ConfigOpts()
    conf([])
    conf.register_opts([*network.options.OPTS, *network_standalone.OPTS], group="net")
    values = {
        "network_api_class": "standalone",
        "standalone_network_plugin_gateway": "10.0.0.1",
        "standalone_network_plugin_mask": "28",
        "standalone_network_plugin_allowed_ip_ranges": RANGES[label],
    }
    for name, value in values.items():
        conf.set_override(name, value, group="net")
    made = network.API("net", label=label, conf=conf)
    made.use_ledger(Ledger(database, ManualClock()))
    return made


def last(address):
    return int(address.rpartition(".")[2])


class Addresses(stateful.RuleBasedStateMachine):
    """known: {(server, label): set of addresses}."""

    def __init__(self):
        super().__init__()
        self.database = Database("sqlite://")
        with self.database.writer() as connection:
            models.metadata.create_all(
                connection,
                tables=[
                    models.network_allocations, models.share_network_subnets, models.lite.locks,
                ],
            )  # fmt: skip
        self.plugins = {label: plugin(label, self.database) for label in RANGES}
        self.known = {}

    def teardown(self):
        self.database.close()

    def taken(self):
        return {address for found in self.known.values() for address in found}

    def free(self, label):
        everything = {f"10.0.0.{number}" for number in ALLOWED[label]}
        return sorted(everything - self.taken(), key=last)

    @stateful.rule(server=servers, label=labels, count=st.integers(0, 5))
    def allocate(self, server, label, count):
        mine = self.known.setdefault((server, label), set())
        free = self.free(label)
        lacking = max(count - len(mine), 0)
        ask = lambda: self.plugins[label].allocate_network(  # noqa: E731
            None, {"id": server}, None, SUBNET, count=count
        )
        if lacking > len(free):
            with contextlib.suppress(exception.NetworkExhausted):
                raise AssertionError(f"there were not {count} addresses: {ask()}")
            return
        found = {row["ip_address"] for row in ask()}
        mine.update(free[:lacking])
        assert len(found) == count
        assert found <= mine

    @stateful.rule(server=servers, label=labels)
    def deallocate(self, server, label):
        self.plugins[label].deallocate_network(None, server)
        self.known.pop((server, label), None)

    @stateful.rule(server=servers, label=labels)
    def unmanage(self, server, label):
        self.plugins[label].unmanage_network_allocations(None, server)
        self.known.pop((server, label), None)

    @stateful.rule(server=servers, label=labels, wanted=addresses)
    def manage(self, server, label, wanted):
        ours = {address for address in wanted if last(address) in ALLOWED[label]}
        others = {
            address for (owner, _), found in self.known.items() if owner != server
            for address in found
        }  # fmt: skip
        ask = lambda: self.plugins[label].manage_network_allocations(  # noqa: E731
            None, wanted, {"id": server}, None, SUBNET
        )
        if ours & others:
            with contextlib.suppress(exception.IPAddressInUse):
                raise AssertionError(f"addresses of others were taken over: {ask()}")
            return
        assert set(ask()) == set(wanted) - ours
        self.known.setdefault((server, label), set()).update(ours - self.taken())

    @stateful.invariant()
    def database_agrees(self):
        table = models.network_allocations
        with self.database.reader() as connection:
            rows = connection.execute(table.select().where(table.c.deleted == "False")).all()
        found = {}
        for row in rows:
            found.setdefault((row.share_server_id, row.label), []).append(row.ip_address)
        assert {key: sorted(value) for key, value in found.items()} == {
            key: sorted(value) for key, value in self.known.items() if value
        }
        assert len({row.ip_address for row in rows}) == len(rows)


TestAddresses = Addresses.TestCase
TestAddresses.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
