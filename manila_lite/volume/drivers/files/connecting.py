# SPDX-License-Identifier: Apache-2.0
"""What a host is told that connects to a volume."""

from __future__ import annotations

from typing import Any

from manila_lite import exception
from manila_lite.volume.drivers.files.base import OwnFiles
from manila_lite.volume.drivers.remotefs.locks import locked_volume_id_operation


class ConnectingMethods(OwnFiles):
    """A host opens the active image, with the format that it is told."""

    @locked_volume_id_operation
    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:
        """What a host needs to mount the share, to find the active image and to open it.

        Waits for whatever is changing the images. Raises InvalidVolume for one that is neither
        raw nor qcow2.
        """
        active = self._survey(volume).chain[0]
        if active.file_format not in ("raw", "qcow2"):
            raise exception.InvalidVolume(reason=f"{active.name} is neither raw nor qcow2")
        answer = super().initialize_connection(volume, connector)
        answer["data"].update(name=active.name, format=active.file_format)
        return answer
