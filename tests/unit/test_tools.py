# SPDX-License-Identifier: Apache-2.0
"""The scripts under tools/, as far as they decide something."""

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]

SAMPLE = """
[DEFAULT]

#
# From manila_lite
#

# Seconds. (integer value)
#report_interval = 10

#
# From oslo.log
#

# From here on all is theirs. (boolean value)
#debug = false

[example_backend]

#
# From manila_lite
#

#driver_handles_share_servers = <None>
"""


def load(name: str) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader(
        name.replace("-", "_"), str(ROOT / "tools" / name)
    )
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_sample_is_compared_in_our_options_only():
    ours = load("check-sample-config").ours
    assert ours(SAMPLE) == [
        "[DEFAULT]",
        "# From manila_lite",
        "# Seconds. (integer value)",
        "#report_interval = 10",
        "[example_backend]",
        "# From manila_lite",
        "#driver_handles_share_servers = <None>",
    ]
    assert ours(SAMPLE) == ours(SAMPLE.replace("debug = false", "debug = true"))


def test_a_changed_default_of_ours_makes_a_difference():
    ours = load("check-sample-config").ours
    assert ours(SAMPLE) != ours(SAMPLE.replace("= 10", "= 20"))


def test_the_kept_sample_has_options_of_ours():
    lines = load("check-sample-config").ours(
        (ROOT / "etc/manila_lite/manila-lite.conf.sample").read_text()
    )
    assert "#report_interval = 10" in lines


def test_packages_are_chosen_by_profile():
    wanted = load("system-packages").wanted
    text = "# all\npython3-venv [platform:dpkg]\nrabbitmq-server [platform:dpkg test]\nplain\n"
    assert wanted(text, None) == ["python3-venv", "plain"]
    assert wanted(text, "test") == ["python3-venv", "rabbitmq-server", "plain"]


def test_every_line_of_bindep_is_understood():
    text = (ROOT / "bindep.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    wanted = load("system-packages").wanted
    found = {*wanted(text, "test"), *wanted(text, "test-libvirt")}
    assert found == {line.split()[0] for line in lines}
