# SPDX-License-Identifier: Apache-2.0
"""manage_share and unmanage_share: what lies on the storage becomes ours, or is let go of again."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from typing import Any

from oslo_utils import strutils
from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.db import (
    access,
    export_locations,
    messages,
    quotas,
    share_changes,
    share_server_keeping,
    types,
)
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, Operation, flow
from manila_lite.share.flows import common, delete

MAX_MOUNT_POINT = 255
_GONE = ("ShareResourceNotFound",)
_UNMANAGING = (states.UNMANAGE_STARTING, states.MANAGE_ERROR_UNMANAGE_STARTING)
_NO_SPECS: Mapping[str, str] = {}


# -- manage ------------------------------------------------------------------------------------


def managing_failed(
    op: Operation, error: BaseException, share_id: str, driver_options: Any = None
) -> list[Write]:
    """Put the share into manage_error, with a size of 0: it counts for nothing.

    One that another operation has managed by now keeps what it has.
    """
    instance = common.get_instance_of_share(op, share_id)
    if instance is None or _is_managed(instance):
        return []
    now = op.clock.now()
    return [
        *share_changes.move(instance["id"], states.MANAGE_STARTING, states.MANAGE_ERROR, now),
        *share_changes.sized(share_id, 0, now),
        *common.tell_user(op, instance, messages.ACTION_CREATE, now),
    ]


def _is_managed(instance: Mapping[str, Any]) -> bool:
    return instance["status"] == states.AVAILABLE and instance["launched_at"] is not None


@flow(
    "manage_share",
    version="1.1",
    lane="share:{share_id}",
    resource=("share", "share_id"),
    first_step="manage",
    on_failure=managing_failed,
)
def manage_share(
    op: Operation, share_id: str, driver_options: dict[str, Any] | None = None
) -> None:
    """Have the driver take over a share that exists; make it available with the size it has.

    The share counts in the usages of its project and type from then on, over their limits or not:
    it uses the storage already.
    """
    instance = common.get_instance_of_share(op, share_id)
    if instance is None:
        return common.skip(op, "the share is deleted")
    if instance["status"] not in (states.MANAGE_STARTING, states.MANAGE_ERROR):
        return common.skip(op, f"the share is {instance['status']}")
    _begin(op, instance, states.MANAGE_STARTING)
    specs = _extra_specs(op, instance)
    _refuse_other_mode(op, instance, specs)
    found = op.step(
        "manage",
        _manage,
        _manager(op, instance, driver_options or {}),
        specs,
        retry=common.DRIVER,
    )
    _finish_managing(op, instance, found)


def _begin(op: Operation, instance: Record, own: str) -> None:
    """Show an operator's retry of a failed operation as what it is."""
    if instance["status"] != own:
        now = op.clock.now()
        op.record("begin", share_changes.move(instance["id"], instance["status"], own, now))
        instance["status"] = own


def _extra_specs(op: Operation, instance: Record) -> Mapping[str, str]:
    type_id = instance["share_type_id"]
    if type_id is None:
        return _NO_SPECS
    found = common.read(op, lambda connection: types.get_type(connection, type_id))
    return _NO_SPECS if found is None else found["extra_specs"]


def _refuse_other_mode(op: Operation, instance: Record, specs: Mapping[str, str]) -> None:
    """Raise InvalidShare where the share type or the share is not for this kind of back end."""
    mode: bool = op.env.has_share_servers
    wanted = specs.get("driver_handles_share_servers")
    if wanted is not None and strutils.bool_from_string(wanted) != mode:
        raise exception.InvalidShare(
            reason=f"its share type has driver_handles_share_servers = {wanted}, "
            f"this back end has {mode}"
        )
    if instance["share_server_id"] is not None and not mode:
        raise common.UnexpectedShareNetwork(instance=instance["id"])


