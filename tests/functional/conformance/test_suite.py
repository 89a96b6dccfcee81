# SPDX-License-Identifier: Apache-2.0
"""The suite that driver authors run, run as they do."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SUITE = "manila_lite.testing.conformance"
BROKEN = "tests.functional.conformance.broken.BrokenDriver"
FAULTY = "capacities or ensure or extend or ((create_share or delete_share) and not group)"
DISTURBED = "done, twice, killed before, killed after, storage busy, answer lost"


@dataclasses.dataclass
class Run:
    code: int
    output: str

    def said(self, scenario: str) -> list[str]:
        """What the summary says of a scenario."""
        return re.findall(rf"^conformance: {re.escape(scenario)} (.*)$", self.output, re.MULTILINE)

    def counted(self, outcome: str) -> int:
        found = re.search(rf"(\d+) {outcome}", self.output.splitlines()[-1])
        return int(found[1]) if found else 0


@pytest.fixture
def run(tmp_path):
    """Run the suite with a back end's options; return what it said."""
    config = tmp_path / "driver.conf"

    def run(options, *arguments, suite=SUITE):
        lines = ["[DEFAULT]", "enabled_share_backends = alpha", f"state_path = {tmp_path}"]
        lines += ["[alpha]", "driver_handles_share_servers = False", "share_backend_name = ALPHA"]
        lines += [f"{name} = {value}" for name, value in options.items()]
        config.write_text("\n".join(lines) + "\n")
        paths = os.pathsep.join([str(ROOT), str(ROOT / "docs" / "howto" / "examples")])
        process = subprocess.run(
            [sys.executable, "-m", "pytest", "--pyargs", suite, "--config", config, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=100,
        )
        return Run(process.returncode, process.stdout.rstrip() + process.stderr)

    return run


def assert_all_claims_hold(found):
    assert found.code == 0, found.output[-4000:]
    for scenario in ("create_share", "extend_share", "create_share_from_snapshot", "delete_share"):
        assert found.said(scenario) == [f"passed ({DISTURBED}, refused)"]
    assert found.counted("failed") == 0


def test_the_directory_driver_conforms(run, tmp_path):
    (tmp_path / "root").mkdir()
    found = run({"share_driver": "directory", "directory_root": tmp_path / "root"})
    assert_all_claims_hold(found)
    assert found.said("revert_to_snapshot") == [f"passed ({DISTURBED}, refused)"]
    assert found.said("manage_existing") == [f"passed ({DISTURBED}, refused)"]
    assert found.counted("passed") > 140
    assert [path for path in (tmp_path / "root").rglob("share*") if path.name != "shares"] == []


def test_the_btrfs_driver_conforms_and_has_snapshots_that_can_be_mounted(run, btrfs_root):
    found = run({"share_driver": "btrfs", "btrfs_root": btrfs_root})
    assert_all_claims_hold(found)
    for access in ("allow", "deny"):
        passed = found.said(f"snapshot_update_access, {access}")
        assert passed == [f"passed ({DISTURBED}, refused)"]


def test_the_example_of_the_documentation_conforms_and_says_what_it_cannot(run, tmp_path):
    for name in ("root", "exports.d"):
        (tmp_path / name).mkdir()
    options = {"exports_root": tmp_path / "root", "exports_directory": tmp_path / "exports.d"}
    found = run(options, "--driver", "exports_driver.ExportsDriver")
    assert_all_claims_hold(found)
    assert found.said("revert_to_snapshot") == [
        "passed (not supported)",
        "skipped: the driver does not claim revert_to_snapshot_support",
    ]
    assert found.said("manage_existing") == [
        "passed (not supported)",
        "skipped: the driver does not claim manage_existing",
    ]
    assert list(tmp_path.glob("root/*")) == list(tmp_path.glob("exports.d/*")) == []


def test_a_driver_that_breaks_its_word_fails_with_a_reason(run):
    found = run({}, "--driver", BROKEN, "-k", FAULTY)
    assert found.code == pytest.ExitCode.TESTS_FAILED
    assert "FAILED (twice, killed after, answer lost)" in found.said("create_share")
    assert re.search(r"create_share_instance failed: .*share .* exists", found.output)
    assert found.said("ensure_share") == [f"FAILED ({DISTURBED})"]
    assert "the export locations were" in found.output
    assert any(said.startswith("FAILED (done") for said in found.said("extend_share"))
    assert re.search(r"extend_share failed: .*no room", found.output)
    assert "total_capacity_gb is 'plenty'" in found.output
    assert found.said("delete_share") == [f"passed ({DISTURBED}, refused)"]


def test_one_scenario_can_be_chosen(run):
    found = run({}, "--driver", "manila_lite.testing.drivers.NullDriver", "-k", "shrink_share")
    assert (found.code, found.counted("passed")) == (0, 7)
    assert found.said("shrink_share") == [f"passed ({DISTURBED}, refused)"]


@pytest.mark.parametrize(
    ("options", "arguments", "reason"),
    [
        ({}, ["--driver", "nowhere.Driver"], r"nowhere\.Driver.*No module named 'nowhere'"),
        ({}, ["--backend", "beta"], r"there is no section \[beta\]"),
        ({"share_driver": "directory"}, [], r"the driver cannot be set up: .*directory_root"),
    ],
    ids=["no class", "no section", "no set-up"],
)
def test_what_cannot_begin_says_why_at_once(run, options, arguments, reason):
    found = run(options, *arguments)
    assert found.code == pytest.ExitCode.USAGE_ERROR
    assert re.search(reason, found.output), found.output
    assert (found.counted("passed"), found.counted("failed")) == (0, 0)


def test_pytest_has_the_options_only_where_the_suite_is_asked_for(run):
    found = run({}, suite="manila_lite.testing.kills")
    assert found.code == pytest.ExitCode.USAGE_ERROR
    assert "unrecognized arguments: --config" in found.output
