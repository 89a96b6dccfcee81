# SPDX-License-Identifier: Apache-2.0
"""Shares that were made before their back end had pools: the driver tells where each one is."""

from __future__ import annotations

import functools
from typing import Any

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite.db import pools
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.engine import Operation
from manila_lite.share.flows import common

LOG = log.getLogger(__name__)

PAGE = 200


def name_pools(op: Operation) -> int:
    """Ask for the pool of each available share whose host names none; return how many are known.

    A share of which the driver cannot tell is left as it is.
    """
    after, named = "", 0
    while True:
        page = common.read(op, functools.partial(_page, op, after))
        for instance in page:
            named += _name(op, instance)
        if len(page) < PAGE:
            return named
        after = page[-1]["id"]


def _page(op: Operation, after: str, connection: Connection) -> list[Record]:
    ids = pools.without_pool(connection, op.env.host, after, PAGE)
    found = share_rows.get_instances(connection, ids, op.env.share_name_template) if ids else {}
    instances = [found[key] for key in ids if key in found]
    share_rows.complete(connection, instances)
    return instances


def _name(op: Operation, instance: Record) -> bool:
    pool = _pool_of(op.env.driver, instance)
    if pool is None:
        return False
    writes = pools.name_pool(instance["id"], op.env.host, pool, op.clock.now())
    common.write(op.env, writes)
    return True


def _pool_of(driver: Any, instance: Record) -> str | None:
    try:
        pool = driver.get_pool(instance)
    except Exception as error:
        LOG.warning("The pool of share instance %s is not known: %s", instance["id"], error)
        return None
    return str(pool) if pool else None
