# SPDX-License-Identifier: Apache-2.0
"""Access rules as Manila's API makes them: rows that are queued, before a cast says so."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from manila_lite.db import models
from manila_lite.db.records import Record
from tests.support.shares import Site

_numbers = itertools.count(1)


class _Rules:
    """The rules of one share instance, or of one snapshot instance."""

    rules = models.share_access_map
    mappings = models.share_instance_access_map
    of = ("share_id", "share_id")
    on = "share_instance_id"

    def __init__(self, site: Site, owner: Mapping[str, str]) -> None:
        self.site = site
        self.owner = owner

    def allow(self, access_to="10.0.0.2", state="queued_to_apply", instance_id=None, **columns):
        """Insert a rule and its mapping on the instance; return its id."""
        column, key = self.of
        rule = f"rule{next(_numbers):06}"
        now = self.site.clock.now()
        row = {"id": rule, column: self.owner[key], "access_type": "ip", "access_to": access_to,
               "deleted": "False", "created_at": now, **columns}  # fmt: skip
        if "access_level" in self.rules.c:
            row.setdefault("access_level", "rw")
        with self.site.database.writer() as connection:
            connection.execute(self.rules.insert(), row)
        self.map(rule, state, instance_id or self.owner["instance_id"])
        return rule

    def map(self, rule, state, instance_id):
        row = {"id": f"map{next(_numbers)}", self.on: instance_id, "access_id": rule,
               "state": state, "deleted": "False", "created_at": self.site.clock.now()}  # fmt: skip
        with self.site.database.writer() as connection:
            connection.execute(self.mappings.insert(), row)

    def set(self, rule, state):
        """What an API writes: "queued_to_deny" and the like."""
        m = self.mappings.c
        mine = (m.access_id == rule, m[self.on] == self.owner["instance_id"])
        with self.site.database.writer() as connection:
            statement = self.mappings.update().where(*mine, m.deleted == "False")
            connection.execute(statement.values(state=state, updated_at=self.site.clock.now()))

    def states(self) -> dict[str, str]:
        """{rule's id: its state} of the rules that the instance still has."""
        found = self.site.rows(
            self.mappings, deleted="False", **{self.on: self.owner["instance_id"]}
        )
        return {row["access_id"]: row["state"] for row in found}

    def living(self) -> set[str]:
        """Ids of the rules whose rows live."""
        return {row["id"] for row in self.site.rows(self.rules, deleted="False")}

    def row(self, rule) -> Record:
        return self.site.rows(self.rules, id=rule)[0]


class ShareRules(_Rules):
    def status(self) -> str:
        return str(self.site.instance(Record(self.owner))["access_rules_status"])

    def set_status(self, value):
        with self.site.database.writer() as connection:
            connection.execute(models.share_instances.update().values(access_rules_status=value))

    def update(self, **arguments):
        """Cast update_access, run, and return the operation's row."""
        key = self.owner["instance_id"]
        return self.site.do("update_access", share_instance_id=key, **arguments)


class SnapshotRules(_Rules):
    rules = models.share_snapshot_access_map
    mappings = models.share_snapshot_instance_access_map
    of = ("share_snapshot_id", "snapshot_id")
    on = "share_snapshot_instance_id"

    def update(self, **arguments):
        """Cast snapshot_update_access, run, and return the operation's row."""
        key = self.owner["instance_id"]
        return self.site.do("snapshot_update_access", snapshot_instance_id=key, **arguments)


def asked(site: Site, call: int = -1) -> tuple[list[str], ...]:
    """Ids of the rules that a call of update_access was given: all, new ones, ones to remove."""
    calls = [
        bound.arguments
        for bound, (method, _) in zip(site.driver.arguments, site.driver.calls, strict=True)
        if method == "update_access"
    ]
    names = ("access_rules", "add_rules", "delete_rules")
    return tuple([rule["access_id"] for rule in calls[call][name]] for name in names)
