# SPDX-License-Identifier: Apache-2.0
"""The rules of share servers' statuses, one by one."""

import json
from pathlib import Path

import pytest

from manila_lite import server_states as states
from manila_lite.states import InvalidStatusTransition

KNOWN = json.loads((Path(__file__).parents[1] / "data" / "manila-statuses.json").read_text())


def test_statuses_are_manilas():
    assert set(KNOWN["share_server_statuses"]) == states.SERVER_STATUSES
    assert set(KNOWN["share_network_statuses"]) == states.NETWORK_STATUSES
    assert set(KNOWN["security_service_types"]) == set(states.SECURITY_SERVICE_TYPES)


def test_every_status_is_under_way_or_steady_and_nothing_follows_the_end():
    assert states.UNDERWAY | states.STEADY == states.SERVER_STATUSES
    mentioned = set(states.TRANSITIONS).union(*states.TRANSITIONS.values())
    assert mentioned - set(states.TRANSITIONS) == {states.DELETED}
    assert set(states.ERROR_STATUS) == states.UNDERWAY


@pytest.mark.parametrize("status", sorted(states.UNDERWAY))
def test_whatever_is_under_way_may_end_well_and_badly(status):
    states.check_server_transition(status, states.ERROR_STATUS[status])
    assert states.TRANSITIONS[status] & {states.ACTIVE, states.DELETED}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("active", "deleted"), ("creating", "deleting"), ("deleting", "active"),
        ("deleted", "creating"), ("network_change", "deleting"), ("odd", "active"),
    ],
)  # fmt: skip
def test_other_transitions_are_refused(old, new):
    with pytest.raises(InvalidStatusTransition):
        states.check_server_transition(old, new)


def test_an_operation_replaces_its_own_status_and_steady_ones():
    assert states.may_be_overwritten("creating") == states.STEADY | {"creating"}
    assert "deleting" not in states.may_be_overwritten("creating")
