# SPDX-License-Identifier: Apache-2.0
"""The demonstration keeps its promises, and says so when it cannot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from manila_lite.cmd.demo_site import DemoFailed, Site


def run(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "manila_lite.cmd.main", *words],
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, **environment},
    )


def test_every_operation_of_the_demonstration_comes_to_its_end(tmp_path):
    done = run("--json", "demo", "--keep", "--directory", str(tmp_path / "site"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is True
    assert sum(told["at_the_kill"].values()) > told["at_the_kill"].get("succeeded", 0) > 0
    assert len(list(Path(told["directory"], "shares", "shares").iterdir())) == 62


def test_no_process_and_no_directory_is_left_behind(tmp_path):
    done = run("demo", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Everything came to its end" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert not _processes_that_mention(str(tmp_path))


def _processes_that_mention(text):
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in path.read_text(errors="replace"):
                found.append(path)
        except OSError:
            continue
    return found


def test_a_directory_that_exists_is_refused(tmp_path):
    done = run("demo", "--directory", str(tmp_path))
    assert done.returncode == 7
    assert "cannot be made" in done.stderr


def test_a_daemon_that_ends_by_itself_is_noticed(tmp_path):
    site = Site(tmp_path / "site")
    site.directory.mkdir()
    site.prepare()
    site.config_file.write_text(site.config_file.read_text().replace("= directory", "= none.such"))
    site.run("db", "sync")
    try:
        site.start_daemon()
        with pytest.raises(DemoFailed, match="the daemon ended"):
            site.wait_until("it is ready", site.daemon_is_ready)
    finally:
        site.close()
    assert "none.such" in site.log_file.read_text()


def test_a_command_that_fails_ends_the_demonstration_with_what_it_said(tmp_path):
    site = Site(tmp_path / "site")
    site.directory.mkdir()
    site.prepare()
    with pytest.raises(DemoFailed, match="db sync"):
        site.run("share", "list")
