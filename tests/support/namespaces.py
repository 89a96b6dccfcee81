# SPDX-License-Identifier: Apache-2.0
"""Network namespaces, in which servers of tests have addresses and ports of their own."""

import contextlib
import secrets
import subprocess
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def network_namespace() -> Iterator[str]:
    """A network namespace of its own name; skips where none can be made."""
    name = f"manila-lite-{secrets.token_hex(4)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no network namespace can be made: {made.stderr.strip()}")
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)
