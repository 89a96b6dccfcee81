# SPDX-License-Identifier: Apache-2.0
"""Casts from RabbitMQ to the daemon become what an NFS client sees."""

import functools

import pytest

from manila_lite import states
from tests.fixtures.daemon import poll
from tests.fixtures.databases import fresh_url
from tests.fixtures.export_servers import ADDRESSES, Ganesha
from tests.functional.service.conftest import HOST, Service

HERE, NEIGHBOUR, _ = ADDRESSES
POOL = f"{HOST}@alpha#exported"


@pytest.fixture
def service(rabbitmq, ganesha: Ganesha, tmp_path):
    section = {
        "share_driver": "directory",
        "share_backend_name": "exported",
        "driver_handles_share_servers": False,
        "directory_root": tmp_path / "shares",
        "directory_export_host": "files.example.org",
        "directory_export_helpers": "NFS=ganesha",
        "ganesha_export_dir": ganesha.export_dir,
        "ganesha_mount_dir": ganesha.mount_dir,
        "ganesha_dbus_address": ganesha.bus,
    }
    with fresh_url("sqlite", tmp_path) as url:
        made = Service(
            tmp_path,
            url,
            rabbitmq,
            default={"enabled_share_backends": "alpha"},
            sections={"alpha": section},
        )
        try:
            made.start(f"{HOST}@alpha")
            yield made
        finally:
            made.close()


@pytest.fixture
def do(service):
    return functools.partial(service.do, service.raw())


def test_casts_reach_nfs_clients(ganesha: Ganesha, service, do):
    rows = service.rows
    share = rows.share(POOL)
    do("create_share_instance", share)
    (location,) = rows.exports(share)
    assert "NFS4ERR_NOENT" in ganesha.ls(location, HERE)

    rows.rule(share, HERE, states.ACCESS_QUEUED_TO_APPLY)
    do("update_access", share)
    assert ganesha.write(location, "file", "from a client", HERE) == ""
    assert ganesha.read(location, "file", HERE) == "from a client"
    assert "NFS4ERR_NOENT" in ganesha.ls(location, NEIGHBOUR)
    assert rows.instance(share)["access_rules_status"] == states.ACCESS_ACTIVE

    # The export comes back by the service's report, though nobody casts anything.
    ganesha.stop_ganesha()
    (ganesha.export_dir / "INDEX.conf").write_text("")
    ganesha.start_ganesha()
    poll(lambda: ganesha.ls(location, HERE) == ["file"], "the export after a restart of Ganesha")

    rows.begin(share, states.DELETING)
    do("delete_share_instance", share)
    assert "NFS4ERR_NOENT" in ganesha.ls(location, HERE)
