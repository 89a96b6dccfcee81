# SPDX-License-Identifier: Apache-2.0
import copy
import json
import pickle

import pytest

from manila_lite.db.records import Record


def test_a_record_answers_by_key_and_by_attribute():
    record = Record(id="one", size=3)

    assert (record["id"], record.id, record.get("size")) == ("one", "one", 3)


def test_an_absent_name_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="share_server"):
        Record(id="one").share_server  # noqa: B018


def test_getattr_with_a_default_works_as_on_any_object():
    assert getattr(Record(), "missing", 7) == 7
    assert not hasattr(Record(), "missing")


def test_setting_and_deleting_an_attribute_changes_the_key():
    record = Record(id="one")
    record.size = 5
    del record.id

    assert record == {"size": 5}


def test_deleting_an_absent_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError):
        del Record().id


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, Record.copy, lambda r: pickle.loads(pickle.dumps(r))],
)
def test_copies_of_a_record_are_equal_records(duplicate):
    record = Record(id="one", export_locations=[{"path": "/a"}])

    twin = duplicate(record)

    assert twin == record
    assert isinstance(twin, Record)
    assert twin is not record


def test_a_deep_copy_shares_nothing_with_the_original():
    record = Record(export_locations=[{"path": "/a"}])

    copy.deepcopy(record).export_locations[0]["path"] = "/b"

    assert record.export_locations == [{"path": "/a"}]


def test_merged_leaves_the_original_alone():
    record = Record(id="one", status="creating")

    merged = record.merged({"status": "available"})

    assert (record.status, merged.status, type(merged)) == ("creating", "available", Record)


def test_a_record_becomes_plain_json_and_a_plain_dict():
    record = Record(id="one")

    assert json.loads(json.dumps(record)) == {"id": "one"}
    assert type(record.to_dict()) is dict


def test_records_are_built_from_mappings_and_from_lists_of_them():
    assert Record.all([{"id": "one"}, {"id": "two"}]) == [{"id": "one"}, {"id": "two"}]
    assert isinstance(Record.of({"id": "one"}), Record)
