# SPDX-License-Identifier: Apache-2.0
"""The journal: recorded once, in one transaction, in the lanes where it belongs."""

import contextlib
import json

import pytest
from oslo_db import exception as db_exc

from manila_lite.db import operation_requests
from manila_lite.db import operations as rows
from manila_lite.engine.journal import Journal, NewDeadLetter, NewOperation
from tests.support.engine import HOST, Bench


@pytest.fixture
def journal(bench: Bench) -> Journal:
    bench.flow(_make, lane="share:{share_id}", resource=("share", "share_id"))
    return Journal(bench.database, HOST, bench.registry, bench.clock)


def _make(op, share_id, size=1):
    return None


def _cast(share_id="a", message_id=None, **context) -> NewOperation:
    new = NewOperation("_make", {"share_id": share_id}, context=context)
    return new if message_id is None else _with_id(new, message_id)


def _with_id(new: NewOperation, message_id: str) -> NewOperation:
    return NewOperation(new.method, new.arguments, context=new.context, message_id=message_id)


def _listed(bench: Bench) -> list[dict]:
    with bench.database.reader() as connection:
        return operation_requests.list_operations(connection, most=1000)[::-1]


def test_a_batch_is_recorded_in_the_order_in_which_it_came(bench: Bench, journal: Journal):
    recorded = journal.record([_cast(str(number)) for number in range(20)])

    assert [row["uuid"] for row in _listed(bench)] == [item.uuid for item in recorded]
    assert [json.loads(row["arguments"])["share_id"] for row in _listed(bench)] == [
        str(number) for number in range(20)
    ]


def test_a_row_says_whom_it_belongs_to(bench: Bench, journal: Journal):
    journal.record([_cast("s1", request_id="req-1", project_id="p1")])
    (row,) = _listed(bench)

    assert (row["lane"], row["state"], row["host"]) == ("share:s1", "queued", HOST)
    assert (row["resource_type"], row["resource_id"]) == ("share", "s1")
    assert (row["request_id"], row["project_id"]) == ("req-1", "p1")


def test_a_message_that_is_delivered_again_is_not_recorded_again(bench: Bench, journal: Journal):
    (first,) = journal.record([_cast(message_id="m1")])
    (second,) = journal.record([_cast(message_id="m1")])

    assert first.uuid == second.uuid
    assert (first.duplicate, second.duplicate) == (False, True)
    assert len(_listed(bench)) == 1


def test_a_message_that_is_twice_in_a_batch_is_recorded_once(bench: Bench, journal: Journal):
    recorded = journal.record([_cast(message_id=name) for name in ("m1", "m2", "m1")])

    assert [item.duplicate for item in recorded] == [False, False, True]
    assert recorded[0].uuid == recorded[2].uuid
    assert len(_listed(bench)) == 2


def test_a_message_whose_operation_is_finished_is_still_known(bench: Bench, journal: Journal):
    (first,) = journal.record([_cast(message_id="m1")])
    bench.worker().run_until_idle()
    (second,) = journal.record([_cast(message_id="m1")])

    assert second.duplicate and second.uuid == first.uuid
    assert bench.state(first.uuid) == "succeeded"


def test_the_same_message_id_on_another_host_is_another_message(bench: Bench, journal: Journal):
    other = Journal(bench.database, "host@other", bench.registry, bench.clock)
    (here,) = journal.record([_cast(message_id="m1")])
    (there,) = other.record([_cast(message_id="m1")])

    assert not there.duplicate
    assert here.uuid != there.uuid


def test_message_ids_that_differ_in_case_only_are_two(bench: Bench, journal: Journal):
    recorded = journal.record([_cast(message_id="abc"), _cast(message_id="ABC")])

    assert [item.duplicate for item in recorded] == [False, False]


