# SPDX-License-Identifier: Apache-2.0
"""A day's work on one machine: processes, a real database, the directory driver."""

import pytest


@pytest.fixture
def site(database_url, daemons, tmp_path):
    """A daemon that runs, with shares below tmp_path/shares."""
    root = tmp_path / "shares"
    root.mkdir()
    daemon = daemons(database_url, driver="directory", backend={"directory_root": root})
    daemon.start()
    daemon.wait_ready()
    return daemon


def test_requests_are_carried_out_on_every_database(site, shell_of):
    shell = shell_of(site)
    made = shell.read("share", "create", "1", "--name", "music", "--wait", "--timeout", "30")
    assert made["status"] == "available"
    assert shell.read("share", "extend", "music", "3", "--wait")["size"] == 3
    shell.type("share", "delete", "music", "--wait")
    assert shell.read("share", "list") == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_share_from_its_making_to_its_end(site, shell_of, tmp_path):
    shell = shell_of(site)
    made = shell.read("share", "create", "1", "--name", "music", "--wait", "--timeout", "30")
    assert made["status"] == "available"
    path = tmp_path / "shares" / "shares" / f"share-{made['instances'][0]}"
    (path / "song").write_text("la")
    shell.type("snapshot", "create", "music", "--name", "monday", "--wait", "--timeout", "30")
    copy = shell.read("share", "create", "1", "--name", "copy", "--snapshot", "monday", "--wait")
    assert (path.with_name(f"share-{copy['instances'][0]}") / "song").read_text() == "la"
    assert shell.read("share", "extend", "music", "3", "--wait")["size"] == 3
    assert shell.read("share", "shrink", "music", "2", "--wait")["size"] == 2
    shell.type("snapshot", "delete", "monday", "--wait")
    shell.type("share", "delete", "music", "copy", "--wait")
    assert shell.read("share", "list") == []
    assert not path.exists()
    assert {row["state"] for row in shell.read("op", "list")} == {"succeeded"}
    assert shell.read("service", "list")[0]["workers"] == 1


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_tables_for_people_are_plain_text_in_a_pipe(site, shell_of):
    shell = shell_of(site)
    shell.type("share", "create", "1", "--name", "music", "--wait")
    table = shell.type("share", "list").stdout
    assert "music" in table
    assert "available" in table
    assert "\x1b" not in table


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_what_is_asked_while_the_daemon_is_away_is_done_when_it_comes(site, shell_of):
    shell = shell_of(site)
    site.kill()
    made = shell.read("share", "create", "1", "--name", "later")
    shell.type("op", "watch", made["operation"], "--timeout", "0.5", code=5)
    site.start()
    shell.type("op", "watch", made["operation"], "--timeout", "30")
    assert shell.read("share", "show", "later")["status"] == "available"


def test_a_database_that_is_away_ends_with_6(tmp_path, shell_of):
    path = tmp_path / "manila.conf"
    path.write_text("[database]\nconnection = postgresql://u:geheim@127.0.0.1:1/manila\n")
    said = shell_of(path).type("share", "list", code=6).stderr
    assert "geheim" not in said
    assert len(said.splitlines()) == 1


def test_db_sync_can_be_repeated(empty_database_url, tmp_path, shell_of):
    path = tmp_path / "manila.conf"
    url = empty_database_url.replace("%", "%%")
    path.write_text(f"[database]\nconnection = {url}\n")
    shell = shell_of(path)
    assert shell.read("db", "sync")["changed"] is True
    assert shell.read("db", "sync")["changed"] is False
    assert shell.read("share", "list") == []
