# SPDX-License-Identifier: Apache-2.0
"""How the rules of an instance are brought to the storage: in passes, until nothing is queued.

A pass takes all that is queued (queued_to_apply becomes applying, queued_to_deny denying,
queued_to_update updating), gives it to the driver, and settles it. What an API queues meanwhile is
the next pass's. After a crash, what is under way is given to the driver once more.
"""

from __future__ import annotations

import abc
import datetime
from collections.abc import Sequence
from typing import Any, Final

from manila_lite import states
from manila_lite.db.access_changes import RuleChanges, keys
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Operation
from manila_lite.share.flows import common
from manila_lite.share.flows.access_driver import Answer, Change, change_of

#: A bound for what one operation writes down; what is queued behind it has casts of its own.
MOST_PASSES: Final = 100


class Subject(abc.ABC):
    """The instance of a share or of a snapshot whose rules are brought in line."""

    changes: RuleChanges
    read_only = False

    def __init__(self, op: Operation, instance: Record) -> None:
        self.op = op
        self.instance = instance

    @abc.abstractmethod
    def rules(self) -> list[Record]:
        """Return the rules as they are now, with their states on the instance."""

    @abc.abstractmethod
    def send(self, change: Change) -> Answer:
        """Give a change to the driver. Raises what it raises."""

    @abc.abstractmethod
    def tell_user(self, now: datetime.datetime) -> list[Write]:
        """Say that rules ended in error."""

    def is_untold(self, rules: Sequence[Record]) -> bool:
        """Whether an earlier update failed, and no rule says so: one shall be made up for."""
        return False

    def at_rest(self, now: datetime.datetime) -> list[Write]:
        """Return what has to be written where nothing is due."""
        return []


def bring_in_line(op: Operation, subject: Subject) -> None:
    """Carry out passes until nothing is queued, and finish the operation."""
    key = subject.instance["id"]
    for number in range(1, MOST_PASSES + 1):
        if op.is_done(f"settle {number}"):
            continue
        if not op.is_done(f"begin {number}"):
            rules = subject.rules()
            if _are_any(rules, states.ACCESS_QUEUED | states.ACCESS_UNDERWAY):
                op.record(f"begin {number}", subject.changes.begin(key, op.clock.now()))
            elif not subject.is_untold(rules):
                at_rest = subject.at_rest(op.clock.now())
                return common.skip(op, "no access rule is queued", at_rest)
        writes = _update(op, subject, number)
        if number == MOST_PASSES or not _are_any(subject.rules(), states.ACCESS_QUEUED):
            return op.finish(writes)
        op.record(f"settle {number}", writes)


def failed(op: Operation, subject: Subject) -> list[Write]:
    """Put all rules that were under way into error."""
    now = op.clock.now()
    return [*subject.changes.failed(subject.instance["id"], now), *subject.tell_user(now)]


def keep_keys(op: Operation, answer: Answer) -> None:
    """Write the access keys of a driver's answer, before the step ends that asked for it.

    They are no part of a step's result, which the journal shows; and nobody would have them where
    the service stops right after it.
    """
    if answer.keys:
        common.write(op.env, keys(answer.keys, op.clock.now()))


def _are_any(rules: Sequence[Record], wanted: frozenset[str]) -> bool:
    return any(rule["state"] in wanted for rule in rules)


def _update(op: Operation, subject: Subject, number: int) -> list[Write]:
    """Ask the driver; return what became of the rules."""

    def update() -> dict[str, Any]:
        change = change_of(subject.rules(), subject.read_only)
        answer = subject.send(change)
        keep_keys(op, answer)
        denied = {rule["access_id"] for rule in change.gone} - answer.refused
        return {"refused": sorted(answer.refused), "denied": sorted(denied)}

    done = op.step(f"update {number}", update, probe=lambda: AGAIN, retry=common.DRIVER)
    now = op.clock.now()
    writes = subject.changes.settled(subject.instance["id"], now, **done)
    return writes + (subject.tell_user(now) if done["refused"] else [])
