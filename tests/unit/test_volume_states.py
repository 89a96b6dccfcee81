# SPDX-License-Identifier: Apache-2.0
"""The rules of volumes' and snapshots' statuses, one by one."""

import pytest

from manila_lite import volume_states as states
from manila_lite.states import InvalidStatusTransition

OURS = states.UNDERWAY & states.VOLUME_STATUSES - states.OTHERS_WORK
# What Cinder's field of that name takes.
CINDERS_SNAPSHOT_STATUSES = {
    "error", "available", "creating", "deleting", "deleted", "updating", "error_deleting",
    "unmanaging", "backing-up", "restoring",
}  # fmt: skip


def test_snapshot_statuses_are_cinders():
    assert states.SNAPSHOT_STATUSES == CINDERS_SNAPSHOT_STATUSES


def test_every_volume_status_is_under_way_steady_or_terminal_and_only_one_of_them():
    parts = [states.UNDERWAY & states.VOLUME_STATUSES, states.STEADY, states.TERMINAL]

    assert frozenset().union(*parts) == states.VOLUME_STATUSES
    assert sum(len(part) for part in parts) == len(states.VOLUME_STATUSES)


@pytest.mark.parametrize("transitions", [states.VOLUME_TRANSITIONS, states.SNAPSHOT_TRANSITIONS])
def test_nothing_follows_a_terminal_status_and_all_others_lead_somewhere(transitions):
    mentioned = set(transitions).union(*transitions.values())

    assert mentioned - set(transitions) == states.TERMINAL


@pytest.mark.parametrize("status", sorted(OURS))
def test_whatever_is_under_way_here_may_end_well_and_badly(status):
    bad = states.failed_volume_status(status, states.AVAILABLE)

    states.check_volume_transition(status, bad)
    assert states.VOLUME_TRANSITIONS[status] & {"available", "deleted"}


@pytest.mark.parametrize("status", ["uploading", "retyping", "maintenance", "detaching"])
@pytest.mark.parametrize("previous", ["available", "in-use"])
def test_a_failure_that_does_no_harm_leaves_the_volume_as_it_was(status, previous):
    assert states.failed_volume_status(status, previous) == previous


@pytest.mark.parametrize("previous", [None, "creating", "no such status"])
def test_without_a_known_status_before_a_failure_is_an_error(previous):
    assert states.failed_volume_status("uploading", previous) == "error"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("creating", "available"),
        ("creating", "downloading"),
        ("downloading", "error"),
        ("deleting", "available"),
        ("extending", "in-use"),
        ("extending", "error_extending"),
        ("reverting", "error"),
        ("reserved", "attaching"),
        ("attaching", "in-use"),
        ("detaching", "available"),
        ("in-use", "extending"),
        ("error", "creating"),
        ("unmanaging", "error_unmanaging"),
    ],
)
def test_transitions_of_operations_are_allowed(old, new):
    states.check_volume_transition(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("in-use", "deleting"),
        ("in-use", "reverting"),
        ("deleting", "in-use"),
        ("creating", "in-use"),
        ("available", "creating"),
        ("deleted", "available"),
        ("no such status", "error"),
    ],
)
def test_other_transitions_are_refused_by_both_names(old, new):
    with pytest.raises(InvalidStatusTransition) as refused:
        states.check_volume_transition(old, new)

    assert f"'{old}'" in str(refused.value)
    assert f"'{new}'" in str(refused.value)


def test_a_snapshot_that_cannot_be_reverted_to_is_as_good_as_before():
    assert states.SNAPSHOT_ERROR_STATUS["restoring"] == "available"
    states.check_snapshot_transition("restoring", "available")
    with pytest.raises(InvalidStatusTransition, match="volume snapshot"):
        states.check_snapshot_transition("restoring", "error")


def test_an_operation_may_overwrite_what_it_found_and_what_an_administrator_forced():
    allowed = states.may_be_overwritten("extending")

    assert {"extending", "available", "error", "error_deleting"} <= allowed


def test_an_operation_never_overwrites_another_operations_status_nor_a_hold_on_the_volume():
    allowed = states.may_be_overwritten("extending")

    assert allowed & states.UNDERWAY == {"extending"}
    assert not allowed & states.HELD
    assert "in-use" in states.may_be_overwritten("in-use")


def test_nova_may_say_of_a_snapshot_what_the_contract_lists():
    assert {
        "creating": {"creating", "available", "error"},
        "deleting": {"deleting", "error_deleting"},
    } == states.CALLBACK_TRANSITIONS
