# SPDX-License-Identifier: Apache-2.0
import sqlalchemy as sa

from manila_lite.db.models import backend_info, share_metadata
from manila_lite.db.writes import Write, execute_writes

ADD = share_metadata.insert()
RENAME = (
    share_metadata.update()
    .where(share_metadata.c.key == sa.bindparam("b_key"))
    .values(value=sa.bindparam("b_value"))
)
CLEAR = share_metadata.delete()


def add(key, **more):
    return Write(ADD, {"share_id": "s", "key": key, "value": "old", **more})


def rename(key, value):
    return Write(RENAME, {"b_key": key, "b_value": value})


def values(database):
    with database.reader() as connection:
        rows = connection.execute(sa.select(share_metadata.c.key, share_metadata.c.value))
        return {key: value for key, value in rows}  # noqa: C416


def statements(database):
    """Record (statement text, how many rows) of what a writer sends."""
    sent = []

    @sa.event.listens_for(database._writer, "before_cursor_execute")
    def note(_connection, _cursor, text, parameters, _context, many):
        sent.append((text.split()[0], len(parameters) if many else 1))

    return sent


def run(database, bundles):
    database.run(lambda connection: execute_writes(connection, bundles))


def test_writes_of_a_bundle_happen_in_its_order(memory_database):
    run(memory_database, [[add("a"), rename("a", "new")], [rename("b", "lost"), add("b")]])

    assert values(memory_database) == {"a": "new", "b": "old"}


def test_the_same_statement_of_many_bundles_is_sent_once(memory_database):
    sent = statements(memory_database)

    run(memory_database, [[add(str(n)), rename(str(n), "new")] for n in range(50)])

    assert [one for one in sent if one[0] != "BEGIN"] == [("INSERT", 50), ("UPDATE", 50)]
    assert set(values(memory_database).values()) == {"new"}


def test_bundles_of_different_length_and_kind_are_carried_out_whole(memory_database):
    other = Write(backend_info.insert(), {"host": "h", "info_hash": "x"})

    run(memory_database, [[], [other], [add("a"), rename("a", "new"), add("b")], [add("c")]])

    assert values(memory_database) == {"a": "new", "b": "old", "c": "old"}
    with memory_database.reader() as connection:
        assert connection.execute(sa.select(backend_info.c.host)).scalars().all() == ["h"]


def test_rows_that_name_different_columns_do_not_share_a_statement(memory_database):
    run(memory_database, [[add("a")], [add("b", deleted=7)], [add("c")]])

    with memory_database.reader() as connection:
        rows = connection.execute(sa.select(share_metadata.c.key, share_metadata.c.deleted)).all()
    assert sorted(rows) == [("a", 0), ("b", 7), ("c", 0)]


def test_writes_without_values_are_each_carried_out(memory_database):
    run(memory_database, [[add("a")], [Write(CLEAR)], [Write(CLEAR), add("b")]])

    assert values(memory_database) == {"b": "old"}


def test_no_bundles_means_no_statements(memory_database):
    sent = statements(memory_database)

    run(memory_database, [])

    assert [text for text, _ in sent if text != "BEGIN"] == []
