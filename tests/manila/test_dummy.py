# SPDX-License-Identifier: Apache-2.0
"""Manila's dummy driver with all that it can do, carried out by the daemon."""

import pytest

from tests.manila.conftest import DUMMY, dummy

WAIT = ("--wait", "--timeout", "60")


@pytest.mark.parametrize("servers", [False, True], ids=["no share servers", "share servers"])
def test_a_share_lives_its_life(start, servers):
    shell = start(DUMMY, dummy(servers))
    where: tuple[str, ...] = ()
    if servers:
        shell.type("share-network", "create", "--name", "tenant")
        where = ("--share-network", "tenant")

    shell.type("share", "create", "1", "--name", "music", *where, *WAIT)
    shell.type("share", "extend", "music", "3", *WAIT)
    shell.type("share", "shrink", "music", "2", *WAIT)
    rule = shell.read("share", "access", "allow", "music", "ip", "10.0.0.7", *WAIT)
    assert rule["state"] == "active"
    refused = shell.type("share", "access", "allow", "music", "user", "alice", "--wait", code=4)
    assert "Unsupported 'user' access type" in refused.stderr
    shell.type("snapshot", "create", "music", "--name", "monday", *WAIT)
    shell.type("share", "create", "2", "--name", "copy", "--snapshot", "monday", *WAIT)

    found = {name: shell.read("share", "show", name) for name in ("music", "copy")}
    assert [(share["size"], share["status"]) for share in found.values()] == [(2, "available")] * 2
    first = "10.0.0.2" if servers else "10.0.0.10"
    for share in found.values():
        paths = share["export_locations"]
        assert len(paths) == 3, paths
        assert any(path.startswith(f"{first}:/path/to/fake/share/") for path in paths), paths

    shell.type("share", "delete", "copy", *WAIT)
    shell.type("snapshot", "delete", "monday", *WAIT)
    shell.type("share", "delete", "music", *WAIT)
    if servers:
        (server,) = shell.read("share-server", "list")
        assert server["status"] == "active"
        shell.type("share-server", "delete", server["id"], *WAIT)
        assert shell.read("share-server", "list") == []
    assert shell.read("share", "list") == []


def test_its_reports_are_what_the_scheduler_hears(start):
    shell = start(DUMMY, dummy(False))
    (pool,) = shell.read("pool", "list")
    assert pool["name"].endswith("@alpha#fake_pool_for_alpha")


@pytest.mark.parametrize("servers", [False, True], ids=["no share servers", "share servers"])
def test_a_share_is_backed_up(start, servers):
    shell = start(DUMMY, dummy(servers))
    where: tuple[str, ...] = ()
    if servers:
        shell.type("share-network", "create", "--name", "tenant")
        where = ("--share-network", "tenant")
    shell.type("share", "create", "1", "--name", "music", *where, *WAIT)

    made = shell.read("share", "backup", "create", "music", "--name", "monday", *WAIT)
    restored = shell.read("share", "backup", "restore", "monday", *WAIT)

    assert (made["status"], made["progress"]) == ("available", "100")
    assert (restored["status"], restored["restore_progress"]) == ("available", "100")
    assert shell.read("share", "show", "music")["status"] == "available"
    shell.type("share", "backup", "delete", "monday", *WAIT)
    shell.type("share", "delete", "music", *WAIT)
    assert shell.read("share", "backup", "list") == []
