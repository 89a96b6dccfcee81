# SPDX-License-Identifier: Apache-2.0
"""A driver whose storage keeps rules: one file for each share and snapshot."""

import json
import os

from manila_lite import exception
from manila_lite.testing.drivers import ScriptedDriver

ODD = "10.9.9.9"  # a rule for this address is refused


class RuleKeepingDriver(ScriptedDriver):
    """Goes by the lists of what changed; makes the storage agree where both are empty.

    Slow in the sense that matters: each rule is a write of its own.
    """

    def update_access(
        self, context, share, access_rules, add_rules, delete_rules, share_server=None
    ):
        super().update_access(context, share, access_rules, add_rules, delete_rules)
        self._change(share, access_rules, add_rules, delete_rules)
        odd = [rule["access_id"] for rule in access_rules if rule["access_to"] == ODD]
        return {access_id: {"state": "error"} for access_id in odd}

    def snapshot_update_access(
        self, context, snapshot, access_rules, add_rules, delete_rules, share_server=None
    ):
        self.journal_call("snapshot_update_access", snapshot["id"], "begin")
        self._change(snapshot, access_rules, add_rules, delete_rules)
        self.journal_call("snapshot_update_access", snapshot["id"], "end")

    def _change(self, resource, access_rules, add_rules, delete_rules):
        path = storage_of(self.calls.path, resource["id"])
        wanted = {rule["access_id"] for rule in access_rules if rule["access_to"] != ODD}
        added, gone = ([rule["access_id"] for rule in rules] for rules in (add_rules, delete_rules))
        if not (added or gone):
            added, gone = wanted, read(path) - wanted
        for access_id in gone:
            write(path, read(path) - {access_id})
        for access_id in wanted & set(added):
            if access_id in delete_rules:
                raise exception.InvalidShareAccess(reason=f"{access_id} is to come and to go")
            write(path, read(path) | {access_id})


def storage_of(calls, resource_id):
    """The file with the rules of a share or a snapshot, beside the driver's journal."""
    return f"{calls}.{resource_id}.rules"


def read(path):
    """Ids of the rules that the storage has."""
    try:
        with open(path, encoding="utf-8") as file:
            return set(json.load(file))
    except FileNotFoundError:
        return set()


def write(path, rules):
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(sorted(rules), file)
    os.replace(f"{path}.new", path)
