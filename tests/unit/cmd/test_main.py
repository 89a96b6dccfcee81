# SPDX-License-Identifier: Apache-2.0
"""The command line as a whole: help, exit codes, errors in one line."""

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from oslo_db import exception as db_exc

from manila_lite import exception
from manila_lite.cmd import errors
from manila_lite.cmd.main import main


def commands(command=main, path=()):
    """(path, command) of all commands that are no groups."""
    if not isinstance(command, click.Group):
        return [(path, command)]
    return [
        found
        for name, child in command.commands.items()
        for found in commands(child, (*path, name))
    ]


@pytest.mark.parametrize(("path", "command"), commands(), ids=lambda value: str(value))
def test_every_command_explains_itself_with_an_example(path, command):
    text = CliRunner().invoke(main, [*path, "--help"]).output
    example = text.partition("Example")[2]
    assert " ".join(path) in example


def test_help_names_all_exit_codes():
    text = CliRunner().invoke(main, ["--help"]).output
    for code, meaning in errors.MEANINGS.items():
        assert f"{code}  {meaning}" in text


def test_help_imports_nothing_heavy():
    probe = (
        "import sys; from manila_lite.cmd.main import main;"
        "main(['--help'], standalone_mode=False);"
        "print(sorted({m.split('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(eval(done.stderr.splitlines()[-1]))
    assert not loaded & {"sqlalchemy", "rich", "alembic", "oslo_messaging", "oslo_db", "kombu"}


@pytest.mark.parametrize(
    ("shell", "sign"), [("bash", "complete"), ("zsh", "compdef"), ("fish", "complete")]
)
def test_completion_is_a_script_for_the_shell(shell, sign):
    script = CliRunner().invoke(main, ["completion", shell]).stdout
    assert sign in script
    assert "_MANILA_LITE_COMPLETE" in script


def test_an_unknown_shell_is_a_usage_error():
    assert CliRunner().invoke(main, ["completion", "csh"]).exit_code == errors.USAGE


def test_a_configuration_error_is_one_line_and_1(tmp_path):
    path = tmp_path / "manila.conf"
    path.write_text("[database]\nconnection = oracle://u:geheim@h/\n")
    result = CliRunner().invoke(main, ["--config-file", str(path), "share", "list"])
    assert result.exit_code == errors.CONFIGURATION
    assert result.stderr.startswith("manila-lite: [database] connection = oracle://u:***@h/")
    assert len(result.stderr.splitlines()) == 1


def test_errors_are_json_for_programs(tmp_path):
    arguments = ["--json", "--config-file", str(tmp_path / "none"), "share", "list"]
    result = CliRunner().invoke(main, arguments)
    error = json.loads(result.stderr)["error"]
    assert error["exit_code"] == result.exit_code == errors.CONFIGURATION
    assert result.stdout == ""


def test_a_database_without_tables_says_what_to_run(tmp_path):
    path = tmp_path / "manila.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {tmp_path}/state\n")
    result = CliRunner().invoke(main, ["--config-file", str(path), "share", "list"])
    assert result.exit_code == errors.CONFIGURATION
    assert "manila-lite db sync" in result.stderr
    assert not (tmp_path / "state").exists()


def _connection_error():
    return db_exc.DBConnectionError(OSError("cannot reach mysql://u:geheim@h/"))


class MessagingError(Exception):
    pass


MessagingError.__module__ = "oslo_messaging.exceptions"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (exception.ConfigurationError(section="a", option="b", value="c", reason="d"), 1),
        (exception.ShareNotFound(share_id="x"), 3),
        (errors.OperationFailed(uuid="u", state="failed", error="e"), 4),
        (errors.TimedOut("later"), 5),
        (errors.Unreachable(what="It", reason="gone"), 6),
        (_connection_error(), 6),
        (MessagingError("no broker at rabbit://u:geheim@h"), 6),
        (errors.Refused(reason="no"), 7),
        (exception.InvalidInput(reason="no"), 7),
        (KeyError("a bug"), 70),
    ],
)
def test_each_error_has_its_exit_code_and_one_line_without_secrets(error, code):
    assert errors.exit_code(error) == code
    assert code in errors.MEANINGS
    text = errors.message(error)
    assert "\n" not in text
    assert "geheim" not in text


def test_the_version_is_told():
    assert CliRunner().invoke(main, ["--version"]).stdout.startswith("manila-lite ")
