# SPDX-License-Identifier: Apache-2.0
"""The command line as processes, beside a daemon."""

import json
import subprocess
import sys

import pytest


class Shell:
    """Runs ``manila-lite`` with one configuration file."""

    def __init__(self, config_file):
        self.config_file = config_file

    def type(self, *words, code=0):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "manila_lite.cmd.main",
                "--config-file",
                self.config_file,
                *words,
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def read(self, *words):
        return json.loads(self.type("--json", *words).stdout)


@pytest.fixture
def shell_of():
    """A function from a daemon, or a configuration file, to its shell."""
    return lambda daemon: Shell(getattr(daemon, "config", daemon))