def _manager(
    op: Operation, instance: Record, driver_options: Mapping[str, Any]
) -> Callable[[], Any]:
    """The driver's method for its mode, with its arguments."""
    driver = op.env.driver
    if not op.env.has_share_servers:
        return lambda: driver.manage_existing(instance, driver_options)
    server = common.share_server(op, instance)
    return lambda: driver.manage_existing_with_server(instance, driver_options, share_server=server)


def _manage(manage: Callable[[], Any], specs: Mapping[str, str]) -> dict[str, Any]:
    """Return what counts of the driver's answer: checked here, so that a retry asks again."""
    returned = manage()
    if returned is not None and not isinstance(returned, Mapping):
        raise exception.InvalidShare(reason=f"the driver returned {returned!r:.100} for it")
    found: dict[str, Any] = {"size": checked_size(returned, specs)}
    returned = returned or {}
    if "export_locations" in returned:
        found["export_locations"] = export_locations.normalize(returned["export_locations"])
    mount_point = returned.get("mount_point_name")
    if mount_point is not None:
        found["mount_point_name"] = str(mount_point)[:MAX_MOUNT_POINT]
    return found


def checked_size(returned: Mapping[str, Any] | None, specs: Mapping[str, str]) -> int:
    """Return the size that the driver found, in whole GiB.

    Raises InvalidShare without one, or where the share type allows no share of that size.
    """
    size = whole_gib((returned or {}).get("size"))
    if size is None:
        raise exception.InvalidShare(
            reason=f"the driver must tell its size in GiB and returned {returned!r:.100}"
        )
    for key, fits in (
        ("provisioning:min_share_size", int.__ge__),
        ("provisioning:max_share_size", int.__le__),
    ):
        limit = whole_gib(specs.get(key))
        if limit is not None and not fits(size, limit):
            raise exception.InvalidShare(
                reason=f"it has {size} GiB, its share type has {key} = {limit}"
            )
    return size


def whole_gib(value: Any) -> int | None:
    """Return a size in GiB, rounded up; None for what is no size."""
    try:
        size = math.ceil(float(value))
    except (TypeError, ValueError, OverflowError):
        return None
    return size if size > 0 else None


def _finish_managing(op: Operation, instance: Record, found: Mapping[str, Any]) -> None:
    now, size = op.clock.now(), int(found["size"])
    columns = {
        "progress": share_changes.DONE,
        "launched_at": now,
        "availability_zone_id": op.env.zone_id(),
    }
    if found.get("mount_point_name") is not None:
        columns["mount_point_name"] = found["mount_point_name"]
    if instance["replication_type"]:
        # The first replica of a share that can have others is the active one.
        columns["replica_state"] = instance["replica_state"] = states.REPLICA_ACTIVE
    located = []
    if "export_locations" in found:
        # The one that somebody typed gives way to those that the driver knows.
        located = share_changes.located(instance, found["export_locations"], now)
    op.finish(
        share_changes.resized(instance, size, now, **columns),
        located,
        newly_counted(op, instance, instance["share_type_id"], _deltas(instance, size), now),
    )


def newly_counted(
    op: Operation,
    owner: Mapping[str, Any],
    share_type_id: str | None,
    deltas: Mapping[str, int],
    now: datetime.datetime,
) -> list[Write]:
    """Add to usages, of a project perhaps that never had any: their rows are made beforehand."""
    nothing = dict.fromkeys(deltas, 0)
    op.env.db.run(
        lambda connection: quotas.add_usage(connection, owner, share_type_id, nothing, now)
    )
    return quotas.change(owner, share_type_id, deltas, now)


def _deltas(instance: Mapping[str, Any], size: int, sign: int = 1) -> dict[str, int]:
    deltas = {quotas.SHARES: sign, quotas.GIGABYTES: sign * size}
    if instance["replica_state"] is not None:
        deltas.update({quotas.REPLICAS: sign, quotas.REPLICA_GIGABYTES: sign * size})
    return deltas


# -- unmanage ----------------------------------------------------------------------------------


