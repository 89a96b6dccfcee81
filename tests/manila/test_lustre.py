# SPDX-License-Identifier: Apache-2.0
"""Manila's driver for Lustre: real directories, quotas and node maps by commands as root."""

import pytest

from tests.manila.conftest import LUSTRE

WAIT = ("--wait", "--timeout", "60")
GIB = 1024**2  # in KiB, as quotas are


@pytest.fixture
def shell(start, lustre):
    return start(LUSTRE, lustre.sections, lustre.environment, enabled_share_protocols="NFS,LUSTRE")


def test_a_share_lives_its_life(shell, lustre):
    shell.type("share", "create", "1", "--name", "data", "--protocol", "LUSTRE", *WAIT)
    share = shell.read("share", "show", "data")
    (directory,) = lustre.shares()
    (location,) = share["export_locations"]
    assert location == f"192.0.2.1@tcp:/tests/{lustre.root.name}/{directory.name}"
    assert list(lustre.known("quotas").values()) == [f"{GIB}k"]

    shell.type("share", "extend", "data", "3", *WAIT)
    assert list(lustre.known("quotas").values()) == [f"{3 * GIB}k"]

    for to, level in (("10.0.0.7", "rw"), ("10.1.0.0/24", "ro")):
        shell.type("share", "access", "allow", "data", "ip", to, "--level", level, *WAIT)
    assert lustre.clients() == {"rw": ["10.0.0.7"], "ro": ["10.1.0.0"]}
    shell.type("share", "access", "deny", "data", "10.0.0.7", *WAIT)
    assert lustre.clients() == {"ro": ["10.1.0.0"]}

    shell.type("share", "delete", "data", *WAIT)
    assert lustre.shares() == []
    assert lustre.known("nodemaps") == {}


def test_data_in_the_way_of_shrinking_stay(shell, lustre):
    shell.type("share", "create", "2", "--name", "data", "--protocol", "LUSTRE", *WAIT)
    (directory,) = lustre.shares()
    with (directory / "large").open("wb") as file:
        file.truncate(3 * 1024**3)

    shell.type("share", "shrink", "data", "1", "--wait", code=4)

    share = shell.read("share", "show", "data")
    assert (share["size"], share["status"]) == (2, "shrinking_possible_data_loss_error")
    assert list(lustre.known("quotas").values()) == [f"{2 * GIB}k"]


def test_a_share_is_let_go_of_and_managed_again(shell, lustre):
    shell.type("share", "create", "2", "--name", "data", "--protocol", "LUSTRE", *WAIT)
    (directory,) = lustre.shares()
    (directory / "file").write_text("kept")
    (location,) = shell.read("share", "show", "data")["export_locations"]
    shell.type("share", "unmanage", "data", *WAIT)
    assert shell.read("share", "list") == []

    shell.type("share", "manage", location, "--name", "again", "--protocol", "LUSTRE", *WAIT)

    share = shell.read("share", "show", "again")
    assert (share["size"], share["status"]) == (2, "available")
    assert (directory / "file").read_text() == "kept"
