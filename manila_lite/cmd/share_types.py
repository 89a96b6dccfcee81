# SPDX-License-Identifier: Apache-2.0
"""The share type of a new share."""

from __future__ import annotations

import datetime

from oslo_config import cfg
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.cmd.errors import Refused
from manila_lite.db import types
from manila_lite.db.records import Record
from manila_lite.db.writes import execute_writes

# What every driver that needs no share servers can do; a driver that cannot says so when asked.
DEFAULT_SPECS = {
    "driver_handles_share_servers": "False",
    "snapshot_support": "True",
    "create_share_from_snapshot_support": "True",
    "revert_to_snapshot_support": "True",
}


def choose_type(
    connection: Connection, conf: cfg.ConfigOpts, wanted: str | None, now: datetime.datetime
) -> Record:
    """The type that is asked for, else default_share_type, else the one called 'default'.

    Where there is no type at all, 'default' is made: a site without an API has nobody else to do
    it. Raises ShareTypeNotFound, or Refused when there are types but none of them is meant.
    """
    name = wanted or conf.default_share_type
    found = types.get_type(connection, name or types.DEFAULT_NAME)
    if found is not None:
        return found
    if name is not None:
        raise exception.ShareTypeNotFound(share_type_id=name)
    others = [record["name"] for record in types.list_types(connection)]
    if others:
        raise Refused(reason=f"choose a share type with --type: {', '.join(others)}")
    execute_writes(connection, [types.new_type(types.DEFAULT_NAME, DEFAULT_SPECS, now)])
    made = types.get_type(connection, types.DEFAULT_NAME)
    assert made is not None
    return made
