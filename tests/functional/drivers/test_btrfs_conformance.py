# SPDX-License-Identifier: Apache-2.0
"""The conformance suite for drivers, as a driver author runs it, on the btrfs driver."""

import subprocess
import sys

CONFIGURATION = """
[DEFAULT]
enabled_share_backends = alpha
state_path = {state}
[alpha]
share_driver = btrfs
driver_handles_share_servers = False
btrfs_root = {root}
"""


def test_all_that_the_btrfs_driver_claims_holds(btrfs_root, tmp_path):
    config = tmp_path / "driver.conf"
    config.write_text(CONFIGURATION.format(state=tmp_path / "state", root=btrfs_root))
    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs"]

    done = subprocess.run(
        [*suite, "manila_lite.testing.conformance", "--driver", "btrfs", "--config", config],
        cwd=tmp_path, capture_output=True, text=True, timeout=110,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    for claim in (
        "revert_to_snapshot",
        "snapshot_update_access, allow",
        "manage_existing_snapshot",
    ):
        assert f"conformance: {claim} passed" in done.stdout
    assert list((btrfs_root / "shares").iterdir()) == []
    assert list((btrfs_root / "snapshots").iterdir()) == []
