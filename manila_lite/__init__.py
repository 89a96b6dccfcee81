# SPDX-License-Identifier: Apache-2.0
"""A durable worker daemon for shared file systems."""


def __getattr__(name: str) -> str:
    """Look the version up only when somebody asks: reading package metadata takes its time."""
    if name == "__version__":
        from importlib import metadata

        return metadata.version("manila-lite")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
