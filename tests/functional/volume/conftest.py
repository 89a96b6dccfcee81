# SPDX-License-Identifier: Apache-2.0
"""A volume on a share, for tests with real qemu-img."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.functional.volume.chain_site import Site, new_site


@pytest.fixture(autouse=True)
def _needs_qemu_img() -> None:
    if shutil.which("qemu-img") is None or shutil.which("qemu-io") is None:
        pytest.skip("qemu-img and qemu-io (Debian: qemu-utils) are not installed")


@pytest.fixture(params=["raw", "qcow2"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A volume of 1 GiB whose base image is raw, and then one whose base is qcow2."""
    return new_site(tmp_path, image_format=request.param)


@pytest.fixture
def raw_site(tmp_path: Path) -> Site:
    """A volume of 1 GiB whose base image is raw."""
    return new_site(tmp_path)
