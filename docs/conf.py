# SPDX-License-Identifier: Apache-2.0
"""Sphinx configuration."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "manila_lite"
author = "the manila_lite authors"
copyright = author
release = version = installed_version("manila-lite")

extensions = ["oslo_config.sphinxext", "from_code"]
exclude_patterns = ["_build", "_ext", "reference/generated"]
nitpicky = False

html_theme = "furo"
html_title = f"manila_lite {release}"
html_show_sourcelink = False
html_copy_source = False
