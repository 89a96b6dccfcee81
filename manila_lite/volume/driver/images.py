# SPDX-License-Identifier: Apache-2.0
"""Images to volumes, and volumes to images."""

from __future__ import annotations

from typing import Any

from manila_lite.volume.driver.base import DriverBase, Model, Update


class ImageMethods(DriverBase):
    """Copies from and to the image service."""

    def copy_image_to_volume(
        self, context: Any, volume: Model, image_service: Any, image_id: str
    ) -> None:
        """Fill a volume that exists with an image."""
        raise NotImplementedError

    def copy_volume_to_image(
        self, context: Any, volume: Model, image_service: Any, image_meta: Any
    ) -> None:
        """Upload the data of a volume as the image that image_meta describes."""
        raise NotImplementedError

    def clone_image(
        self, context: Any, volume: Model, image_location: Any, image_meta: Any, image_service: Any
    ) -> tuple[Update, bool]:
        """Make a volume from an image inside the storage; (None, False) where that cannot be."""
        return None, False
