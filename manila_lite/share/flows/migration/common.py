# SPDX-License-Identifier: Apache-2.0
"""A migration as its flows and its driver see it: source, destination, and their snapshots."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db import shares as share_rows
from manila_lite.db import snapshots as snapshot_rows
from manila_lite.db.records import Record
from manila_lite.share.environment import ShareEnvironment

#: The lane on which the first phase waits.
PHASE1_LANE: Final = "migration:{share_id}"
_MOST: Final = 99  # percent: 100 is the end, which no driver's first phase is


@dataclasses.dataclass
class Migration:
    """Two instances of a share. mappings: {id of a source's snapshot: the destination's one}."""

    source: Record
    destination: Record
    snapshots: list[Record]
    mappings: dict[str, Record]

    @property
    def share_id(self) -> str:
        return str(self.source["share_id"])

    @property
    def task_state(self) -> str | None:
        found: str | None = self.source["task_state"]
        return found

    def call(self, method: Callable[..., Any], context: Any) -> Any:
        """Call one of the driver's methods that take a whole migration."""
        return method(
            context,
            self.source,
            self.destination,
            self.snapshots,
            self.mappings,
            share_server=self.source["share_server"],
            destination_share_server=self.destination["share_server"],
        )


def read(environment: ShareEnvironment, source_id: str, destination_id: str) -> Migration | None:
    """Return the migration between two share instances; None where either is gone."""
    source = environment.complete_instances.get(source_id)
    destination = environment.complete_instances.get(destination_id)
    if source is None or destination is None:
        return None
    return with_snapshots(environment, source, destination)


def with_snapshots(environment: ShareEnvironment, source: Record, destination: Record) -> Migration:
    """Return the migration between two share instances, with those snapshots that go along."""
    owners = {source["id"]: source, destination["id"]: destination}
    found = environment.db.run(
        lambda connection: _snapshots(environment, connection, owners), write=False
    )
    there = {s["snapshot_id"]: s for s in found if s["share_instance_id"] == destination["id"]}
    along = [
        snapshot
        for snapshot in found
        if snapshot["share_instance_id"] == source["id"] and snapshot["snapshot_id"] in there
    ]
    mappings = {snapshot["id"]: there[snapshot["snapshot_id"]] for snapshot in along}
    return Migration(source, destination, along, mappings)


def snapshots_of(environment: ShareEnvironment, source: Record) -> list[Record]:
    """Return all snapshots of a share instance."""
    owners = {source["id"]: source}
    return environment.db.run(lambda c: _snapshots(environment, c, owners), write=False)


def _snapshots(
    environment: ShareEnvironment, connection: Connection, owners: Mapping[str, Record]
) -> list[Record]:
    found = snapshot_rows.on_instances(
        connection,
        list(owners),
        environment.snapshot_name_template,
        environment.share_name_template,
    )
    for snapshot in found:
        snapshot_rows.with_share(snapshot, owners[snapshot["share_instance_id"]])
        if snapshot["share"]["mount_snapshot_support"]:
            snapshot["export_locations"] = snapshot_rows.export_locations_of(
                connection, snapshot["id"]
            )
    return found


def source_of(environment: ShareEnvironment, share_id: str) -> Record | None:
    """Return the instance that a share is migrated from, if it is on this back end."""
    return _find(
        environment,
        share_id,
        lambda one: (
            one["status"] == states.MIGRATING
            and share_rows.backend_of(one["host"]) == environment.host
        ),
    )


def destination_of(environment: ShareEnvironment, share_id: str) -> Record | None:
    """Return the instance that a share is migrated to, wherever it is."""
    return _find(environment, share_id, lambda one: one["status"] == states.MIGRATING_TO)


def _find(
    environment: ShareEnvironment, share_id: str, is_meant: Callable[[Record], bool]
) -> Record | None:
    def work(connection: Connection) -> Record | None:
        template = environment.share_name_template
        found = share_rows.list_instances_of_share(connection, share_id, template)
        meant = [one for one in found if is_meant(one)][:1]
        return share_rows.complete(connection, meant)[0] if meant else None

    return environment.db.run(work, write=False)


def percent(answer: Any, before: int) -> int:
    """Return the driver's total_progress as it is shown: never less than before, never 100."""
    value = answer.get("total_progress") if isinstance(answer, Mapping) else None
    try:
        found = int(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        found = 0
    return max(before, min(found, _MOST))


def percent_of(text: str | None) -> int:
    """Return the number in a progress such as "40%"; 0 where there is none."""
    number = (text or "").partition("%")[0]
    return int(number) if number.isdecimal() else 0
