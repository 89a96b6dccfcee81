# SPDX-License-Identifier: Apache-2.0
"""How much of each share is used.

Manila has no column for it: the figures go out as notifications (share.consumed.size), and are
not kept. That is done here as well; no operation is journaled for it, since a round that is lost
to a crash is made up for by the next.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from oslo_log import log

from manila_lite import context as contexts
from manila_lite import states
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.share.environment import ShareEnvironment

LOG = log.getLogger(__name__)

EVENT = "share.consumed.size"


def update_share_usage(environment: ShareEnvironment) -> list[dict[str, Any]]:
    """Ask the driver for the used GiB of the back end's shares; notify and return the answers.

    An answer without number, or about a share that is not here, is dropped with a warning.
    """
    context = contexts.get_admin_context()
    told: list[dict[str, Any]] = []
    for instances in _available(environment):
        by_id = {instance["id"]: instance for instance in instances}
        answers = environment.driver.update_share_usage_size(context, instances) or []
        told += _payloads(by_id, answers, environment.clock.now())
    for payload in told:
        if environment.notify is not None:
            environment.notify(context, EVENT, payload)
    return told


def _available(environment: ShareEnvironment) -> list[list[Record]]:
    with environment.db.reader() as connection:
        pages = share_rows.iterate_instances(
            connection, environment.host, [states.AVAILABLE], environment.share_name_template
        )
        return [list(share_rows.complete(connection, page)) for page in pages]


def _payloads(
    by_id: Mapping[str, Record], answers: Iterable[Mapping[str, Any]], now: datetime.datetime
) -> list[dict[str, Any]]:
    payloads = []
    for answer in answers:
        instance = by_id.get(answer.get("id", ""))
        used = _as_gib(answer.get("used_size"))
        if instance is None or used is None:
            LOG.warning("The driver's answer about used space is of no use: %r", dict(answer))
            continue
        payloads.append(_payload(instance, used, answer.get("gathered_at") or now))
    return payloads


def _as_gib(value: Any) -> float | None:
    try:
        used = float(value)
    except (TypeError, ValueError):
        return None
    return used if 0 <= used < float("inf") else None


def _payload(instance: Record, used: float, gathered_at: Any) -> dict[str, Any]:
    return {
        "share_id": instance["share_id"],
        "share_instance_id": instance["id"],
        "user_id": instance["user_id"],
        "project_id": instance["project_id"],
        "host": instance["host"],
        "status": instance["status"],
        "share_type_id": instance["share_type_id"],
        "availability_zone_id": instance["availability_zone_id"],
        "name": instance["display_name"],
        "proto": instance["share_proto"],
        "size": instance["size"],
        "used_size": used,
        "gathered_at": gathered_at,
    }
