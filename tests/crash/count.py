# SPDX-License-Identifier: Apache-2.0
"""The honest count: what was lost, done twice, left behind; from the database and the driver."""

import collections
import dataclasses
import datetime
import json

import sqlalchemy as sa

from manila_lite import states
from manila_lite.db import models


@dataclasses.dataclass
class Count:
    """What went wrong; empty when nothing did.

    lost: casts without an operation, or whose operation says "succeeded" without its effect.
    repeated: work done again after it was recorded as done. stuck: open operations, and resources
    in a transitional status. failed: operations that did not succeed. unexplained: resources in
    error that their user was told nothing about. miscounted: quota usages that show a write which
    was applied twice, or not at all.
    """

    lost: list = dataclasses.field(default_factory=list)
    repeated: list = dataclasses.field(default_factory=list)
    stuck: list = dataclasses.field(default_factory=list)
    failed: list = dataclasses.field(default_factory=list)
    unexplained: list = dataclasses.field(default_factory=list)
    miscounted: list = dataclasses.field(default_factory=list)


NOTHING_WRONG = Count()


@dataclasses.dataclass(frozen=True)
class Death:
    """What was known to be done when no process lived: (driver's method, id), and the number of
    lines that the driver's journal had."""

    lines: int
    done: frozenset


def note_death(site):
    """Take down, while no process of the daemon lives, which steps are recorded as done."""
    by_key = {cast.key: cast for cast in site.casts}
    done = set()
    for row in site.daemon.operations():
        cast = by_key.get((row["method"], row["resource_id"]))
        steps = json.loads(row["steps"])
        for step, call in (cast.calls if cast else {}).items():
            if row["finished"] or steps.get(step, {}).get("state") == "done":
                done.add((call, cast.driver_id))
    return Death(len(site.calls.entries()), frozenset(done))


def count(site, deaths=()):
    """Count over all casts of the site; deaths: what note_death() returned."""
    found = Count()
    entries = site.calls.entries()
    operations = site.daemon.operations()
    by_key = collections.defaultdict(list)
    for row in operations:
        by_key[row["method"], row["resource_id"]].append(row)
    ended = {(e["method"], e["id"]) for e in entries if e["phase"] == "end"}
    with site.database.reader() as connection:
        for cast in site.casts:
            _look_at(found, cast, by_key[cast.key], ended, connection)
        _look_at_resources(found, site, connection)
        _look_at_usages(found, site, connection)
    found.repeated += _after_a_restart(entries, deaths)
    found.repeated += _after_the_end(entries, site.casts, by_key)
    found.repeated += _made_again(entries)
    found.stuck += [f"{r['method']} {r['resource_id']}" for r in operations if not r["finished"]]
    return found


def _look_at(found, cast, rows, ended, connection):
    name = f"{cast.method} {cast.resource_id}"
    if not rows:
        found.lost.append(f"{name}: no operation")
        return
    if len(rows) > 1:
        found.repeated.append(f"{name}: {len(rows)} operations")
    *_, last_call = cast.calls.values()
    if rows[0]["state"] != "succeeded":
        found.failed.append(f"{name}: {rows[0]['state']}: {rows[0]['error']}")
    elif (last_call, cast.driver_id) not in ended:
        found.lost.append(f"{name}: no call came to an end: {rows[0]['result']}")
    elif not _shows_effect(connection, cast):
        found.lost.append(f"{name}: the rows do not show it: {rows[0]['result']}")


def _shows_effect(connection, cast):
    if cast.method in ("extend_share", "shrink_share"):
        return (
            _row(connection, models.shares, cast.resource_id)["size"]
            == (cast.arguments["new_size"])
        )
    of_snapshot = cast.method.endswith("_snapshot")
    table = models.share_snapshot_instances if of_snapshot else models.share_instances
    row = _row(connection, table, cast.driver_id)
    if cast.method.startswith("delete"):
        return row["deleted"] != "False"
    return row["status"] == states.AVAILABLE


def _row(connection, table, key):
    return connection.execute(sa.select(table).where(table.c.id == key)).mappings().one()


def _after_a_restart(entries, deaths):
    return [
        f"{e['method']} {e['id']}: begun though it was recorded as done before a restart"
        for death in deaths
        for e in entries[death.lines :]
        if e["phase"] == "begin" and (e["method"], e["id"]) in death.done
    ]


def _after_the_end(entries, casts, by_key):
    begun = collections.defaultdict(list)
    for e in entries:
        if e["phase"] == "begin":
            begun[e["method"], e["id"]].append(datetime.datetime.fromisoformat(e["at"]))
    return [
        f"{call} {cast.driver_id}: begun after its operation's end"
        for cast in casts
        for row in by_key[cast.key]
        for call in cast.calls.values()
        for moment in begun[call, cast.driver_id]
        if row["finished_at"] is not None and moment > row["finished_at"]
    ]


def _made_again(entries):
    """Creations of what is there: the driver can be asked, so they need not be."""
    made, again = set(), []
    for e in entries:
        if not e["method"].startswith("create_share"):
            continue
        if e["phase"] == "end":
            made.add(e["id"])
        elif e["phase"] == "begin" and e["id"] in made:
            again.append(f"{e['method']} {e['id']}: begun though the share was there")
    return again


def _look_at_resources(found, site, connection):
    i, s, m = (t.c for t in (models.share_instances, models.share_snapshot_instances,
                             models.messages))  # fmt: skip
    told = set(connection.execute(sa.select(m.resource_id)).scalars())
    queries = (
        sa.select(i.status, i.share_id).where(i.host == site.pool, i.deleted == "False"),
        sa.select(s.status, s.snapshot_id).where(
            s.project_id == site.project_id, s.deleted == "False"
        ),
    )
    for query in queries:
        for status, key in connection.execute(query):
            if status in states.UNDERWAY:
                found.stuck.append(f"{status}: {key}")
            elif status != states.AVAILABLE and key not in told:
                found.unexplained.append(f"{status}: {key}")


def _look_at_usages(found, site, connection):
    u = models.quota_usages.c
    mine = sa.select(u.resource, u.in_use).where(u.project_id == site.project_id)
    shown = dict(connection.execute(mine).all())
    for number, size, table in (
        ("shares", "gigabytes", models.shares),
        ("snapshots", "snapshot_gigabytes", models.share_snapshots),
    ):
        c = table.c
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(c.size), 0)).where(
            c.project_id == site.project_id, c.deleted == "False"
        )
        there = zip((number, size), connection.execute(query).one(), strict=True)
        found.miscounted += [
            f"{name}: {shown.get(name, 0)} instead of {amount}"
            for name, amount in there
            if shown.get(name, 0) != int(amount)
        ]
