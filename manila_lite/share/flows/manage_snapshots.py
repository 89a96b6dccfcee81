# SPDX-License-Identifier: Apache-2.0
"""manage_snapshot and unmanage_snapshot: snapshots on the storage become ours, or leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from manila_lite import exception, states
from manila_lite.db import export_locations, messages, quotas, share_changes, snapshot_changes
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common, manage, snapshots

_GONE = ("SnapshotResourceNotFound", "ShareSnapshotResourceNotFound")


# -- manage ------------------------------------------------------------------------------------


def managing_failed(
    op: Operation, error: BaseException, snapshot_id: str, driver_options: Any = None
) -> list[Write]:
    """Put the snapshot into manage_error, with a size of 0: it counts for nothing.

    One that another operation has managed by now keeps what it has.
    """
    instance = snapshots.get_snapshot(op, snapshot_id)
    if instance is None or _is_managed(instance):
        return []
    now = op.clock.now()
    old, new = states.MANAGE_STARTING, states.MANAGE_ERROR
    return [
        *snapshot_changes.move(instance["id"], old, new, now, size=0),
        *snapshot_changes.sized(snapshot_id, 0, now),
        *snapshots.tell(op, instance, messages.ACTION_CREATE),
    ]


def _is_managed(instance: Mapping[str, Any]) -> bool:
    return instance["status"] == states.AVAILABLE and instance["progress"] == share_changes.DONE


@flow(
    "manage_snapshot",
    version="1.9",
    lane="share:{share_id}",
    resource=("snapshot", "snapshot_id"),
    first_step="manage",
    on_failure=managing_failed,
)
def manage_snapshot(
    op: Operation, snapshot_id: str, driver_options: dict[str, Any] | None = None
) -> None:
    """Have the driver take over a snapshot that exists; keep what it returns about it.

    Where it does not tell the size, the snapshot counts as large as its share.
    """
    instance = snapshots.get_snapshot(op, snapshot_id)
    if instance is None:
        return common.skip(op, "the snapshot is deleted")
    if instance["status"] not in (states.MANAGE_STARTING, states.MANAGE_ERROR):
        return common.skip(op, f"the snapshot is {instance['status']}")
    snapshots.begin(op, instance, states.MANAGE_STARTING)
    share = snapshots.with_its_share(instance)["share"]
    found = op.step(
        "manage", _manage, _manager(op, instance, driver_options or {}), retry=common.DRIVER
    )
    now = op.clock.now()
    size = int(found["size"] or share["size"])
    deltas = {quotas.SNAPSHOTS: 1, quotas.SNAPSHOT_GIGABYTES: size}
    op.finish(
        snapshot_changes.created(instance, found, now, size=size),
        snapshot_changes.sized(snapshot_id, size, now),
        manage.newly_counted(op, instance, share["share_type_id"], deltas, now),
    )


def _manager(
    op: Operation, instance: Record, driver_options: Mapping[str, Any]
) -> Callable[[], Any]:
    """The driver's method for its mode, with its arguments."""
    driver = op.env.driver
    if not op.env.has_share_servers:
        return lambda: driver.manage_existing_snapshot(instance, driver_options)
    server = common.share_server(op, instance["share"])
    return lambda: driver.manage_existing_snapshot_with_server(
        instance, driver_options, share_server=server
    )


def _manage(manage_existing: Callable[[], Any]) -> dict[str, Any]:
    """Return what counts of the driver's answer: checked here, so that a retry asks again."""
    returned = snapshots.checked(manage_existing())
    size = returned.get("size")
    found = {"size": None if size is None else manage.whole_gib(size)}
    if size and found["size"] is None:
        raise exception.InvalidShareSnapshotInstance(
            reason=f"the driver returned {size!r:.100} for its size in GiB"
        )
    return {
        **found,
        "provider_location": returned.get("provider_location"),
        "export_locations": export_locations.normalize(returned.get("export_locations")),
    }


# -- unmanage ----------------------------------------------------------------------------------


def unmanaging_failed(op: Operation, error: BaseException, snapshot_id: str) -> list[Write]:
    """Put the snapshot into unmanage_error."""
    instance = snapshots.get_snapshot(op, snapshot_id)
    if instance is None:
        return []
    old, new = states.UNMANAGE_STARTING, states.UNMANAGE_ERROR
    return [
        *snapshot_changes.move(instance["id"], old, new, op.clock.now()),
        *snapshots.tell(op, instance, messages.ACTION_DELETE),
    ]


@flow(
    "unmanage_snapshot",
    version="1.9",
    lane="share:{share_id}",
    resource=("snapshot", "snapshot_id"),
    first_step="unmanage",
    on_failure=unmanaging_failed,
)
def unmanage_snapshot(op: Operation, snapshot_id: str) -> None:
    """Have the driver let go of a snapshot; remove its rows and its usage, not its data.

    Its access rules go with the rows; with unmanage_remove_access_rules they are taken off the
    storage first.
    """
    doomed = snapshots.doomed_of(op, snapshot_id)
    if doomed is None:
        return common.skip(op, "the snapshot is already gone")
    instance = doomed.instance
    if not _is_to_be_unmanaged(instance["status"]):
        return common.skip(op, f"the snapshot is {instance['status']}")
    snapshots.begin(op, instance, states.UNMANAGE_STARTING)
    share = snapshots.with_its_share(instance)["share"]
    server = common.share_server(op, share) if op.env.has_share_servers else None
    _deny(op, doomed, server)
    op.step(
        "unmanage", _unmanage, op.env, instance, server, probe=manage.again, retry=common.DRIVER
    )
    now = op.clock.now()
    op.finish(
        snapshot_changes.deleted(instance, now, rules=doomed.rules, metadata=doomed.metadata),
        snapshots.freed(instance, now),
    )


def _is_to_be_unmanaged(status: str) -> bool:
    own = states.UNMANAGE_STARTING
    return status == own or own in states.SNAPSHOT_TRANSITIONS.get(status, ())


def _deny(op: Operation, doomed: snapshots.Doomed, server: Record | None) -> None:
    applied = [rule for rule in doomed.rules if rule["mapping_id"] is not None]
    if not applied or not op.env.configuration.safe_get("unmanage_remove_access_rules"):
        return
    op.step(
        "deny access",
        snapshots.deny_all,
        op.env.driver,
        op.context,
        doomed.instance,
        applied,
        server,
        retry=common.DRIVER,
    )


def _unmanage(env: Any, instance: Record, server: Record | None) -> str | None:
    """Let go; a snapshot that is not on the storage need not be let go of."""
    try:
        if env.has_share_servers:
            env.driver.unmanage_snapshot_with_server(instance, share_server=server)
        else:
            env.driver.unmanage_snapshot(instance)
    except Exception as error:
        if not common.is_named(error, *_GONE):
            raise
        return "it is not on the storage"
    return None
