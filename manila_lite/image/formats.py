# SPDX-License-Identifier: Apache-2.0
"""Formats of images, by Glance's names."""

from __future__ import annotations

from typing import Final

from manila_lite.volume.qcow2.foreign import to_qemu as to_qemu

#: What becomes a raw volume without being changed.
RAW_FORMATS: Final = frozenset({"raw", "iso", "ami", "ari", "aki"})

#: Formats that qemu-img can compress while it writes them.
COMPRESSIBLE: Final = frozenset({"qcow2"})

#: Container formats that say that the image is the disk and nothing else.
CONTAINERS: Final = frozenset({None, "bare", "ami", "ari", "aki"})
