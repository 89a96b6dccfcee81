# SPDX-License-Identifier: Apache-2.0
"""From the command line to NFS clients: a share on btrfs, and its snapshot."""

import uuid

import pytest

from manila_lite.db import models
from tests.fixtures.export_servers import ADDRESSES

WAIT = ("--wait", "--timeout", "60")
ONE, OTHER, _ = ADDRESSES
SPECS = ("driver_handles_share_servers", "snapshot_support", "mount_snapshot_support")


@pytest.fixture
def daemon(database_url, daemons, btrfs_root, ganesha):
    backend = {
        "btrfs_root": btrfs_root,
        "btrfs_export_helpers": "NFS=ganesha",
        "btrfs_export_host": "files.example",
        "btrfs_share_mode": "0777",
        "ganesha_dbus_address": ganesha.bus,
        "ganesha_export_dir": ganesha.export_dir,
        "ganesha_mount_dir": ganesha.mount_dir,
    }
    daemon = daemons(database_url, driver="btrfs", backend=backend)
    daemon.start()
    daemon.wait_ready()
    return daemon


@pytest.fixture
def share_type(daemon):
    """A type whose shares have snapshots that can be mounted."""
    key = str(uuid.uuid4())
    values = zip(SPECS, ("False", "True", "True"), strict=True)
    specs = [
        {"share_type_id": key, "spec_key": spec, "spec_value": value} for spec, value in values
    ]
    daemon.database.run(
        lambda c: (
            c.execute(
                models.share_types.insert(), {"id": key, "name": "mounted", "deleted": "False"}
            ),
            c.execute(models.share_type_extra_specs.insert(), specs),
        )
    )
    return "mounted"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_who_was_let_in_reads_and_writes_a_share_and_reads_its_snapshot(
    daemon, share_type, shell_of, ganesha
):
    shell = shell_of(daemon)
    made = shell.read("share", "create", "1", "--name", "music", "--type", share_type, *WAIT)
    (location,) = made["export_locations"]
    assert isinstance(ganesha.ls(location), str)
    shell.type("share", "access", "allow", "music", "ip", ONE, *WAIT)
    assert ganesha.write(location, "song", "la") == ""

    shell.type("snapshot", "create", "music", "--name", "monday", *WAIT)
    shell.type("snapshot", "access", "allow", "monday", "ip", OTHER, *WAIT)
    (kept,) = shell.read("snapshot", "show", "monday")["export_locations"]
    assert ganesha.read(kept, "song", client=OTHER) == "la"
    assert "ROFS" in ganesha.write(kept, "other", "x", client=OTHER)
    assert isinstance(ganesha.ls(kept, client=ONE), str)

    shell.type("snapshot", "delete", "monday", *WAIT)
    shell.type("share", "delete", "music", *WAIT)
    assert list(ganesha.mount_dir.iterdir()) == []
