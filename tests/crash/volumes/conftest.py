# SPDX-License-Identifier: Apache-2.0
"""Sites: daemons with real volumes in directories, on databases of their own."""

import itertools
import shutil

import pytest

from tests.crash.volumes.site import Site
from tests.fixtures.daemon import VolumeDaemon

DRIVER = "tests.crash.volumes.drivers.DyingDriver"

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _needs_qemu():
    if shutil.which("qemu-img") is None or shutil.which("qemu-io") is None:
        pytest.skip("qemu-img and qemu-io (Debian: qemu-utils) are not installed")


@pytest.fixture
def volume_sites(daemons, tmp_path):
    """A function that makes sites: volume_sites(url, ours={...}, default={...})."""

    def make(url, *, ours=None, default=None):
        number = next(_numbers)
        directory = tmp_path / f"site-{number}"
        directory.mkdir()
        daemon = daemons(
            url,
            VolumeDaemon,
            host=f"volumes{number}",
            driver=DRIVER,
            default={"image_service": f"file://{directory}/images", **(default or {})},
            ours=ours,
            backend={
                "localfs_volume_dir": f"{directory}/one,{directory}/two",
                "dying_orders": directory / "orders",
            },
        )
        return Site(daemon, directory)

    return make
