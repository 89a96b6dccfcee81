# SPDX-License-Identifier: Apache-2.0
"""The daemon dies while rules are applied and denied; in the end storage and rows agree."""

import concurrent.futures
import uuid

import pytest
import sqlalchemy as sa

from manila_lite.db import models
from tests.crash import access_drivers as storage
from tests.crash.count import NOTHING_WRONG
from tests.fixtures.daemon import poll

DRIVER = "tests.crash.access_drivers.RuleKeepingDriver"
POINTS = [
    "claim.after_commit", "intent.before_commit", "intent.after_commit", "effect.before",
    "effect.after", "wait.after_commit", "finish.before_commit", "finish.after_commit",
]  # fmt: skip
PASSES = (1, 4)
SMALL_STEPS = {"claim_batch": 1}
FOUND = ("active", "queued_to_apply", "queued_to_deny", "applying", "denying", "error")
THERE = ("active", "queued_to_deny", "denying")

OF_SHARE = (models.share_access_map, models.share_instance_access_map,
            "share_id", "share_instance_id")  # fmt: skip
OF_SNAPSHOT = (models.share_snapshot_access_map, models.share_snapshot_instance_access_map,
               "share_snapshot_id", "share_snapshot_instance_id")  # fmt: skip


class Rules:
    """Shares and a snapshot with a rule in each state, and the casts that bring them in line."""

    def __init__(self, site):
        self.site = site
        self.instances = {}

    def ask(self):
        """Make rows and casts; return the number of operations that come of it."""
        asked = self.site.database.run(self._make)
        # One of the casts starts an operation for each of its two instances.
        return self.site.record(asked) + 2

    def _make(self, connection):
        shares = [self.site.available_share(connection) for _ in range(4)]
        snapshot = self.site.available_snapshot(connection, shares[0])
        for share in shares:
            self._add(connection, OF_SHARE, share["share_id"], share["instance_id"])
        self._add(connection, OF_SNAPSHOT, snapshot["snapshot_id"], snapshot["instance_id"])
        keys = [share["instance_id"] for share in shares]
        return [
            ("update_access", {"share_instance_id": keys[0]}),
            ("snapshot_update_access", {"snapshot_instance_id": snapshot["instance_id"]}),
            ("update_access", {"share_instance_id": keys[1]}),
            ("update_access_for_instances", {"share_instance_ids": keys[2:]}),
        ]

    def _add(self, connection, tables, owner_id, instance_id):
        rules, mappings, owner, instance = tables
        self.instances[instance_id] = mappings, instance
        there = set()
        for number, state in enumerate(FOUND):
            rule = str(uuid.uuid4())
            is_odd = state == "applying" and tables is OF_SHARE
            address = storage.ODD if is_odd else f"10.0.0.{number}"
            connection.execute(
                rules.insert(),
                {"id": rule, owner: owner_id, "access_type": "ip", "access_to": address,
                 "deleted": "False", **({"access_level": "rw"} if rules is OF_SHARE[0] else {})},
            )  # fmt: skip
            connection.execute(
                mappings.insert(),
                {"id": str(uuid.uuid4()), instance: instance_id, "access_id": rule,
                 "state": state, "deleted": "False"},
            )  # fmt: skip
            there |= {rule} if state in THERE else set()
        storage.write(self.path(instance_id), there)

    def path(self, instance_id):
        return storage.storage_of(self.site.calls.path, instance_id)

    def found(self):
        """{instance: {state: ids of its rules}} by the rows."""
        found = {}
        with self.site.database.reader() as connection:
            for key, (mappings, instance) in self.instances.items():
                query = sa.select(mappings.c.state, mappings.c.access_id).where(
                    mappings.c[instance] == key, mappings.c.deleted == "False"
                )
                found[key] = {}
                for state, rule in connection.execute(query):
                    found[key].setdefault(state, set()).add(rule)
        return found

    def statuses(self):
        """access_rules_status of the share instances."""
        i = models.share_instances.c
        query = sa.select(i.access_rules_status).where(i.id.in_(list(self.instances)))
        with self.site.database.reader() as connection:
            return set(connection.execute(query).scalars())

    def disagreements(self):
        """Instances of which storage and rows say different things, or that are not at rest."""
        return {
            key: states
            for key, states in self.found().items()
            if not set(states) <= {"active", "error"}
            or storage.read(self.path(key)) != states["active"]
        }


def die_and_recover(site, name, passed):
    rules = Rules(site)
    count = rules.ask()
    site.die_at(name, passed)
    poll(lambda: site.finished() >= count and not site.open(), f"the end after {name}:{passed}")
    return rules


@pytest.mark.parametrize("name", POINTS)
def test_rules_that_a_death_interrupted_are_brought_in_line_after_a_restart(name, sites, urls):
    options = {
        "driver": DRIVER,
        "ours": {**SMALL_STEPS, "retry_policy": "driver initial_interval=0.05 "
                 "backoff_coefficient=1 maximum_interval=0.05 maximum_attempts=20"},
        "backend": {"scripted_failures": "update_access:BackendBusy*4"},
    }  # fmt: skip
    runs = {passed: sites(urls("sqlite"), **options) for passed in PASSES}
    with concurrent.futures.ThreadPoolExecutor(len(runs)) as pool:
        futures = [pool.submit(die_and_recover, site, name, passed)
                   for passed, site in runs.items()]  # fmt: skip
        for rules in [future.result() for future in futures]:
            assert rules.disagreements() == {}
            active = [len(states["active"]) for states in rules.found().values()]
            assert sorted(active) == [2, 2, 2, 2, 3]
            assert rules.statuses() == {"error"}
            assert rules.site.count() == NOTHING_WRONG
