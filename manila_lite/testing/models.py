# SPDX-License-Identifier: Apache-2.0
"""Drivers for tests, and the shares, snapshots and rules that they are called with.

No database is needed: the records have the keys that drivers read.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from oslo_config import cfg

from manila_lite.db.records import Record
from manila_lite.share.configuration import Configuration
from manila_lite.share.driver import ShareDriver, share_opts

Driver = TypeVar("Driver", bound=ShareDriver)


def driver(
    build: Callable[..., Driver],
    opts: Sequence[cfg.Opt] = (),
    section: str = "alpha",
    **options: Any,
) -> Driver:
    """Build a driver with a configuration of its own; ``options`` are set in its section.

    ``build`` is the driver's class, ``opts`` what it declares beyond the options of every driver.
    """
    conf = cfg.ConfigOpts()
    conf([], project="manila-lite", default_config_files=[])
    configuration = Configuration([*share_opts, *opts], section, conf)
    for name, value in {"driver_handles_share_servers": False, **options}.items():
        conf.set_override(name, value, group=section)
    return build(configuration=configuration)


def share(size: int = 1, **values: Any) -> Record:
    """A share instance of ``size`` GiB with an id and a name of its own."""
    identity = str(uuid.uuid4())
    return Record(
        {
            "id": identity,
            "share_id": str(uuid.uuid4()),
            "name": f"share-{values.get('id', identity)}",
            "size": size,
            "share_proto": "NFS",
            "host": "tests@alpha#pool",
            "status": "available",
            "export_locations": [],
            "share_type_id": None,
            "snapshot_id": None,
            "metadata": {},
            **values,
        }
    )


def snapshot(of: Record, **values: Any) -> Record:
    """A snapshot instance of a share instance."""
    identity = str(uuid.uuid4())
    return Record(
        {
            "id": identity,
            "snapshot_id": str(uuid.uuid4()),
            "name": f"share-snapshot-{values.get('id', identity)}",
            "share": of,
            "share_id": of["share_id"],
            "share_instance_id": of["id"],
            "share_name": of["name"],
            "size": of["size"],
            "status": "available",
            "provider_location": None,
            **values,
        }
    )


def rule(to: str, level: str = "rw", type: str = "ip", **values: Any) -> Record:
    """An access rule for a share, as update_access gets it."""
    identity = str(uuid.uuid4())
    return Record(
        {
            "id": str(uuid.uuid4()),
            "access_id": identity,
            "access_to": to,
            "access_level": level,
            "access_type": type,
            "access_key": None,
            "state": "applying",
            **values,
        }
    )
