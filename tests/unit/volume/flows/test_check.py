# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.volume.flows import check
from tests.support.volumes import Recorder

REPORT = {"findings": [{"kind": "stray", "path": "p", "text": "t", "repair": "r"}]}


@pytest.fixture
def volume(site):
    return site.add_volume()


def test_the_drivers_report_is_the_operations_result(site, volume):
    snapshots = [site.add_snapshot(volume, "available") for _ in range(3)]
    site.driver.answers["check_volume"] = REPORT

    operation = site.do(check.CHECK, volume_id=volume)

    assert site.result(operation) == REPORT
    assert site.driver.argument("check_volume", 1) == snapshots


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_repair_says_what_it_does(site, volume, dry_run):
    given = []
    site.driver.answers["repair_volume"] = lambda v, s, dry_run: given.append(dry_run) or REPORT

    operation = site.do(check.CHECK, volume_id=volume, repair=True, dry_run=dry_run)

    assert given == [dry_run]
    assert site.result(operation) == REPORT


def test_a_driver_that_cannot_check_says_so(site, volume):
    site.environment.driver = Recorder()

    assert "cannot check" in site.do(check.CHECK, volume_id=volume)["error"]
