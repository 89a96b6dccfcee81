# SPDX-License-Identifier: Apache-2.0
"""What importing the package does, and does not do. Each check has an interpreter of its own."""

import json
import pkgutil
import re
import subprocess
import sys
from typing import Any

import pytest

import manila_lite

PROBE = """
import importlib, json, sys, threading
from oslo_config import cfg

reads = []
for name in ("__getattr__", "__getitem__"):
    def watch(self, key, _real=getattr(cfg.ConfigOpts, name)):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.startswith("manila_lite"):
            reads.append([caller, key])
        return _real(self, key)
    setattr(cfg.ConfigOpts, name, watch)

eventlet = []
for module in json.loads(sys.argv[1]):
    importlib.import_module(module)
    if not eventlet and sys.modules.get("eventlet"):
        eventlet.append(module)
print(json.dumps({
    "modules": sorted(sys.modules),
    "eventlet": eventlet,
    "reads": reads,
    "threads": threading.active_count(),
}))
"""


def modules() -> list[str]:
    """Every module of the package but what runs when it is imported: migrations, __main__."""
    names = [m.name for m in pkgutil.walk_packages(manila_lite.__path__, "manila_lite.")]
    return [name for name in names if not re.search(r"\.migrations|__main__$", name)]


@pytest.fixture(scope="module")
def after_import() -> dict[str, Any]:
    command = [sys.executable, "-W", "error::DeprecationWarning:manila_lite", "-c", PROBE]
    done = subprocess.run([*command, json.dumps(modules())], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_module_can_be_imported(after_import):
    assert set(modules()) <= set(after_import["modules"])


def test_nothing_imports_eventlet(after_import):
    assert after_import["eventlet"] == []


def test_no_module_reads_an_option_while_it_is_imported(after_import):
    assert after_import["reads"] == []


def test_importing_starts_no_thread(after_import):
    assert after_import["threads"] == 1
