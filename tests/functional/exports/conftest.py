# SPDX-License-Identifier: Apache-2.0
"""Helpers for the servers of the tests, and directories to export."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from manila_lite import process
from manila_lite.share.drivers.exports.ganesha import GaneshaHelper, GaneshaSettings
from manila_lite.share.drivers.exports.samba import SambaHelper, SambaSettings
from tests.fixtures.export_servers import Ganesha, Samba


def nfs_helper(server: Ganesha) -> GaneshaHelper:
    """A new helper, as after a restart of the service."""
    settings = GaneshaSettings(
        export_dir=str(server.export_dir),
        mount_dir=str(server.mount_dir),
        hosts=["files.example", "2001:db8::7"],
        dbus_address=server.bus,
    )
    return GaneshaHelper(settings, process.execute)


@pytest.fixture
def nfs(ganesha: Ganesha) -> GaneshaHelper:
    helper = nfs_helper(ganesha)
    helper.check()
    return helper


@pytest.fixture
def cifs(samba: Samba) -> SambaHelper:
    settings = SambaSettings(config_path=str(samba.config), hosts=["files.example", "2001:db8::7"])
    helper = SambaHelper(settings, process.execute)
    helper.check()
    return helper


@pytest.fixture
def name() -> str:
    return f"share-{uuid.uuid4()}"


@pytest.fixture
def directory(name: str) -> Iterator[Path]:
    """The directory of a share, with a file in it, where every user can go."""
    above = Path(tempfile.mkdtemp(prefix="manila-lite-"))
    above.chmod(0o755)
    path = above / name
    path.mkdir()
    path.chmod(0o777)
    (path / "old").write_text("it was there")
    yield path
    shutil.rmtree(above)
