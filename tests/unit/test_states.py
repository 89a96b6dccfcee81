# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from manila_lite import states

KNOWN = json.loads((Path(__file__).parents[1] / "data" / "manila-statuses.json").read_text())


def test_share_statuses_are_manilas():
    assert set(KNOWN["share_statuses"]) == states.SHARE_STATUSES


def test_snapshot_statuses_are_manilas_and_those_of_deferred_and_finished_work():
    extra = {"deleted", "unmanaged", "deferred_deleting", "error_deferred_deleting"}

    assert set(KNOWN["snapshot_statuses"]) | extra == states.SNAPSHOT_STATUSES


def test_transitional_statuses_are_manilas():
    assert set(KNOWN["transitional_statuses"]) == states.TRANSITIONAL


@pytest.mark.parametrize("status", sorted(states.UNDERWAY))
def test_whatever_is_under_way_may_end_in_its_own_error_status(status):
    states.check_share_instance_transition(status, states.SHARE_ERROR_STATUS[status])


@pytest.mark.parametrize("status", sorted(states.UNDERWAY))
def test_whatever_is_under_way_may_end_well(status):
    endings = states.SHARE_TRANSITIONS[status] - set(states.SHARE_ERROR_STATUS.values())

    assert endings & {"available", "deleted", "unmanaged"}


def test_every_status_is_under_way_steady_or_terminal_and_only_one_of_them():
    parts = [states.UNDERWAY, states.STEADY, states.TERMINAL]

    assert frozenset().union(*parts) == states.SHARE_STATUSES
    assert sum(len(part) for part in parts) == len(states.SHARE_STATUSES)


@pytest.mark.parametrize("transitions", [states.SHARE_TRANSITIONS, states.SNAPSHOT_TRANSITIONS])
def test_nothing_follows_a_terminal_status_and_all_others_lead_somewhere(transitions):
    mentioned = set(transitions).union(*transitions.values())

    assert mentioned - set(transitions) == states.TERMINAL


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ("creating", "available", True),
        ("error", "creating", True),
        ("error", "deleting", True),
        ("error_deleting", "deleting", True),
        ("deleting", "error", True),
        ("deleting", "error_deleting", False),
        ("deleting", "available", False),
        ("available", "creating", False),
        ("deleted", "creating", False),
    ],
)
def test_groups_go_where_the_api_can_delete_them_again(old, new, allowed):
    if allowed:
        assert new in states.GROUP_TRANSITIONS[old]
        states.check_group_transition(old, new)
        return
    with pytest.raises(states.InvalidStatusTransition, match=f"'{old}' to '{new}'"):
        states.check_group_transition(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("creating", "available"),
        ("creating", "creating_from_snapshot"),
        ("creating_from_snapshot", "error"),
        ("deleting", "error_deleting"),
        ("deferred_deleting", "error_deferred_deleting"),
        ("shrinking", "shrinking_possible_data_loss_error"),
        ("error", "creating"),
    ],
)
def test_transitions_of_operations_are_allowed(old, new):
    states.check_share_instance_transition(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("deleting", "available"),
        ("deleting", "creating"),
        ("creating", "extending_error"),
        ("extending", "shrinking_error"),
        ("available", "creating"),
        ("deleted", "available"),
        ("deleted", "error"),
        ("no such status", "error"),
    ],
)
def test_other_transitions_are_refused_by_both_names(old, new):
    with pytest.raises(states.InvalidStatusTransition) as refused:
        states.check_share_instance_transition(old, new)

    assert f"'{old}'" in str(refused.value)
    assert f"'{new}'" in str(refused.value)


def test_a_busy_snapshot_may_go_back_from_deleting_to_available_but_a_share_may_not():
    states.check_snapshot_instance_transition("deleting", "available")
    with pytest.raises(states.InvalidStatusTransition, match="share instance"):
        states.check_share_instance_transition("deleting", "available")


def test_an_operation_may_overwrite_what_it_found_and_what_an_administrator_forced():
    allowed = states.may_be_overwritten("extending")

    assert {"extending", "available", "error", "error_deleting"} <= allowed


def test_an_operation_never_overwrites_the_transitional_status_of_another_one():
    assert states.may_be_overwritten("extending") & states.UNDERWAY == {"extending"}


def test_an_available_instance_speaks_for_a_share_before_one_in_error_or_in_transition():
    order = ["creating", "error", "available", "migrating", "replication_change"]

    assert sorted(order, key=states.rank) == [
        "replication_change", "migrating", "available", "error", "creating",
    ]  # fmt: skip


def test_a_status_that_nobody_knows_speaks_last():
    assert states.rank("made up") > max(map(states.rank, states.SHARE_STATUSES - states.TERMINAL))
