# SPDX-License-Identifier: Apache-2.0
"""Volume drivers for tests, and the volumes and snapshots that they are called with.

No database is needed: the records have the keys that drivers read.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from oslo_config import cfg

from manila_lite.conf import remotefs, volume_driver
from manila_lite.db.records import Record
from manila_lite.volume.configuration import Configuration

Driver = TypeVar("Driver")

SECTION = "beta"
HOST = f"tests@{SECTION}"


def configuration(
    opts: Sequence[cfg.Opt] = (),
    state_path: str | None = None,
    section: str = SECTION,
    **options: Any,
) -> Configuration:
    """The configuration of one back end; ``options`` are set in its section.

    opts: what the driver declares beyond the options of every RemoteFS driver. state_path: where
    processes lock each other out; None: they do not.
    """
    conf = cfg.ConfigOpts()
    conf([], project="manila-lite", default_config_files=[])
    if state_path is not None:
        conf.register_opt(cfg.StrOpt("state_path", default=state_path))
    shared = [*volume_driver.volume_opts, *remotefs.nas_opts, *remotefs.volume_opts]
    found = Configuration([*shared, *opts], section, conf)
    for name, value in options.items():
        conf.set_override(name, value, group=section)
    return found


def driver(
    build: Callable[..., Driver],
    opts: Sequence[cfg.Opt] = (),
    state_path: str | None = None,
    keywords: Mapping[str, Any] | None = None,
    **options: Any,
) -> Driver:
    """Build a driver with a configuration of its own; ``options`` are set in its section.

    keywords: further ones for its constructor, such as execute, clock, nova and db.
    """
    given = {"host": HOST, "is_vol_db_empty": True, **(keywords or {})}
    return build(configuration=configuration(opts, state_path, **options), **given)


def volume(size: int = 1, **values: Any) -> Record:
    """A volume of ``size`` GiB with an id and a name of its own, which lies nowhere yet."""
    identity = values.get("id") or str(uuid.uuid4())
    return Record(
        {
            "id": identity,
            "_name_id": None,
            "name_id": identity,
            "name": f"volume-{identity}",
            "size": size,
            "status": "available",
            "attach_status": "detached",
            "host": HOST,
            "provider_location": None,
            "provider_id": None,
            "display_name": None,
            "display_description": None,
            "metadata": {},
            "admin_metadata": {},
            "volume_type": None,
            "volume_type_id": None,
            "encryption_key_id": None,
            "snapshot_id": None,
            "source_volid": None,
            "bootable": False,
            "multiattach": False,
            "migration_status": None,
            "availability_zone": "nova",
            "project_id": "project",
            "user_id": "user",
            "volume_attachment": [],
            "volume_glance_metadata": {},
            **values,
        }
    )


def snapshot(of: Record, **values: Any) -> Record:
    """A snapshot of a volume."""
    identity = values.get("id") or str(uuid.uuid4())
    return Record(
        {
            "id": identity,
            "name": f"snapshot-{identity}",
            "volume_id": of["id"],
            "volume": of,
            "volume_name": of["name"],
            "volume_size": of["size"],
            "status": "available",
            "progress": "100%",
            "provider_location": None,
            "metadata": {},
            "display_name": None,
            "project_id": "project",
            "user_id": "user",
            "_context": None,
            **values,
        }
    )


def placed(model: Record, update: Mapping[str, Any] | None) -> Record:
    """The volume with what a driver returned of it, as the service keeps it."""
    model.update(update or {})
    return model
