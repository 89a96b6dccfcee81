# SPDX-License-Identifier: Apache-2.0
"""What image services and conversions raise, beside the exceptions of volumes."""

from __future__ import annotations

from manila_lite.exception.base import Conflict, Invalid, ManilaException
from manila_lite.exception.drivers import BackendBusy, BackendOutcomeUnknown


class ImageTooBig(Invalid):
    message = "Image %(image_id)s does not fit on the disk: %(reason)s"


class ImageConversionNotAllowed(ManilaException):
    message = "Image %(image_id)s would have to be converted, which is switched off: %(reason)s"


class ImageDownloadFailed(ManilaException):
    message = "Image %(image_href)s could not be downloaded: %(reason)s"


class ImageConflict(Conflict):
    """The image is in no status in which this can be done, such as an upload to an active one."""

    message = "Image %(image_id)s: %(reason)s"


class InvalidImageRef(Invalid):
    message = "%(image_href)r cannot be the id of an image."


class GlanceConnectionFailed(BackendBusy):
    """The image service was not reached, or is overloaded; nothing was changed there."""

    message = "The image service cannot be used at present: %(reason)s"


class ImageUploadInterrupted(BackendOutcomeUnknown):
    """Nobody knows what the image service made of an upload; its status of the image tells."""

    message = "The upload of image %(image_id)s was interrupted: %(reason)s"