def unmanaging_failed(op: Operation, error: BaseException, share_id: str) -> list[Write]:
    """Put the share into unmanage_error."""
    instance = common.get_instance_of_share(op, share_id)
    if instance is None:
        return []
    now = op.clock.now()
    old = common.own_status(instance, *_UNMANAGING)
    return [
        *share_changes.move(instance["id"], old, states.UNMANAGE_ERROR, now),
        *common.tell_user(op, instance, messages.ACTION_DELETE, now),
    ]


@flow(
    "unmanage_share",
    version="1.1",
    lane="share:{share_id}",
    resource=("share", "share_id"),
    first_step="unmanage",
    on_failure=unmanaging_failed,
)
def unmanage_share(op: Operation, share_id: str) -> None:
    """Have the driver let go of a share; remove its rows and its usage, not its data.

    Its access rules go with the rows. With unmanage_remove_access_rules they are taken off the
    storage first; without it they stay there, so that its users notice nothing.
    """
    instance = common.get_instance_of_share(op, share_id)
    if instance is None:
        return common.skip(op, "the share is already gone")
    if not _is_to_be_unmanaged(instance):
        return common.skip(op, f"the share is {instance['status']}")
    if instance["status"] not in _UNMANAGING:
        _begin(op, instance, states.UNMANAGE_STARTING)
    rules, metadata = _belongings(op, instance)
    server = common.share_server(op, instance) if op.env.has_share_servers else None
    _deny(op, instance, rules, server)
    op.step("unmanage", _unmanage, op.env, instance, server, probe=again, retry=common.DRIVER)
    now = op.clock.now()
    op.finish(
        share_changes.deleted(instance, now, rules=rules, metadata=metadata),
        _freed(instance, now),
        share_server_keeping.keep(instance["share_server_id"], now),
    )


def _is_to_be_unmanaged(instance: Record) -> bool:
    status = instance["status"]
    return status in _UNMANAGING or states.UNMANAGE_STARTING in states.SHARE_TRANSITIONS.get(
        status, ()
    )


def _belongings(op: Operation, instance: Record) -> tuple[list[Record], list[Record]]:
    def work(connection: Connection) -> tuple[list[Record], list[Record]]:
        share_id = instance["share_id"]
        return (
            access.rules_of_instance(connection, share_id, instance["id"]),
            share_rows.metadata_of(connection, [share_id]).get(share_id, []),
        )

    return common.read(op, work)


def _deny(op: Operation, instance: Record, rules: list[Record], server: Record | None) -> None:
    applied = [rule for rule in rules if rule["mapping_id"] is not None]
    if not applied or not op.env.configuration.safe_get("unmanage_remove_access_rules"):
        return
    op.step(
        "deny access",
        delete.deny_all,
        op.env.driver,
        op.context,
        instance,
        applied,
        server,
        retry=common.DRIVER,
    )
    # Said now, lest rules look active on a share whose unmanaging fails after this.
    op.record("denied", share_changes.without_mappings(applied, op.clock.now()))


def _unmanage(env: Any, instance: Record, server: Record | None) -> str | None:
    """Let go; a share that is not on the storage need not be let go of."""
    try:
        if env.has_share_servers:
            env.driver.unmanage_with_server(instance, share_server=server)
        else:
            env.driver.unmanage(instance)
    except Exception as error:
        if not common.is_named(error, *_GONE):
            raise
        return "it is not on the storage"
    return None


def again() -> Any:
    """The probe of a step that may be repeated without harm."""
    return AGAIN


def _freed(instance: Record, now: datetime.datetime) -> list[Write]:
    """Take it off the usages, unless it was never counted: managing it failed."""
    if not instance["size"] or instance["status"] == states.MANAGE_ERROR_UNMANAGE_STARTING:
        return []
    deltas = _deltas(instance, int(instance["size"]), -1)
    return quotas.change(instance, instance["share_type_id"], deltas, now)
