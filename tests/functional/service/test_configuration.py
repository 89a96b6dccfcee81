# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a configuration is said in one line, before anything starts."""

import configparser
import os
import subprocess
import sys

import pytest

from manila_lite.db.session import Database
from tests.fixtures.databases import load_manila_schema

SECRET = "geheim"
UNSET = "(not set)"

WRONG = [
    ("alpha", "share_driver", "no.such.Driver", "cannot be loaded"),
    ("alpha", "share_driver", "json.JSONDecoder", "is not the class of a share driver"),
    ("alpha", "directory_root", None, "must be an absolute path"),
    ("alpha", "driver_handles_share_servers", None, "must be set to True or False"),
    ("alpha", "driver_handles_share_servers", "True", "makes no share servers"),
    ("alpha", "max_over_subscription_ratio", "0.5", "must be at least 1.0"),
    ("alpha", "reserved_share_percentage", "101", "100"),
    ("DEFAULT", "enabled_share_backends", None, "must name the section"),
    ("DEFAULT", "enabled_share_backends", "gamma", "there is no section [gamma]"),
    ("DEFAULT", "report_interval", "often", "must be a number"),
    ("DEFAULT", "service_down_time", "1", "must be more than report_interval"),
    ("manila_lite", "operation_threads", "0", "1"),
    ("manila_lite", "queue_compat", "kafka", "quorum"),
    ("database", "connection", "oracle://host/db", "must be the URL"),
    ("DEFAULT", "transport_url", "http://broker/", "must begin with rabbit://"),
]


class Setting:
    """A configuration that is good until a test changes it, and the daemon that reads it."""

    def __init__(self, directory):
        self.directory = directory
        self.database = directory / "database.sqlite"
        self.root = directory / "shares"
        self.root.mkdir()
        self.path = directory / "manila-lite.conf"
        self.parser = configparser.ConfigParser(interpolation=None, default_section="")
        self.parser.read_dict(
            {
                "DEFAULT": {
                    "host": "mbase",
                    "state_path": directory / "state",
                    "enabled_share_backends": "alpha",
                },
                "database": {"connection": f"sqlite:///{self.database}"},
                "manila_lite": {},
                "alpha": {
                    "share_driver": "directory",
                    "driver_handles_share_servers": "False",
                    "directory_root": self.root,
                },
            }
        )

    def change(self, section, option, value):
        self.parser.remove_option(section, option)
        if value is not None:
            self.parser.set(section, option, value)

    def run(self):
        """Start the daemon and wait for its end; return what a shell gets to see."""
        with self.path.open("w") as file:
            self.parser.write(file)
        command = [sys.executable, "-m", "manila_lite.cmd.share", "--config-file", self.path]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def refusal(self):
        """Check that nothing started; return the one line that was printed."""
        done = self.run()
        assert done.returncode == 1
        assert done.stdout == ""
        assert not self.database.exists()
        assert os.listdir(self.root) == []
        (line,) = done.stderr.splitlines()
        return line


@pytest.fixture
def setting(tmp_path):
    return Setting(tmp_path)


@pytest.mark.parametrize(("section", "option", "value", "reason"), WRONG)
def test_section_option_value_and_reason_are_named(setting, section, option, value, reason):
    setting.change(section, option, value)
    line = setting.refusal()
    assert line.startswith(f"manila-lite-share: [{section}] {option} = {value or UNSET}: ")
    assert reason in line


@pytest.mark.parametrize(
    ("section", "option", "value", "shown"),
    [
        ("DEFAULT", "transport_url", f"rabbit://u:{SECRET}@host:port/", "rabbit://u:***@host:port:"),
        ("DEFAULT", "transport_url", f"kafka://u:{SECRET}@host/", "kafka://u:***@host/"),
        ("database", "connection", f"oracle://u:{SECRET}@host/db", "oracle://u:***@host/db"),
        ("database", "connection", f"postgresql://u:{SECRET}@host:x/db", "//u:***@host:x/db"),
        ("database", "connection", SECRET, "***"),
    ],
)  # fmt: skip
def test_passwords_are_hidden(setting, section, option, value, shown):
    setting.change(section, option, value)
    line = setting.refusal()
    assert f"[{section}] {option} = " in line
    assert shown in line
    assert SECRET not in line


def test_a_file_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "none.conf"
    command = [sys.executable, "-m", "manila_lite.cmd.share", "--config-file", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(path) in line


def test_a_line_that_cannot_be_parsed_is_numbered_and_not_shown(tmp_path):
    path = tmp_path / "manila.conf"
    path.write_text(f"[DEFAULT]\nhost = a\nmy password is {SECRET}\n")
    command = [sys.executable, "-m", "manila_lite.cmd.share", "--config-file", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "line 3" in line
    assert SECRET not in line


@pytest.mark.parametrize("database_kind", ["postgresql", "mariadb"], indirect=True)
def test_a_database_without_tables_is_told_from_one_that_is_away(setting, empty_database_url):
    setting.change("database", "connection", empty_database_url)
    line = setting.refusal()
    assert "manila-lite db sync" in line


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_database_of_manilas_wants_our_tables_first(setting, empty_database_url):
    database = Database(empty_database_url)
    load_manila_schema(database._writer)
    setting.change("database", "connection", empty_database_url)
    database.close()
    assert "manila-lite db sync" in setting.refusal()
