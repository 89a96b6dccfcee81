# SPDX-License-Identifier: Apache-2.0
"""All families of methods of volumes in files, as one class."""

from __future__ import annotations

from manila_lite.volume.drivers.files.adoption import AdoptionMethods
from manila_lite.volume.drivers.files.connecting import ConnectingMethods
from manila_lite.volume.drivers.files.copying import CopyingMethods
from manila_lite.volume.drivers.files.moving import MovingMethods
from manila_lite.volume.drivers.files.placement import PlacementMethods
from manila_lite.volume.drivers.files.removal import RemovalMethods
from manila_lite.volume.drivers.files.resizing import ResizingMethods


class FileVolumeMethods(
    PlacementMethods,
    RemovalMethods,
    CopyingMethods,
    ResizingMethods,
    MovingMethods,
    AdoptionMethods,
    ConnectingMethods,
):
    """Volumes as files, raw or qcow2, on shares that are pools; every method may be repeated."""
