# SPDX-License-Identifier: Apache-2.0
"""Looking into a root of the directory driver."""

import json
from pathlib import Path


def data(root: Path, model: dict) -> Path:
    """Where the data of a share or a snapshot lie."""
    return root / _area(model) / model["name"]


def metadata(root: Path, model: dict) -> dict:
    """What the driver has noted of a share or a snapshot."""
    return json.loads((root / ".metadata" / _area(model) / f"{model['name']}.json").read_text())


def tree_of(root: Path) -> list[str]:
    """All names under a root."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def _area(model: dict) -> str:
    return "snapshots" if "share" in model else "shares"