def test_two_workers_that_record_the_same_message_at_once_make_one_operation(
    bench: Bench, journal: Journal, monkeypatch: pytest.MonkeyPatch
):
    other = Journal(bench.database, HOST, bench.registry, bench.clock)
    intact, raced = rows.seen, []

    def seen(connection, host, message_ids):
        """Just after this worker looked, the other one records the very same message."""
        found = intact(connection, host, message_ids)
        if not raced:
            raced.append(True)
            other.insert_on(connection, [_cast(message_id="m1")])
        return found

    monkeypatch.setattr(rows, "seen", seen)
    connections = []

    @contextlib.contextmanager
    def writer():
        with intact_writer() as connection:
            connections.append(connection)
            yield connection

    intact_writer = bench.database.writer
    monkeypatch.setattr(bench.database, "writer", writer)
    recorded = journal.record([_cast(message_id="m0"), _cast(message_id="m1")])

    # The race was in the first try's own transaction, so that try was rolled back as a whole.
    assert len(connections) == 2
    assert [item.duplicate for item in recorded] == [False, False]
    assert [row["message_id"] for row in _listed(bench)] == ["m0", "m1"]


def test_a_collision_that_does_not_end_is_raised_at_last(bench, journal, monkeypatch):
    def insert(connection, new):
        raise db_exc.DBDuplicateEntry()

    monkeypatch.setattr(rows, "insert", insert)

    with pytest.raises(db_exc.DBDuplicateEntry):
        journal.record([_cast()])


def test_a_batch_whose_commit_lost_its_answer_is_recorded_once(bench, journal, monkeypatch):
    left = [None]
    intact = bench.database.writer

    @contextlib.contextmanager
    def writer():
        with intact() as connection:
            yield connection
        if left:
            left.pop()
            raise db_exc.DBConnectionError()

    monkeypatch.setattr(bench.database, "writer", writer)
    letter = NewDeadLetter("not_json", "unreadable", b"{")
    recorded = journal.record([_cast("a"), _cast("b")], [letter])

    assert len(_listed(bench)) == 2
    assert {item.uuid for item in recorded} == {row["uuid"] for row in _listed(bench)}


def test_whoever_waits_for_work_is_told_after_the_commit_and_not_before(bench: Bench):
    seen = []
    bench.flow(_make, lane="share:{share_id}")
    journal = Journal(
        bench.database,
        HOST,
        bench.registry,
        bench.clock,
        on_recorded=lambda: seen.append(len(_listed(bench))),
    )
    journal.record([_cast(), _cast()])

    assert seen == [2]


def test_recording_nothing_is_no_error(bench: Bench, journal: Journal):
    assert journal.record([]) == []


def test_operations_can_be_recorded_in_a_transaction_of_the_callers(bench, journal):
    with contextlib.suppress(RuntimeError), bench.database.writer() as connection:
        journal.insert_on(connection, [_cast()])
        raise RuntimeError("the caller's own write failed")

    assert _listed(bench) == []


@pytest.mark.parametrize(
    "value", ["x" * 5000, "nul \x00", "lone \udc80", "käse ☃ 🐘", "", "{braces}", "%s"]
)
def test_whatever_an_id_looks_like_it_can_be_recorded_and_run(bench, journal, value):
    (recorded,) = journal.record([_cast(value, request_id=value, project_id=value)])
    bench.worker().run_until_idle()
    row = bench.row(recorded.uuid)

    assert row["state"] == "succeeded"
    assert "\x00" not in f"{row['lane']}{row['resource_id']}{row['request_id']}{row['project_id']}"
    assert max(len(row[name] or "") for name in ("lane", "resource_id", "request_id")) <= 255


@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], 17, True, None])
def test_an_id_that_is_no_text_can_be_recorded_and_run(bench, journal, value):
    (recorded,) = journal.record([_cast(value, request_id=value, project_id=value)])
    bench.worker().run_until_idle()

    assert bench.state(recorded.uuid) == "succeeded"


# -- lanes ---------------------------------------------------------------------------------------


