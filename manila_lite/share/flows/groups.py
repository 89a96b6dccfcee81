# SPDX-License-Identifier: Apache-2.0
"""create_share_group and delete_share_group.

All operations of a group and of its snapshots run on the lane ``share_group:<group id>``. Those of
the shares in it run on the shares' own lanes, beside them: a new group's shares are in 'creating'
until the group is there, and nobody asks for anything of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.db import group_changes, messages, share_changes, share_groups
from manila_lite.db import models as tables
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Done, Operation, flow
from manila_lite.share.flows import common, create, group_answers, probes
from manila_lite.share.flows.group_answers import OF_GROUP, Update
from manila_lite.share.flows.servers import choosing

LANE = "share_group:{share_group_id}"
_MAKING = (states.CREATING, states.CREATING_FROM_SNAPSHOT)


class UnexpectedGroupNetwork(exception.ManilaException):
    message = (
        "Share group %(group)s belongs to a share network or a share server, but this back end "
        "works without share servers (driver_handles_share_servers = False)."
    )


def get_group(op: Operation, group_id: str) -> Record | None:
    """Return a group as drivers know it, with its share instances as ``shares``; or None.

    Its host is the back end's, without the pool.
    """

    def work(connection: Connection) -> Record | None:
        group = share_groups.get_group(connection, group_id)
        if group is not None:
            template = op.env.share_name_template
            group["shares"] = share_groups.shares_of_group(connection, group_id, template)
            group["host"] = op.env.host
        return group

    return common.read(op, work)


def share_server(op: Operation, group: Mapping[str, Any]) -> Record | None:
    """Return the share server that a group is on, None where it has none.

    Raises UnexpectedGroupNetwork, ShareServerNotFound.
    """
    if op.env.has_share_servers:
        return common.share_server(op, group)
    if group["share_network_id"] is not None or group["share_server_id"] is not None:
        raise UnexpectedGroupNetwork(group=group["id"])
    return None


def tell(
    op: Operation, group: Mapping[str, Any], action: str, error: BaseException | None = None
) -> list[Write]:
    """Write a message about a group for the project that owns it."""
    detail = messages.DETAIL_UNKNOWN_ERROR
    if isinstance(error, UnexpectedGroupNetwork):
        detail = messages.DETAIL_UNEXPECTED_NETWORK
    elif isinstance(error, exception.ShareServerNotCreated | exception.ShareServerNotFound):
        detail = messages.DETAIL_NO_SHARE_SERVER
    resource = (messages.RESOURCE_GROUP, group["id"])
    return common.tell_user(op, group, action, op.clock.now(), detail=detail, resource=resource)


# -- create ------------------------------------------------------------------------------------


def creation_failed(op: Operation, error: BaseException, share_group_id: str) -> list[Write]:
    """Put the group into error, and those of its shares that were being made with it."""
    group = get_group(op, share_group_id)
    if group is None:
        return []
    now = op.clock.now()
    old = common.own_status(group, states.CREATING)
    writes = [
        *group_changes.move_group(group["id"], old, states.ERROR, now, **_of_backend(op, group)),
        *tell(op, group, messages.ACTION_CREATE, error),
    ]
    for share in group["shares"]:
        if share["status"] in _MAKING and _is_made_with(group, share):
            writes += share_changes.move(share["id"], share["status"], states.ERROR, now)
            writes += common.tell_user(
                op, share, messages.ACTION_CREATE, now,
                detail=messages.DETAIL_DRIVER_FAILED_CREATING_FROM_SNAP,
            )  # fmt: skip
    return writes


def _is_made_with(group: Mapping[str, Any], share: Mapping[str, Any]) -> bool:
    return bool(
        group["source_share_group_snapshot_id"] and share["source_share_group_snapshot_member_id"]
    )


@flow(
    "create_share_group",
    version="1.16",
    lane=LANE,
    resource=("share_group", "share_group_id"),
    on_failure=creation_failed,
)
def create_share_group(op: Operation, share_group_id: str) -> None:
    """Have the driver make a group, empty or with the shares of a group snapshot."""
    group = get_group(op, share_group_id)
    if group is None:
        return common.skip(op, "the share group is deleted")
    if group["status"] not in (states.CREATING, states.ERROR):
        return common.skip(op, f"the share group is {group['status']}")
    share_server(op, group)
    source = _source(op, group)
    _begin(op, group)
    server = _provide_server(op, group, source)
    finish_creation(op, group, _make(op, group, source, server))


def _begin(op: Operation, group: Record) -> None:
    """Show an operator's retry of a failed creation as what it is."""
    writes: list[Write] = []
    now = op.clock.now()
    if group["status"] == states.ERROR:
        group["status"] = states.CREATING
        writes += group_changes.move_group(group["id"], states.ERROR, states.CREATING, now)
    for share in group["shares"]:
        if share["status"] == states.ERROR and _is_made_with(group, share):
            share["status"] = states.CREATING
            writes += share_changes.move(share["id"], states.ERROR, states.CREATING, now)
    if writes:
        op.record("begin", writes)


