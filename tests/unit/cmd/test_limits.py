# SPDX-License-Identifier: Apache-2.0
"""Quota limits that somebody has set hold on the command line, too."""

import pytest

from manila_lite.db.models import quota_classes, quotas


@pytest.fixture
def limit(shell):
    """Set a limit of the project that the commands act for, or of everybody."""

    def limit(resource, most, everybody=False):
        row = {"resource": resource, "hard_limit": most, "deleted": 0}
        with shell.site.database.writer() as connection:
            if everybody:
                connection.execute(quota_classes.insert(), {**row, "class_name": "default"})
            else:
                connection.execute(quotas.insert(), {**row, "project_id": "admin"})

    return limit


def test_without_limits_there_is_no_end(shell):
    assert len(shell.read("share", "create", "9999", "--count", "3")) == 3


@pytest.mark.parametrize("everybody", [False, True])
def test_the_last_share_fits_and_the_next_one_does_not(shell, limit, everybody):
    limit("shares", 2, everybody)
    shell.read("share", "create", "1")
    shell.read("share", "create", "1")
    assert "may have 2 shares and has 2" in shell.refusal("share", "create", "1")
    assert len(shell.read("share", "list")) == 2


def test_a_limit_of_the_project_goes_before_that_of_everybody(shell, limit):
    limit("shares", 0, everybody=True)
    limit("shares", -1)
    shell.read("share", "create", "1")


def test_gigabytes_are_counted_when_a_share_is_made_and_when_it_grows(shell, limit):
    limit("gigabytes", 10)
    shell.read("share", "create", "6", "--name", "music")
    shell.refusal("share", "create", "5")
    shell.site.run()
    shell.refusal("share", "extend", "music", "11")
    shell.read("share", "extend", "music", "10")


def test_one_share_has_a_limit_of_its_own(shell, limit):
    limit("per_share_gigabytes", 4)
    assert "may have 4 GiB" in shell.refusal("share", "create", "5")
    shell.read("share", "create", "4")


def test_snapshots_are_counted(shell, limit):
    limit("snapshots", 0)
    shell.read("share", "create", "1", "--name", "music")
    shell.site.run()
    assert "snapshots" in shell.refusal("snapshot", "create", "music")
