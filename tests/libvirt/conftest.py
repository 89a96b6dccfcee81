# SPDX-License-Identifier: Apache-2.0
"""Guests of libvirt and QEMU for the service of the other attached tests."""

import pwd
import shutil

import pytest

from tests.functional.nova.conftest import sites  # noqa: F401

_USER = "libvirt-qemu"
_WHAT_TO_DO = "(`make libvirt` installs it)"


@pytest.fixture(scope="session")
def libvirt_host():
    """libvirt within this process."""
    pytest.importorskip("libvirt", reason=f"Python finds no libvirt {_WHAT_TO_DO}")
    for program in ("qemu-img", "qemu-system-x86_64"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed {_WHAT_TO_DO}")
    try:
        pwd.getpwnam(_USER)
    except KeyError:
        pytest.skip(f"libvirt's driver for QEMU wants a user {_USER} {_WHAT_TO_DO}")
    from tests.libvirt.domain import Libvirt

    made = Libvirt()
    yield made
    made.close()
