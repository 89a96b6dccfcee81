# SPDX-License-Identifier: Apache-2.0
"""retype: a volume gets another type, where the driver can change it in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manila_lite import exception, volume_states
from manila_lite.db import volume_changes, volume_types
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import Operation
from manila_lite.volume.flows import common, telling
from manila_lite.volume.flows.casting import LANE, flow


def retyping_failed(
    op: Operation, error: BaseException, volume_id: str, **rest: Any
) -> list[Write]:
    """The volume keeps its type, and is as good as it was."""
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return []
    return [*_at_rest(op, volume), *telling.tell_user(op, volume, telling.ACTION_CREATE)]


def _at_rest(op: Operation, volume: Record, **columns: Any) -> list[Write]:
    if volume["status"] != volume_states.RETYPING:
        return []
    return volume_changes.rested(volume, op.clock.now(), **columns)


@flow(
    "retype",
    version="3.0",
    lane=LANE,
    resource=("volume", "volume_id"),
    on_failure=retyping_failed,
)
def retype(
    op: Operation,
    volume_id: str,
    new_type_id: str,
    host: dict[str, Any],
    migration_policy: str = "never",
    reservations: list[str] | None = None,
    old_reservations: list[str] | None = None,
) -> None:
    """Have the driver give the volume another type. It is not copied for the sake of one.

    Types that differ in nothing that a driver knows of need no driver.
    """
    volume = common.get_volume(op, volume_id)
    if volume is None:
        return common.skip(op, "the volume is deleted")
    new_type = common.read(op, lambda connection: volume_types.get_type(connection, new_type_id))
    if new_type is None:
        raise exception.VolumeTypeNotFound(volume_type_id=new_type_id)
    common.begin(op, volume, volume_states.RETYPING)
    changed = _changed(volume["volume_type"], new_type)
    update = op.step("retype", _retyped, op, volume, new_type, changed, host, retry=common.DRIVER)
    columns = {**volume_changes.model_columns(update), "volume_type_id": new_type["id"]}
    op.finish(_at_rest(op, volume, **columns))


def _changed(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """{extra spec: (old value, new value)} of those that differ, as Cinder's drivers get them."""
    before = dict((old or {}).get("extra_specs") or {})
    after = dict(new["extra_specs"])
    names = sorted({*before, *after})
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _retyped(
    op: Operation,
    volume: Record,
    new_type: Record,
    changed: Mapping[str, tuple[Any, Any]],
    host: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Return the driver's model update. Raises VolumeMigrationFailed where it cannot do it."""
    if not changed:
        return {}
    diff = {"extra_specs": dict(changed), "encryption": {}, "qos_specs": {}}
    answer = op.env.driver.retype(op.context, volume, new_type, diff, host)
    done, update = answer if isinstance(answer, tuple) else (answer, None)
    if not done:
        raise exception.VolumeMigrationFailed(
            reason=f"the driver cannot change a volume's type to {new_type['name']} in its place"
        )
    return dict(update or {})