def _lanes(bench: Bench, journal: Journal, *new: NewOperation) -> list[str]:
    with bench.database.reader() as connection:
        return journal.lanes(connection, new)


def _snapshot_flow(bench: Bench, **options):
    def delete_snapshot(op, snapshot_id, share_id=None):
        return None

    bench.flow(
        delete_snapshot, lane="share:{share_id}", resource=("snapshot", "snapshot_id"), **options
    )


def _resolving(bench: Bench, known: dict, asked: list | None = None) -> Journal:
    def resolve(connection, ids):
        if asked is not None:
            asked.append(sorted(ids))
        return {ident: known[ident] for ident in ids if ident in known}

    return Journal(
        bench.database,
        HOST,
        bench.registry,
        bench.clock,
        resolvers={"snapshot_id": ("share_id", resolve)},
    )


def test_a_lane_field_that_is_no_argument_is_looked_up_once_for_a_batch(bench: Bench):
    _snapshot_flow(bench)
    asked: list = []
    journal = _resolving(bench, {"n1": "s1", "n2": "s2"}, asked)
    new = [NewOperation("delete_snapshot", {"snapshot_id": f"n{n}"}) for n in (1, 2, 1)]

    assert _lanes(bench, journal, *new) == ["share:s1", "share:s2", "share:s1"]
    assert asked == [["n1", "n2"]]


def test_a_lane_field_that_is_an_argument_is_not_looked_up(bench: Bench):
    _snapshot_flow(bench)
    asked: list = []
    journal = _resolving(bench, {"n1": "wrong"}, asked)
    new = NewOperation("delete_snapshot", {"snapshot_id": "n1", "share_id": "s9"})

    assert _lanes(bench, journal, new) == ["share:s9"]
    assert asked == []


def test_an_argument_that_is_null_counts_as_absent(bench: Bench):
    _snapshot_flow(bench)
    journal = _resolving(bench, {"n1": "s1"})
    new = NewOperation("delete_snapshot", {"snapshot_id": "n1", "share_id": None})

    assert _lanes(bench, journal, new) == ["share:s1"]


def test_where_nothing_is_found_the_resource_has_a_lane_of_its_own(bench: Bench):
    _snapshot_flow(bench)
    journal = _resolving(bench, {})

    assert _lanes(bench, journal, NewOperation("delete_snapshot", {"snapshot_id": "n1"})) == [
        "snapshot:n1"
    ]


def test_where_there_is_not_even_a_resource_the_message_is_a_lane(bench: Bench):
    _snapshot_flow(bench)
    journal = _resolving(bench, {})
    new = [NewOperation("delete_snapshot", {}), NewOperation("unheard_of", {})]

    assert _lanes(bench, journal, *new) == [f"message:{item.message_id}" for item in new]


def test_a_flow_may_derive_its_lane_from_its_arguments(bench: Bench):
    _snapshot_flow(bench, lane_fields=lambda arguments: {"share_id": arguments["nested"]["id"]})
    journal = _resolving(bench, {})
    new = NewOperation("delete_snapshot", {"nested": {"id": "deep"}})

    assert _lanes(bench, journal, new) == ["share:deep"]


def test_arguments_of_which_no_lane_can_be_derived_do_not_stop_the_batch(bench: Bench):
    _snapshot_flow(bench, lane_fields=lambda arguments: {"share_id": arguments["nested"]["id"]})
    journal = _resolving(bench, {})
    new = NewOperation("delete_snapshot", {"snapshot_id": "n1", "nested": "not nested"})

    assert _lanes(bench, journal, new) == ["snapshot:n1"]


def test_a_lane_may_be_the_hosts(bench: Bench):
    def ensure(op):
        return None

    bench.flow(ensure, lane="ensure:{host}")
    journal = Journal(bench.database, HOST, bench.registry, bench.clock)

    assert _lanes(bench, journal, NewOperation("ensure", {})) == [f"ensure:{HOST}"]
