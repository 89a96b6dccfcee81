# SPDX-License-Identifier: Apache-2.0
"""The contract suite is run on each driver of `subjects`."""

import shutil
from pathlib import Path

import pytest

from tests.contract.volume_drivers.subjects import MOUNTED, SUBJECTS, Subject


@pytest.fixture(autouse=True)
def _qemu() -> None:
    for program in ("qemu-img", "qemu-io"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (qemu-utils)")


@pytest.fixture(
    params=[*SUBJECTS, *(pytest.param(name, marks=pytest.mark.slow) for name in MOUNTED)]
)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    if request.param in MOUNTED:
        return MOUNTED[request.param](tmp_path, request.getfixturevalue("nfs_exports"))
    return SUBJECTS[request.param](tmp_path)
