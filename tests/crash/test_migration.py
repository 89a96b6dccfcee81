# SPDX-License-Identifier: Apache-2.0
"""The daemon dies in the midst of migrations: they go on, and the data are always somewhere."""

import concurrent.futures

import pytest

from manila_lite.db import models, shares
from manila_lite.engine import crashpoints
from tests.crash.migration_drivers import Places
from tests.crash.site import SIGKILLED
from tests.fixtures.daemon import poll

DRIVER = "tests.crash.migration_drivers.MigratingDriver"
POINTS = [
    "claim.after_commit", "intent.after_commit", "effect.before", "effect.after",
    "wait.after_commit", "finish.before_commit", "finish.after_commit",
]  # fmt: skip
OPTIONS = {
    "ours": {"claim_batch": 1, "interrupted_operation_policy": "retry"},
    "default": {"migration_driver_continue_update_interval": 1},
}
WISHES = {
    "force_host_assisted_migration": False, "preserve_metadata": True, "writable": True,
    "nondisruptive": True, "preserve_snapshots": True, "new_share_network_id": None,
    "new_share_type_id": None,
}  # fmt: skip


class Migrating:
    """One share that is migrated to another pool, and one whose migration is cancelled."""

    def __init__(self, site):
        self.site = site
        self.places = Places(site.calls.path)
        self.target = f"{site.daemon.host}#other"
        self.deaths = 0
        self.moved, self.stays = (site.database.run(self._share) for _ in range(2))

    def _share(self, connection):
        made = self.site.available_share(connection, rules=1)
        snapshot = self.site.available_snapshot(connection, made)
        made["snapshot_id"] = snapshot["snapshot_id"]
        self._set(connection, models.share_instances, made["instance_id"], status="migrating")
        self._set(connection, models.shares, made["share_id"], task_state="migration_starting")
        self.places.add(made["instance_id"])
        return made

    @staticmethod
    def _set(connection, table, key, **values):
        connection.execute(table.update().where(table.c.id == key).values(**values))

    def cast(self, method, **arguments):
        self.site.record([(method, arguments)])

    def start(self, share):
        share_id = share["share_id"]
        self.cast("migration_start", share_id=share_id, dest_host=self.target, **WISHES)

    def second(self, method, share):
        there = [i for i in self.instances(share) if i["id"] != share["instance_id"]]
        instances = {"src_instance_id": share["instance_id"], "dest_instance_id": there[0]["id"]}
        self.cast(method, **instances)

    def share(self, share):
        work = shares.get_share
        return self.site.database.run(lambda c: work(c, share["share_id"]), write=False)

    def instances(self, share):
        return self.share(share)["instances"]

    def wait_for(self, share, task_state):
        def reached():
            if SIGKILLED.search(self.site.daemon.log.read_bytes()) and not self.deaths:
                self.deaths += 1
                self.site.daemon.kill()
                self.site.start()
            assert self.places.complete() & {i["id"] for i in self.instances(share)}
            return self.share(share)["task_state"] == task_state

        poll(reached, f"{task_state} of share {share['share_id']}")

    def run(self):
        for share in (self.moved, self.stays):
            self.start(share)
        for share in (self.moved, self.stays):
            self.wait_for(share, "migration_driver_phase1_done")
        self.second("migration_complete", self.moved)
        self.second("migration_cancel", self.stays)
        self.wait_for(self.moved, "migration_success")
        self.wait_for(self.stays, "migration_cancelled")
        poll(lambda: not self.site.open(), "the end of all operations")

    def check(self):
        [moved], [stays] = self.instances(self.moved), self.instances(self.stays)
        assert (moved["status"], moved["host"]) == ("available", self.target)
        assert (stays["status"], stays["id"]) == ("available", self.stays["instance_id"])
        assert moved["access_rules_status"] == stays["access_rules_status"] == "active"
        assert self.places.complete() == {moved["id"], stays["id"]}
        assert self.places.mirrors() == []
        assert sorted(self._snapshots()) == sorted(
            [("available", moved["id"]), ("available", stays["id"])]
        )

    def _snapshots(self):
        table = models.share_snapshot_instances
        ids = [self.moved["snapshot_id"], self.stays["snapshot_id"]]
        query = table.select().where(table.c.snapshot_id.in_(ids), table.c.deleted == "False")
        found = self.site.database.run(lambda c: c.execute(query).all(), write=False)
        return [(row.status, row.share_instance_id) for row in found]


def die_and_recover(site, name, passed):
    site.start(**{crashpoints.VARIABLE: f"{name}:{passed}"})
    migrating = Migrating(site)
    migrating.run()
    return migrating


@pytest.mark.parametrize("name", POINTS)
def test_migrations_come_to_their_end_after_a_kill(name, sites, urls):
    ways = (("sqlite", 3), ("postgresql", 6 if "finish" not in name else 2))
    made = [(sites(urls(kind), driver=DRIVER, **OPTIONS), name, passed) for kind, passed in ways]
    with concurrent.futures.ThreadPoolExecutor(len(made)) as pool:
        futures = [pool.submit(die_and_recover, *one) for one in made]
    ends = [future.result() for future in futures]
    for end in ends:
        end.check()
    assert any(end.deaths for end in ends)
