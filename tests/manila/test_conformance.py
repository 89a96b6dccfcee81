# SPDX-License-Identifier: Apache-2.0
"""The conformance suite on Manila's dummy driver: what it claims holds, save what it cannot."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.daemon import _ini
from tests.manila.conftest import DUMMY, dummy

ALL = "passed (done, twice, killed before, killed after, storage busy, answer lost, refused)"
#: Managing deletes what it looked the old share up by: it cannot be done twice.
ONCE = {
    "passed (done, killed before, storage busy, refused)",
    "FAILED (twice, killed after, answer lost)",
}


@pytest.fixture
def run(tmp_path):
    def run(servers):
        sections = dummy(servers)
        sections["alpha"]["share_backend_name"] = "ALPHA"
        sections["DEFAULT"] = {"enabled_share_backends": "alpha", "state_path": tmp_path}
        config = tmp_path / "dummy.conf"
        config.write_text(_ini(sections))
        suite = ["--pyargs", "manila_lite.testing.conformance", "--driver", DUMMY]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *suite, "--config", config],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=110,
        )
        said = {}
        for line in re.findall(r"^conformance: (.*)$", done.stdout, re.MULTILINE):
            scenario, outcome = re.split(r" (?=passed|FAILED|skipped)", line, maxsplit=1)
            said.setdefault(scenario, set()).add(outcome)
        assert said, done.stdout + done.stderr
        return said

    return run


def failed(said):
    return {
        what for what, outcomes in said.items() if any(o.startswith("FAILED") for o in outcomes)
    }


def test_without_share_servers(run):
    said = run(servers=False)
    assert failed(said) == {"manage_existing", "manage_existing_snapshot"}
    assert said["manage_existing"] == said["manage_existing_snapshot"] == ONCE
    for scenario in ("create_share", "create_share_from_snapshot", "revert_to_snapshot"):
        assert said[scenario] == {ALL}


def test_with_share_servers(run):
    said = run(servers=True)
    assert failed(said) == set()
    for scenario in ("create_share", "setup_server", "teardown_server", "create_share_group"):
        assert said[scenario] == {ALL}