def _source(op: Operation, group: Record) -> Record | None:
    """Read the group snapshot that the group is made from; its members have their shares.

    Raises ShareGroupSnapshotNotFound; InvalidShareGroupSnapshot where it is not available.
    """
    snapshot_id = group["source_share_group_snapshot_id"]
    if snapshot_id is None:
        return None
    snapshot = get_group_snapshot(op, snapshot_id)
    if snapshot is None:
        raise exception.ShareGroupSnapshotNotFound(share_group_snapshot_id=snapshot_id)
    # What is done needs no source any more.
    if snapshot["status"] != states.AVAILABLE and not op.is_done("create"):
        raise exception.InvalidShareGroupSnapshot(
            reason=f"{snapshot_id} is {snapshot['status']}, and no group can be made from it"
        )
    return snapshot


def get_group_snapshot(op: Operation, snapshot_id: str) -> Record | None:
    """Return a group snapshot as drivers know it, with its members and their shares; or None."""
    return common.read(
        op,
        lambda connection: share_groups.get_group_snapshot(
            connection, snapshot_id, op.env.snapshot_name_template, op.env.share_name_template
        ),
    )


def _provide_server(op: Operation, group: Record, source: Record | None) -> Record | None:
    """Return the share server for a new group: that of its source, a chosen one or a new one.

    The shares that are made with the group are on it too.
    """
    origin = source["share_group"] if source is not None else None
    if not op.env.has_share_servers:
        return None
    if origin is not None and origin["share_server_id"] is not None:
        group["share_server_id"] = origin["share_server_id"]
        server = common.share_server(op, group)
    else:
        server = choosing.provide_for_group(op, group, source)
    if server is not None:
        _put_on_server(op, group, server)
    return server


def _put_on_server(op: Operation, group: Record, server: Record) -> None:
    now = op.clock.now()
    ours = {"share_server_id": server["id"]}
    status = group["status"]
    writes = group_changes.move_group(group["id"], status, status, now, **ours)
    for share in group["shares"]:
        share["share_server"] = server
        if share["share_server_id"] != server["id"]:
            share.update(ours)
            status = share["status"]
            writes += share_changes.move(share["id"], status, status, now, **ours)
    op.record("on its share server", writes)


