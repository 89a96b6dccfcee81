# SPDX-License-Identifier: Apache-2.0
"""Names of image formats: Glance's and qemu's differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_QEMU: Final[Mapping[str, str]] = {
    "raw": "raw",
    "iso": "raw",
    "ami": "raw",
    "ari": "raw",
    "aki": "raw",
    "qcow2": "qcow2",
    "vdi": "vdi",
    "vhd": "vpc",
    "vpc": "vpc",
    "vhdx": "vhdx",
    "vmdk": "vmdk",
}

#: What becomes a volume without being changed.
RAW_FORMATS: Final = frozenset(name for name, qemu in _QEMU.items() if qemu == "raw")

#: Container formats that say that the image is the disk and nothing else.
CONTAINERS: Final = frozenset({None, "bare", "ami", "ari", "aki"})

#: Formats that qemu-img can compress while it writes them.
COMPRESSIBLE: Final = frozenset({"qcow2"})


def to_qemu(disk_format: object) -> str | None:
    """qemu's name of one of Glance's disk formats; None for one that is not accepted here."""
    return _QEMU.get(disk_format.lower()) if isinstance(disk_format, str) else None
