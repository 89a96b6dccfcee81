# SPDX-License-Identifier: Apache-2.0
"""The parts of a host: 'host@backend#pool'."""

from __future__ import annotations

from typing import Literal

Level = Literal["host", "backend", "pool"]


def extract_host(host: str | None, level: Level = "backend") -> str | None:
    """The part of a host that a level means: 'host', 'host@backend', or the pool alone.

    None where there is no host, and for the pool of a host that names none.
    """
    if not host:
        return None
    backend, _, pool = host.partition("#")
    if level == "pool":
        return pool or None
    return backend.partition("@")[0] if level == "host" else backend


def with_pool(host: str, pool: str) -> str:
    """'host@backend' of host, with this pool."""
    return f"{host.partition('#')[0]}#{pool}"
