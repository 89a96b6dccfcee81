# SPDX-License-Identifier: Apache-2.0
"""Every scenario, undisturbed and under each disturbance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from manila_lite.testing.conformance import disturbances, groups, servers, shares, snapshots
from manila_lite.testing.conformance.disturbances import Disturbance
from manila_lite.testing.conformance.options import CLAIMED
from manila_lite.testing.conformance.scenarios import Scenario
from manila_lite.testing.conformance.site import Site

SCENARIOS: Final[tuple[type[Scenario], ...]] = (
    *shares.SCENARIOS,
    *snapshots.SCENARIOS,
    *groups.SCENARIOS,
    *servers.SCENARIOS,
)
#: The operation succeeds in spite of these.
DISTURBANCES: Final[dict[str, Callable[[], Disturbance]]] = {
    "twice": lambda: disturbances.twice,
    "killed before": lambda: disturbances.once(disturbances.killed_before),
    "killed after": lambda: disturbances.once(disturbances.killed_after),
    "storage busy": lambda: disturbances.once(disturbances.busy),
    "answer lost": lambda: disturbances.once(disturbances.answer_lost),
}


def scenarios(*, only: Callable[[type[Scenario]], bool] = lambda kind: True) -> Any:
    """Parametrize a test by scenarios, with names that people read."""
    chosen = [kind for kind in SCENARIOS if only(kind)]
    return pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in chosen])


@pytest.fixture
def says(record_property: Any) -> Callable[[type[Scenario], str], None]:
    """Say in the report which scenario and which variation a test is."""
    return lambda kind, variation: record_property("conformance", f"{kind.name}: {variation}")


def claimed(kind: type[Scenario], site: Site) -> Scenario:
    """Return the scenario with all that it needs, or skip the test."""
    missing = kind.unclaimed(site)
    if missing is not None:
        pytest.skip(f"the driver does not claim {missing}")
    reason = kind.inapplicable(site)
    if reason is not None:
        pytest.skip(reason)
    scenario = kind(site)
    scenario.prepare()
    return scenario


def settle(scenario: Scenario) -> None:
    """Remove what was made; nothing may be left, and nothing stuck."""
    site = scenario.site
    assert not site.stuck(), f"stuck in a transitional status: {site.stuck()}"
    scenario.clean_up()
    servers.remove_all(site)
    left = site.statuses()
    assert not left, f"left after everything was deleted: {left}"


def perform(scenario: Scenario) -> None:
    row = scenario.site.finish(scenario.begin())
    assert row["state"] == "succeeded", f"{row['method']} failed: {row['error']}"
    scenario.check()


@scenarios()
def test_done(kind: type[Scenario], site: Site, says: Any) -> None:
    says(kind, "done")
    scenario = claimed(kind, site)
    perform(scenario)
    settle(scenario)


@pytest.mark.parametrize("variation", DISTURBANCES)
@scenarios()
def test_disturbed(kind: type[Scenario], variation: str, site: Site, says: Any) -> None:
    says(kind, variation)
    scenario = claimed(kind, site)
    interceptor = site.disturb(kind.methods, DISTURBANCES[variation]())
    perform(scenario)
    assert interceptor.called, f"the service called none of {', '.join(kind.methods)}"
    interceptor.remove()
    settle(scenario)


@scenarios(only=lambda kind: kind.name != "ensure_share")
def test_refused(kind: type[Scenario], site: Site, says: Any) -> None:
    says(kind, "refused")
    scenario = claimed(kind, site)
    with refusing(scenario):
        operation = scenario.begin()
        row = site.finish(operation)
    assert scenario.status() == scenario.error, f"it is {scenario.status()}: {row['error']}"
    assert scenario.told(), "the project has no message about it"
    if scenario.retried:
        row = site.retry(operation)
        assert row["state"] == "succeeded", f"done again, {row['method']} failed: {row['error']}"
        scenario.check()
    settle(scenario)


class refusing:  # noqa: N801 - reads as the statement that it is part of
    """Let every call of the scenario's methods fail inside the block."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario

    def __enter__(self) -> None:
        site, methods = self._scenario.site, self._scenario.methods
        self._interceptor = site.disturb(methods, disturbances.refused)

    def __exit__(self, *error: Any) -> None:
        self._interceptor.remove()


@scenarios(only=lambda kind: kind.can_be_unsupported)
def test_unsupported(kind: type[Scenario], site: Site, says: Any) -> None:
    says(kind, "not supported")
    if kind.unclaimed(site) is None:
        pytest.skip(f"{CLAIMED} {kind.name}")
    own = [method for method in kind.methods if site.redefines(method)]
    if own:
        pytest.skip(f"the driver does not claim {kind.unclaimed(site)}, but has {own[0]}")
    scenario = kind(site, pretend=True)
    scenario.prepare()
    others = dict(others_of(scenario))
    row = site.finish(scenario.begin())
    assert scenario.status() == scenario.error, f"it is {scenario.status()}: {row['error']}"
    assert scenario.told(), "the project has no message about it"
    assert dict(others_of(scenario)) == others, "something else has changed its status"
    assert not site.stuck(), f"stuck in a transitional status: {site.stuck()}"


def others_of(scenario: Scenario) -> Iterator[tuple[str, str]]:
    table, row_id, _ = scenario.resource
    mine = f"{table.name} {row_id}"
    return ((what, now) for what, now in scenario.site.statuses().items() if what != mine)
