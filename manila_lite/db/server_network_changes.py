# SPDX-License-Identifier: Apache-2.0
"""What a change of a share network leaves in the rows: its status, answers to checks, rules."""

from __future__ import annotations

import datetime
import json

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from manila_lite import server_states, states
from manila_lite.db.models import (
    async_operation_data,
    share_instance_access_map,
    share_network_subnets,
    share_networks,
    share_server_share_network_subnet_mappings,
    share_servers,
)
from manila_lite.db.writes import Write

_a = async_operation_data.c
_k = share_networks.c
_m = share_server_share_network_subnet_mappings.c
_n = share_network_subnets.c
_s = share_servers.c
_r = share_instance_access_map.c

_CHECK = (
    sa.select(_a.value)
    .where(
        _a.entity_uuid == sa.bindparam("network_id"),
        _a.key == sa.bindparam("name"),
        _a.deleted == 0,
    )
    .with_for_update()
)
_ANSWER = (
    async_operation_data.update()
    .where(_a.entity_uuid == sa.bindparam("b_network_id"), _a.key == sa.bindparam("b_name"))
    .values(value=sa.bindparam("b_value"), updated_at=sa.bindparam("b_now"))
)
_CHANGING = sa.exists(
    sa.select(_s.id)
    .join(share_server_share_network_subnet_mappings, _m.share_server_id == _s.id)
    .join(share_network_subnets, _n.id == _m.share_network_subnet_id)
    .where(
        _n.share_network_id == sa.bindparam("b_network_id"),
        _m.deleted == 0,
        _s.deleted == "False",
        _s.status == server_states.NETWORK_CHANGE,
    )
)
_SETTLE = (
    share_networks.update()
    .where(
        _k.id == sa.bindparam("b_network_id"),
        _k.deleted == "False",
        _k.status == server_states.NETWORK_CHANGE,
        ~_CHANGING,
    )
    .values(status=server_states.NETWORK_ACTIVE, updated_at=sa.bindparam("b_now"))
)
_REFUSE_RULE = (
    share_instance_access_map.update()
    .where(
        _r.share_instance_id == sa.bindparam("b_instance_id"),
        _r.access_id == sa.bindparam("b_access_id"),
        _r.deleted == "False",
        _r.state == states.ACCESS_ACTIVE,
    )
    .values(state=states.ACCESS_ERROR, updated_at=sa.bindparam("b_now"))
)


def settled(network_id: str, now: datetime.datetime) -> list[Write]:
    """Make a network that changes active when no server on it changes any more, on any host."""
    return [Write(_SETTLE, {"b_network_id": network_id, "b_now": now})]


def refused(instance_id: str, access_id: str, now: datetime.datetime) -> list[Write]:
    """Put an active access rule of an instance into error."""
    values = {"b_instance_id": instance_id, "b_access_id": access_id, "b_now": now}
    return [Write(_REFUSE_RULE, values)]


def answer_check(
    connection: Connection,
    network_id: str,
    name: str,
    host: str,
    supported: bool,
    now: datetime.datetime,
) -> bool:
    """Add a host's answer to what an API wants to know of all hosts; False where none asks.

    The answers of several hosts stand in one row: whoever comes second waits.
    """
    text = connection.execute(_CHECK, {"network_id": network_id, "name": name}).scalar()
    if text is None:
        return False
    answers = {**json.loads(text), host: supported}
    values = {
        "b_network_id": network_id,
        "b_name": name,
        "b_value": json.dumps(answers),
        "b_now": now,
    }
    connection.execute(_ANSWER, values)
    return True
