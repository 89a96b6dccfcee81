# SPDX-License-Identifier: Apache-2.0
"""The daemon dies in the midst of making and removing share servers, and brings that to its end."""

import concurrent.futures

import pytest
import sqlalchemy as sa

from manila_lite import states
from manila_lite.db import models
from tests.fixtures.daemon import poll
from tests.support import server_drivers

POINTS = {
    "claim.after_commit": [3],
    "intent.after_commit": [1, 5],
    "effect.before": [2, 3],
    "effect.after": [2, 3],
    "wait.after_commit": [1],
    "finish.before_commit": [2, 4],
    "finish.after_commit": [1, 2],
}


class Tenants:
    """Two projects with a network each: one gets two shares, the other one loses its last.

    doomed: the share that goes; its server goes with it.
    """

    def __init__(self, site):
        self.site = site
        self.doomed = self._make_doomed()
        self.shares = site.ask(self._two_shares)

    def _network(self, connection):
        site = self.site
        return server_drivers.add_network(connection, site.project_id, site._clock.now())

    def _new(self, connection, network):
        cast = self.site.create(connection)
        server_drivers.put_on_network(connection, cast.resource_id, network)
        return cast

    def _two_shares(self, connection):
        network = self._network(connection)
        doomed = self.site.delete(connection, self.doomed)
        return [doomed, *(self._new(connection, network) for _ in range(2))]

    def _make_doomed(self):
        """Have a share made by a daemon that lives, and stop that."""
        [cast] = self.site.ask(lambda c: [self._new(c, self._network(c))])
        self.site.start()
        poll(self.site.settled, "the first share")
        self.site.terminate()
        [row] = self.rows(models.share_instances, id=cast.resource_id)
        assert row["status"] == states.AVAILABLE
        return {"share_id": row["share_id"], "instance_id": row["id"]}

    def rows(self, table, **where):
        query = sa.select(table)
        for name, value in where.items():
            query = query.where(table.c[name] == value)
        with self.site.database.reader() as connection:
            return connection.execute(query).mappings().all()

    def check(self):
        """One server is there with both shares and one address; the other one is gone."""
        made = [self.rows(models.share_instances, id=c.resource_id)[0] for c in self.shares[1:]]
        assert [row["status"] for row in made] == [states.AVAILABLE] * 2
        [server] = self.rows(models.share_servers, deleted="False")
        assert {row["share_server_id"] for row in made} == {server["id"]}
        assert server["status"] == "active"
        [gone] = [row for row in self.rows(models.share_servers) if row["id"] != server["id"]]
        assert gone["status"] == "deleted"
        assert self.site.calls.entries(method="teardown_server", id=gone["id"], phase="end")
        with self.site.database.reader() as connection:
            assert len(server_drivers.addresses_in_use(connection)) == 1


def die_and_recover(site, name, passed):
    tenants = Tenants(site)
    site.die_at(name, passed)
    poll(lambda: site.settled() and _is_over(tenants), f"the end after {name}:{passed}")
    return tenants


def _is_over(tenants):
    """Whether what the casts brought about is over too: the empty server's removal."""
    return (
        tenants.site.open() == 0 and len(tenants.rows(models.share_servers, deleted="False")) == 1
    )


@pytest.mark.parametrize("name", POINTS)
def test_servers_are_made_once_and_removed_whole(name, sites, urls):
    made = {
        passed: sites(
            urls("sqlite"),
            driver=server_drivers.PATH,
            ours={"claim_batch": 1, "interrupted_operation_policy": "retry"},
            backend=server_drivers.BACKEND,
            default={"delete_share_server_with_last_share": True},
            sections={"tenants": server_drivers.NETWORK},
        )
        for passed in POINTS[name]
    }
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(die_and_recover, site, name, way) for way, site in made.items()]
    for tenants in [future.result() for future in futures]:
        tenants.check()


def test_a_driver_call_that_dies_is_made_again(sites, urls):
    site = sites(
        urls("sqlite"),
        driver=server_drivers.PATH,
        ours={"interrupted_operation_policy": "retry"},
        backend={**server_drivers.BACKEND, "scripted_delays": "setup_server:3600"},
        sections={"tenants": server_drivers.NETWORK},
    )

    def two(connection):
        network = server_drivers.add_network(connection, site.project_id, site._clock.now())
        casts = [site.create(connection) for _ in range(2)]
        for cast in casts:
            server_drivers.put_on_network(connection, cast.resource_id, network)
        return casts

    site.ask(two)
    site.start()
    poll(lambda: site.calls.entries(method="setup_server"), "the set-up")
    site.daemon.configure("scripted_delays", "setup_server:0")
    site.kill()
    site.start()
    poll(site.settled, "both shares")

    begun = site.calls.entries(method="setup_server", phase="begin")
    assert len(begun) == 2
    assert len({entry["id"] for entry in begun}) == 1
    with site.database.reader() as connection:
        assert len(server_drivers.addresses_in_use(connection)) == 1
    found = site.count()
    assert (found.lost, found.stuck, found.failed) == ([], [], [])
