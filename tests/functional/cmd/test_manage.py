# SPDX-License-Identifier: Apache-2.0
"""Directories that exist become shares, go back to snapshots, and are let go of again."""

import pytest


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "shares"
    path.mkdir()
    return path


@pytest.fixture
def shell(database_url, daemons, root, shell_of):
    daemon = daemons(database_url, driver="directory", backend={"directory_root": root})
    daemon.start()
    daemon.wait_ready()
    return shell_of(daemon)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_directory_is_managed_reverted_and_let_go_of_with_all_that_is_in_it(shell, root):
    (root / "old").mkdir()
    (root / "old" / "song").write_text("la")
    made = shell.read(
        "share", "manage", str(root / "old"), "--name", "music", "--driver-option", "size=3",
        "--wait", "--timeout", "30",
    )  # fmt: skip
    assert (made["status"], made["size"]) == ("available", 3)
    path = root / "shares" / f"share-{made['instances'][0]}"
    assert (path / "song").read_text() == "la"
    shell.type("snapshot", "create", "music", "--name", "monday", "--wait", "--timeout", "30")
    (path / "song").write_text("la la")
    shell.type("share", "extend", "music", "5", "--wait", "--timeout", "30")

    shown = shell.read("share", "revert", "monday", "--wait", "--timeout", "30")

    assert (shown["status"], shown["size"]) == ("available", 3)
    assert (path / "song").read_text() == "la"
    shell.type("share", "unmanage", "music", code=7)
    shell.type("snapshot", "unmanage", "monday", "--wait", "--timeout", "30")
    shell.type("share", "unmanage", "music", "--wait", "--timeout", "30")
    assert shell.read("share", "list") == []
    assert (path / "song").read_text() == "la"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_directory_is_managed_as_a_snapshot_of_which_shares_can_be_made(shell, root):
    shell.type("share", "create", "2", "--name", "music", "--wait", "--timeout", "30")
    (root / "copy").mkdir()
    (root / "copy" / "song").write_text("la")
    made = shell.read("snapshot", "manage", "music", "copy", "--name", "old", "--wait")
    assert (made["status"], made["size"]) == ("available", 1)
    clone = shell.read("share", "create", "2", "--name", "new", "--snapshot", "old", "--wait")
    path = root / "shares" / f"share-{clone['instances'][0]}"
    assert (path / "song").read_text() == "la"
    shell.type("snapshot", "delete", "old", "--wait", "--timeout", "30")
    assert shell.read("snapshot", "list") == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_what_is_no_share_is_not_managed_and_leaves_no_usage(shell, root):
    said = shell.type("share", "manage", "/etc", "--name", "no", "--wait", code=4).stderr
    assert "/etc" in said
    assert shell.read("share", "show", "no")["status"] == "manage_error"
    shell.type("share", "unmanage", "no", "--wait", "--timeout", "30")
    assert shell.read("share", "list") == []
