# SPDX-License-Identifier: Apache-2.0
"""Access rules under every mishap: in the end the storage and the database say the same.

An API adds, denies and changes rules at any moment, also in the middle of an update and of a
driver's call; casts get lost; the process dies at any write and in any call; the driver fails
before, in the middle of and after what it does.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.model.access_world import (
    ALLOW,
    CHANGE,
    DENY,
    EVENTS,
    KINDS,
    RESULTS,
    SILENT,
    SINGLE,
    SNAPSHOT,
    AccessWorld,
)

NUMBERS = st.integers(0, 7)
ASKED = st.sampled_from([ALLOW, ALLOW, SILENT, DENY, CHANGE])
REACHED = {"crashes": 0, "calls": 0}


class AccessMachine(AccessWorld):
    """What may happen, one after the other."""

    @initialize(kind=st.sampled_from(KINDS))
    def a_driver_of_some_kind(self, kind: str) -> None:
        self.begin(kind)

    @precondition(lambda self: self.kind != SNAPSHOT)
    @rule(value=st.booleans())
    def rules_are_cast_to_read_only_or_back(self, value: bool) -> None:
        self.read_only(value)

    @rule(
        asked=st.lists(st.tuples(ASKED, NUMBERS), min_size=1, max_size=4),
        jobs=st.integers(1, 6),
        script=st.lists(st.sampled_from(EVENTS), min_size=4, max_size=16),
        results=st.lists(st.sampled_from(RESULTS), max_size=4),
    )
    def the_service_works(
        self, asked: list[tuple[str, int]], jobs: int, script: list[str], results: list[str]
    ) -> None:
        for event, number in asked:
            self.ask(event, number)
        self.script, self.results = script, results
        self.work(jobs)
        self.script, self.results = [], []

    @rule(seconds=st.integers(1, 120))
    def time_passes(self, seconds: int) -> None:
        self.site.clock.advance(seconds)
        self.work(3)

    @rule()
    def all_settles(self) -> None:
        self.settle()
        self._nothing_is_left_over()

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def every_rule_has_a_mapping_and_every_mapping_a_rule(self) -> None:
        if hasattr(self, "rules"):
            assert set(self.rules.states()) == self.rules.living()

    def _nothing_is_left_over(self) -> None:
        found = self.rules.states()
        assert self.site.unfinished() == 0
        assert set(found.values()) <= {"active", "error"}, found
        # What is active is there, as it says; and nobody else, but for rules of which a driver
        # said itself that it does not know.
        for rule_id in (rule_id for rule_id, state in found.items() if state == "active"):
            assert self.storage.get(rule_id) == self._level(rule_id)
            if self.kind != SNAPSHOT:
                assert self.rules.row(rule_id)["access_key"] == self.keys.get(rule_id)
        assert set(self.storage) <= set(found)
        if self.kind != SNAPSHOT:
            expected = "error" if "error" in found.values() else "active"
            assert self.rules.status() == expected

    def _level(self, rule_id: str) -> str:
        if self.kind == SNAPSHOT:
            return "ro"
        if self.site.instance(self.share)["cast_rules_to_readonly"]:
            return "ro"
        return str(self.rules.row(rule_id)["access_level"])

    def _check_the_end(self) -> None:
        """What failed is tried again, in peace, and both say the same; then all rules can go."""
        self.settle()
        self._nothing_is_left_over()
        self.retry_what_failed()
        self._nothing_is_left_over()
        found = self.rules.states()
        if self.kind not in (SINGLE, SNAPSHOT):
            # These two cannot be asked to make the storage agree with a list.
            active = {rule_id for rule_id, state in found.items() if state == "active"}
            assert set(self.storage) == active
        for rule_id in found:
            self.rules.set(rule_id, "queued_to_deny")
        self.rules.update()
        assert (self.rules.states(), self.rules.living(), self.storage) == ({}, set(), {})
        REACHED["crashes"] += self.crashes
        REACHED["calls"] += self.calls

    def teardown(self) -> None:
        try:
            if hasattr(self, "rules"):
                self._check_the_end()
        finally:
            self.end()


AccessMachine.TestCase.settings = settings(
    settings.default,
    max_examples=settings.default.max_examples + 100,
    stateful_step_count=20,
)


@pytest.mark.timeout(3600)
class TestAccessModel(AccessMachine.TestCase):
    """The number of steps bounds the time; a busy machine is no failure."""


def test_the_search_met_crashes_and_calls() -> None:
    if REACHED["calls"] == 0:
        pytest.skip("the search was not run")
    assert REACHED["crashes"] >= 50
    assert REACHED["calls"] >= 300