def with_statistics(driver: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a method of the driver whose behaviour depends on its statistics.

    Casts are taken from the first moment, when a driver may not have been asked for them yet.
    """
    if not getattr(driver, "_stats", None):
        driver.get_share_stats(refresh=True)
    return function(*args, **kwargs)


def _make(op: Operation, group: Record, source: Record | None, server: Record | None) -> Any:
    driver = op.env.driver
    if source is None:
        return op.step(
            "create",
            with_statistics,
            driver,
            driver.create_share_group,
            op.context,
            group,
            share_server=server,
            retry=common.DRIVER,
        )
    return op.step(
        "create",
        with_statistics,
        driver,
        driver.create_share_group_from_share_group_snapshot,
        op.context,
        group,
        source,
        share_server=server,
        probe=lambda: shares_were_made(op, group),
        retry=common.DRIVER,
    )


def shares_were_made(op: Operation, group: Record) -> Any:
    """The probe of a creation from a group snapshot: Done where all the shares are there."""
    updates = []
    for share in group["shares"]:
        answer = probes.was_created(op, share)
        if not isinstance(answer, Done):
            return answer
        updates.append({"id": share["id"], "export_locations": answer.result})
    return Done([None, updates]) if updates else AGAIN


def finish_creation(op: Operation, group: Record, returned: Any) -> None:
    """Wait for shares that are still being copied; make the group and its shares available."""
    whole, members = group_answers.pair(returned, OF_GROUP)
    status = group_answers.status(whole, OF_GROUP)
    columns = {
        **_of_backend(op, group),
        **group_answers.columns(tables.share_groups, whole, OF_GROUP),
    }
    made = [share for share in group["shares"] if _is_made_with(group, share)]
    updates = group_answers.by_id(members, [share["id"] for share in made], OF_GROUP)
    exports = {share["id"]: _exports(op, share, updates.get(share["id"], {})) for share in made}
    now = op.clock.now()
    writes = group_changes.move_group(group["id"], group["status"], status, now, **columns)
    for share in made:
        if share["status"] in _MAKING:
            writes += _created(op, share, exports[share["id"]], updates.get(share["id"], {}))
    op.finish(writes)


def _exports(op: Operation, share: Record, update: Update) -> Any:
    """Return a new share's export locations, once it is there.

    A driver says that it copies in the background by the update's status, or with what
    create_share_from_snapshot returns in the place of export locations.
    """
    returned = update.get("export_locations")
    if update.get("status") is not None:
        returned = {"status": update["status"], "export_locations": returned}
    return create.copied(op, share, returned, which=f" of {share['id']}")


def _created(op: Operation, share: Record, exports: Any, update: Update) -> list[Write]:
    now = op.clock.now()
    writes = share_changes.created(share, exports, now, zone_id=op.env.zone_id())
    columns = group_answers.columns(tables.share_instances, update, OF_GROUP)
    if columns:
        status = states.AVAILABLE
        writes += share_changes.move(share["id"], status, status, now, **columns)
    return writes


def _of_backend(op: Operation, group: Record) -> dict[str, Any]:
    """What a group takes over from its back end: the zone, and how consistent snapshots are."""
    stats = getattr(op.env.driver, "_stats", None) or {}
    support = (stats.get("share_group_stats") or {}).get("consistent_snapshot_support")
    known = tables.share_groups.c.consistent_snapshot_support.type
    return {
        "availability_zone_id": group["availability_zone_id"] or op.env.zone_id(),
        "consistent_snapshot_support": support if support in getattr(known, "enums", ()) else None,
    }


# -- delete ------------------------------------------------------------------------------------


def deletion_failed(op: Operation, error: BaseException, share_group_id: str) -> list[Write]:
    """Put the group into error: only from there and from available the API deletes it again."""
    group = get_group(op, share_group_id)
    if group is None:
        return []
    moved = group_changes.move_group(group["id"], states.DELETING, states.ERROR, op.clock.now())
    return [*moved, *tell(op, group, messages.ACTION_DELETE, error)]


@flow(
    "delete_share_group",
    version="1.16",
    lane=LANE,
    resource=("share_group", "share_group_id"),
    on_failure=deletion_failed,
)
def delete_share_group(op: Operation, share_group_id: str) -> None:
    """Have the driver remove a group that has neither shares nor snapshots any more."""
    group = get_group(op, share_group_id)
    if group is None:
        return common.skip(op, "the share group is already deleted")
    _refuse_unless_empty(op, group)
    server = share_server(op, group)
    if states.DELETING in states.GROUP_TRANSITIONS.get(group["status"], ()):
        status, now = group["status"], op.clock.now()
        op.record("begin", group_changes.move_group(group["id"], status, states.DELETING, now))
        group["status"] = states.DELETING
    op.step(
        "delete",
        op.env.driver.delete_share_group,
        op.context,
        group,
        share_server=server,
        retry=common.DRIVER,
    )
    op.finish(group_changes.delete_group(group["id"], op.clock.now()))


def _refuse_unless_empty(op: Operation, group: Record) -> None:
    snapshots = common.read(op, lambda c: share_groups.count_snapshots(c, group["id"]))
    for count, what in ((len(group["shares"]), "shares"), (snapshots, "snapshots")):
        if count:
            raise exception.InvalidShareGroup(
                reason=f"{group['id']} still has {count} {what}; delete them first"
            )
