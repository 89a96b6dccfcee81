# SPDX-License-Identifier: Apache-2.0
"""Rules of a share from the command line to a daemon and back, on each database."""

import pytest


@pytest.fixture
def shell(database_url, daemons, shell_of, tmp_path):
    """The shell of a daemon that keeps directories, with the share ``music``."""
    root = tmp_path / "shares"
    root.mkdir()
    daemon = daemons(database_url, driver="directory", backend={"directory_root": root})
    daemon.start()
    daemon.wait_ready()
    shell = shell_of(daemon)
    shell.type("share", "create", "1", "--name", "music", "--wait", "--timeout", "30")
    return shell


def states(shell):
    found = shell.read("share", "access", "list", "music")
    return {rule["access_to"]: rule["state"] for rule in found}


def test_clients_are_let_in_and_kept_out(shell):
    words = ("share", "access", "allow", "music")
    made = shell.read(*words, "ip", "10.0.0.0/24", "--level", "ro", "--wait", "--timeout", "30")
    assert (made["state"], made["access_level"]) == ("active", "ro")
    # What this driver has no exports for it refuses, and it says so.
    assert "refuses" in shell.type(*words, "cert", "client", "--wait", code=4).stderr
    assert states(shell) == {"10.0.0.0/24": "active", "client": "error"}

    shell.type("share", "access", "deny", "music", "client", "10.0.0.0/24", "--wait")

    assert states(shell) == {}
    shell.type("share", "delete", "music", "--wait")
