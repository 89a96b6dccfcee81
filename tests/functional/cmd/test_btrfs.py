# SPDX-License-Identifier: Apache-2.0
"""The btrfs driver from the command line: a share's life as a small site has it."""

import errno
import os

import pytest

GIB = 1 << 30
WAIT = ("--wait", "--timeout", "60")


@pytest.fixture
def root(btrfs_root):
    return btrfs_root


@pytest.fixture
def shell(database_url, daemons, root, shell_of):
    daemon = daemons(database_url, driver="btrfs", backend={"btrfs_root": root})
    daemon.start()
    daemon.wait_ready()
    return shell_of(daemon)


def reserve(path, size):
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_share_lives_on_btrfs_from_its_making_to_its_end(shell, root):
    made = shell.read("share", "create", "1", "--name", "music", *WAIT)
    path = root / "shares" / f"share-{made['instances'][0]}"
    (path / "song").write_text("la")
    with pytest.raises(OSError) as caught:
        reserve(path / "large", GIB + 1)
    assert caught.value.errno == errno.EDQUOT
    shell.type("share", "extend", "music", "2", *WAIT)
    reserve(path / "large", GIB + 1)

    shell.type("snapshot", "create", "music", "--name", "monday", *WAIT)
    (path / "song").write_text("la la")
    clone = shell.read("share", "create", "3", "--name", "copy", "--snapshot", "monday", *WAIT)
    copy = root / "shares" / f"share-{clone['instances'][0]}"
    assert (copy / "song").read_text() == "la"
    shell.type("share", "revert", "monday", *WAIT)
    assert (path / "song").read_text() == "la"

    shell.type("share", "shrink", "music", "1", *WAIT, code=4)
    assert shell.read("share", "show", "music")["size"] == 2
    assert (path / "large").stat().st_size == GIB + 1
    shell.type("snapshot", "delete", "monday", *WAIT)
    for name in ("music", "copy"):
        shell.type("share", "delete", name, *WAIT)
    assert os.listdir(root / "shares") == os.listdir(root / "snapshots") == []
