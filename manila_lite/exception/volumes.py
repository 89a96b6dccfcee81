# SPDX-License-Identifier: Apache-2.0
"""What volume drivers and the volume service raise: Cinder's names, bases and arguments.

SnapshotUnavailable is Manila's name too and stands with the share drivers' exceptions.
"""

from __future__ import annotations

from manila_lite.exception.base import Invalid, ManilaException, NotFound

# Rows and resources that are absent.


class VolumeNotFound(NotFound):
    message = "Volume %(volume_id)s could not be found."


class SnapshotNotFound(NotFound):
    message = "Snapshot %(snapshot_id)s could not be found."


class ImageNotFound(NotFound):
    message = "Image %(image_id)s could not be found."


class VolumeAttachmentNotFound(NotFound):
    message = "Volume attachment %(filter)s could not be found."


class VolumeTypeNotFound(NotFound):
    message = "Volume type %(volume_type_id)s could not be found."


# Requests that do not fit.


class InvalidVolume(Invalid):
    message = "Invalid volume: %(reason)s"


class InvalidSnapshot(Invalid):
    message = "Invalid snapshot: %(reason)s"


class InvalidConfigurationValue(Invalid):
    message = "Value '%(value)s' is not valid for option %(option)s"


class ImageUnacceptable(Invalid):
    message = "Image %(image_id)s is unacceptable: %(reason)s"


class ImageCopyFailure(Invalid):
    message = "The image could not be copied: %(reason)s"


class ManageExistingInvalidReference(ManilaException):
    message = "Volume cannot be managed by reference %(existing_ref)s: %(reason)s"


class ManageExistingAlreadyManaged(ManilaException):
    message = "Volume %(volume_ref)s is managed already."


class ManageExistingVolumeTypeMismatch(ManilaException):
    message = "Volume cannot be managed, it does not fit its type: %(reason)s"


# The driver and its storage.


class VolumeDriverException(ManilaException):
    message = "Volume driver reported an error: %(message)s"


class VolumeBackendAPIException(ManilaException):
    message = "Volume back end error: %(data)s"


class VolumeExists(VolumeBackendAPIException):
    """A new volume's name is taken on the storage; what has it was not touched."""

    message = "Volume %(volume_id)s exists already: %(where)s"


class VolumeIsBusy(ManilaException):
    """Nothing was done. Whatever has the volume may have been left behind by a killed service."""

    message = "Volume %(volume_name)s has snapshots, or something holds it."


class ExtendVolumeError(ManilaException):
    message = "The volume could not be extended: %(reason)s"


class VolumeMigrationFailed(ManilaException):
    message = "Volume migration failed: %(reason)s"


class RemoteFSException(VolumeDriverException):
    message = "The remote file system failed."


class RemoteFSConcurrentRequest(RemoteFSException):
    message = "Another request for the same snapshot has come in between."


class RemoteFSNoSharesMounted(RemoteFSException):
    """Nothing was done; the same request may succeed once a share is there."""

    message = "No share is mounted."


class RemoteFSNoSuitableShareFound(RemoteFSException):
    message = "No share has room for %(volume_size)s GiB."


class BackingFileRefused(RemoteFSException):
    """An image that points where it must not: it is neither opened nor handed on."""

    message = "Image %(path)s is refused: %(reason)s"


class NfsException(RemoteFSException):
    message = "NFS failed."


class NfsMountFailed(NfsException):
    """A share could not be mounted just now."""

    message = "NFS share %(share)s could not be mounted: %(reason)s"


class NfsNoSharesMounted(RemoteFSNoSharesMounted):
    message = "No NFS share is mounted."


class NfsNoSuitableShareFound(RemoteFSNoSuitableShareFound):
    message = "No share has room for %(volume_size)s GiB."
