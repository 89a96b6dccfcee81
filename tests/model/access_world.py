# SPDX-License-Identifier: Apache-2.0
"""The world of the access model: storage with rules, four kinds of driver for it, and mishaps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from manila_lite import exception
from manila_lite.db import access_changes
from manila_lite.db.models import lite
from manila_lite.db.writes import execute_writes
from manila_lite.engine import crashpoints
from manila_lite.share import flows
from tests.support.access import ShareRules, SnapshotRules
from tests.support.shares import Crash, Site

# What may happen at a crash point, or in the middle of a driver's call.
CALM = "calm"
CRASH = "crash"
ALLOW = "an API adds a rule"
DENY = "an API denies a rule"
CHANGE = "an API changes a rule's level"
SILENT = "an API adds a rule, and its cast is lost"
STOP = "the service is told to stop"
EVENTS = (CALM, CALM, CALM, CRASH, ALLOW, DENY, CHANGE, SILENT, STOP)

# How a call of the driver ends.
OK = "ok"
REFUSED = "refused before anything was done"
HALF = "fails half way"
LATE = "fails after all was done"
BUSY = "busy"
ONE = "one rule is refused"
DEAD = "the process dies half way"
RESULTS = (OK, OK, OK, REFUSED, HALF, LATE, BUSY, ONE, DEAD)

# Kinds of drivers.
BULK = "sets all rules at once"
LISTS = "goes by the lists of what changed"
SINGLE = "has allow_access and deny_access only"
SNAPSHOT = "goes by the lists, for a snapshot"
KINDS = (BULK, LISTS, SINGLE, SNAPSHOT)

ADDRESSES = tuple(f"10.0.0.{number}" for number in range(1, 6))
LEVELS = ("rw", "ro")


class AccessWorld(RuleBasedStateMachine):
    """One instance with rules, its storage, and what a script lets happen.

    storage: {rule's id: its level}, what the storage lets in. keys: {rule's id: the access key that
    the driver told last}.
    """

    kind = BULK

    def __init__(self) -> None:
        super().__init__()
        self.site = Site()
        share = self.site.add_share("available")
        self.snapshot = self.site.add_snapshot(share, "available")
        self.share = share
        self.storage: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.stopping = False
        self.script: list[str] = []
        self.results: list[str] = []
        self.calls = 0
        self.crashes = 0
        self._patches = contextlib.ExitStack()
        self._replace(crashpoints, "reach", self._reach)

    def begin(self, kind: str) -> None:
        self.kind = kind
        answers = self.site.driver.answers
        del answers["update_access"]
        if kind == SNAPSHOT:
            answers["snapshot_update_access"] = self._update
            self.rules: Any = SnapshotRules(self.site, self.snapshot)
            return
        self.rules = ShareRules(self.site, self.share)
        if kind == SINGLE:
            answers["allow_access"] = self._allow
            answers["deny_access"] = self._deny
        else:
            answers["update_access"] = self._update

    def _replace(self, target: Any, name: str, value: Any) -> None:
        old = getattr(target, name)
        setattr(target, name, value)
        self._patches.callback(setattr, target, name, old)

    def end(self) -> None:
        self._patches.close()

    # -- the API -------------------------------------------------------------------------------

    def allow(self, number: int, cast: bool = True) -> None:
        """Add a rule, unless a rule for the address lives."""
        address, level = ADDRESSES[number % len(ADDRESSES)], LEVELS[number % len(LEVELS)]
        living = {self.rules.row(rule)["access_to"] for rule in self.rules.living()}
        if address in living:
            return
        columns = {} if self.kind == SNAPSHOT else {"access_level": level}
        self.rules.allow(address, **columns)
        self._cast(cast)

    def deny(self, number: int, cast: bool = True) -> None:
        """Deny a rule, unless that is asked for already."""
        found = [
            rule
            for rule, state in sorted(self.rules.states().items())
            if state not in ("queued_to_deny", "denying")
        ]
        if found:
            self.rules.set(found[number % len(found)], "queued_to_deny")
            self._cast(cast)

    def change(self, number: int, cast: bool = True) -> None:
        """Turn the level of an active rule round."""
        found = [rule for rule, state in sorted(self.rules.states().items()) if state == "active"]
        if not found or self.kind == SNAPSHOT:
            return
        rule = found[number % len(found)]
        level = LEVELS[1 - LEVELS.index(self.rules.row(rule)["access_level"])]
        table = self.rules.rules
        with self.site.database.writer() as connection:
            connection.execute(table.update().where(table.c.id == rule).values(access_level=level))
        self.rules.set(rule, "queued_to_update")
        self._cast(cast)

    def read_only(self, value: bool) -> None:
        if self.kind == SNAPSHOT:
            return
        key, now = self.share["instance_id"], self.site.clock.now()
        with self.site.database.writer() as connection:
            execute_writes(connection, [access_changes.read_only(key, value, now)])
        self._cast(True)

    def _cast(self, wanted: bool) -> None:
        if not wanted:
            return
        with self._calm():
            if self.kind == SNAPSHOT:
                key = self.snapshot["instance_id"]
                self.site.cast("snapshot_update_access", snapshot_instance_id=key)
            else:
                self.site.cast("update_access", share_instance_id=self.share["instance_id"])

    @contextlib.contextmanager
    def _calm(self) -> Any:
        """Nothing happens meanwhile: an API does not die with the service."""
        script, self.script = self.script, []
        try:
            yield
        finally:
            self.script = script

    # -- what happens --------------------------------------------------------------------------

    def _reach(self, name: str) -> None:
        # In the middle of a transaction nobody else can write to SQLite.
        self._happen((CRASH,) if name.endswith("before_commit") else EVENTS)

    def _happen(self, possible: tuple[str, ...] = EVENTS) -> None:
        event = self.script.pop(0) if self.script else CALM
        if event not in possible:
            return
        if event == CRASH:
            raise Crash()
        if event == STOP:
            self.stopping = True
            self.site.worker.runner.drain()
        self.ask(event, self.calls + len(self.script))

    def ask(self, event: str, number: int) -> None:
        """Have an API do what the event says."""
        if event in (ALLOW, SILENT):
            self.allow(number, cast=event == ALLOW)
        elif event == DENY:
            self.deny(number)
        elif event == CHANGE:
            self.change(number)

    # -- the driver ----------------------------------------------------------------------------

    def _result(self) -> str:
        self.calls += 1
        return self.results.pop(0) if self.results else OK

    def _update(
        self, context: Any, share: Any, access_rules: Any, *, add_rules: Any, delete_rules: Any,
        share_server: Any = None,
    ) -> Mapping[str, Any] | None:  # fmt: skip
        """update_access and snapshot_update_access."""
        result = self._result()
        self._fail(result, REFUSED, BUSY)
        wanted = {rule["access_id"]: rule["access_level"] for rule in access_rules}
        refused = next(iter(sorted(wanted)), None) if result == ONE else None
        if self.kind == SNAPSHOT:
            refused = None
        wanted.pop(refused, None)
        steps = self._steps(wanted, [rule["access_id"] for rule in add_rules],
                            [rule["access_id"] for rule in delete_rules])  # fmt: skip
        if refused is not None:
            steps.append(lambda: self.storage.pop(refused, None))
        for number, step in enumerate(steps):
            if number == len(steps) // 2:
                self._happen()
                self._fail(result, HALF, DEAD)
            step()
        self._fail(result, LATE, HALF, DEAD)
        if self.kind == SNAPSHOT:
            return None
        new = [rule["access_id"] for rule in add_rules if rule["access_id"] in wanted]
        told = {rule: f"key {self.calls} of {rule}" for rule in new}
        self.keys.update(told)
        refusal = {refused: {"state": "error"}} if refused is not None else {}
        return {**{rule: {"access_key": key} for rule, key in told.items()}, **refusal}

    def _steps(
        self, wanted: dict[str, str], added: list[str], gone: list[str]
    ) -> list[Callable[[], Any]]:
        """What has to be done to the storage, by the kind of the driver."""
        if self.kind == BULK or not (added or gone):
            gone = [rule for rule in self.storage if rule not in wanted]
            added = list(wanted)
        return [
            *(lambda rule=rule: self.storage.pop(rule, None) for rule in gone),
            *(
                lambda rule=rule: self.storage.update({rule: wanted[rule]})
                for rule in added
                if rule in wanted
            ),
        ]

    def _fail(self, result: str, *these: str) -> None:
        if result not in these:
            return
        if result == DEAD:
            raise Crash()
        if result == BUSY:
            raise exception.BackendBusy("later")
        raise exception.ShareBackendException(msg=result)

    def _allow(self, context: Any, share: Any, access: Any, share_server: Any = None) -> None:
        result = self._result()
        self._fail(result, REFUSED, BUSY, ONE)
        self._happen()
        if access["access_id"] in self.storage:
            raise exception.ShareAccessExists(access_type="ip", access=access["access_to"])
        self._fail(result, HALF)
        self.storage[access["access_id"]] = access["access_level"]
        self._fail(result, LATE, DEAD)

    def _deny(self, context: Any, share: Any, access: Any, share_server: Any = None) -> None:
        result = self._result()
        self._fail(result, REFUSED, BUSY, ONE, HALF)
        self._happen()
        self.storage.pop(access["access_id"], None)
        self._fail(result, LATE, DEAD)

    # -- the service ---------------------------------------------------------------------------

    def work(self, jobs: int) -> None:
        """Run so many dispatches; die and be replaced where the script says so."""
        for _ in range(jobs):
            try:
                self.site.worker.fire_timers()
                if not self.site.worker.run_one() and not self.site.worker.claim():
                    return
            except Crash:
                self._replaced()
            if self.stopping:
                self._replaced()

    def _replaced(self) -> None:
        self.crashes += not self.stopping
        self.stopping = False
        with self._calm():
            self.site.take_over()

    def retry_what_failed(self) -> None:
        """What an operator does after an outage, beginning with the newest."""
        operations = self.site.rows(lite.operations, state="failed")
        for row in sorted(operations, key=lambda row: row["id"], reverse=True):
            self.site.retry(row["uuid"])

    def settle(self) -> None:
        """Let everything come to its end, in peace; casts that were lost are found."""
        self.script, self.results = [], []
        if self.stopping:
            self._replaced()
        for _ in range(200):
            self.site.run()
            if not self.site.unfinished():
                break
            self.site.clock.advance(60)
        self.site.clock.advance(2 * 3600)
        flows.reconcile(self.site.environment, self.site.worker.journal)
        self.site.run()
