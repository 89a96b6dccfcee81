# SPDX-License-Identifier: Apache-2.0
"""What ends by itself at a time: shares in the recycle bin, and offers to transfer a share."""

from __future__ import annotations

import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import states
from manila_lite.db.models import share_instances, share_snapshots, shares, transfers
from manila_lite.db.records import Record
from manila_lite.db.shares import pools_of
from manila_lite.db.writes import Write

_i = share_instances.c
_s = shares.c
_t = transfers.c

_HERE = (
    sa.or_(_i.host == sa.bindparam("host"), _i.host.like(sa.bindparam("pools"), escape="/")),
    _i.deleted == "False",
    _s.deleted == "False",
)
_EXPIRED_SHARES = (
    sa.select(_i.id, _i.share_id)
    .select_from(share_instances.join(shares, _s.id == _i.share_id))
    .where(
        *_HERE,
        _s.is_soft_deleted.is_(sa.true()),
        _s.scheduled_to_be_deleted_at <= sa.bindparam("now"),
        _i.status.in_(sa.bindparam("statuses", expanding=True)),
    )
    .order_by(_i.id)
)
_EXPIRED_TRANSFERS = (
    sa.select(_t.id, _i.id.label("share_instance_id"))
    .select_from(
        transfers.join(shares, _s.id == _t.resource_id).join(share_instances, _i.share_id == _s.id)
    )
    .where(*_HERE, _t.deleted == "False", _t.expires_at <= sa.bindparam("now"))
    .order_by(_t.id)
)
_SNAPSHOTS = (
    sa.select(sa.func.count())
    .select_from(share_snapshots)
    .where(
        share_snapshots.c.share_id == sa.bindparam("share_id"),
        share_snapshots.c.deleted == "False",
    )
)
_END_TRANSFER = (
    transfers.update()
    .where(_t.id == sa.bindparam("b_id"), _t.deleted == "False")
    .values(deleted=_t.id, deleted_at=sa.bindparam("b_now"), updated_at=sa.bindparam("b_now"))
)
_TAKE_BACK = (
    share_instances.update()
    .where(
        _i.id == sa.bindparam("b_id"),
        _i.deleted == "False",
        _i.status == states.AWAITING_TRANSFER,
    )
    .values(status=states.AVAILABLE, updated_at=sa.bindparam("b_now"))
)

#: Statuses from which a deletion may begin; a share that is offered to somebody is not deleted.
_DELETABLE = sorted(
    old
    for old in states.STEADY - {states.AWAITING_TRANSFER}
    if states.DELETING in states.SHARE_TRANSITIONS.get(old, ())
)


def expired_shares(connection: Connection, host: str, now: datetime.datetime) -> list[Record]:
    """Return (id, share_id) of the instances on a back end whose time in the bin is over."""
    parameters = {
        "host": host,
        "pools": pools_of(host),
        "now": now,
        "statuses": _DELETABLE,
    }
    return Record.all(connection.execute(_EXPIRED_SHARES, parameters))


def expired_transfers(connection: Connection, host: str, now: datetime.datetime) -> list[Record]:
    """Return (id, share_instance_id) of the offers about a back end's shares that are over."""
    parameters = {"host": host, "pools": pools_of(host), "now": now}
    return Record.all(connection.execute(_EXPIRED_TRANSFERS, parameters))


def end_transfer(transfer: Record, now: datetime.datetime) -> list[Write]:
    """Delete an offer; the share that waited for it is available again."""
    return [
        Write(_END_TRANSFER, {"b_id": transfer["id"], "b_now": now}),
        Write(_TAKE_BACK, {"b_id": transfer["share_instance_id"], "b_now": now}),
    ]


def snapshots_of(connection: Connection, share_id: str) -> int:
    """Return how many snapshots a share has."""
    return int(connection.execute(_SNAPSHOTS, {"share_id": share_id}).scalar_one())
