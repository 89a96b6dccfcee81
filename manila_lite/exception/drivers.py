# SPDX-License-Identifier: Apache-2.0
"""What drivers and network plugins raise, and flows catch: Manila's names, bases and arguments."""

from __future__ import annotations

from typing import Any

from manila_lite.exception.base import (
    InUse,
    Invalid,
    ManilaException,
    ProcessExecutionError,
    QuotaError,
)

# Networks.


class NetworkException(ManilaException):
    message = "The network failed."


class NetworkBindException(ManilaException):
    message = "A port could not be bound."


class NetworkBadConfigurationException(NetworkException):
    message = "Bad network configuration: %(reason)s."


class NetworkUnavailable(NetworkException):
    """Where addresses come from does not answer; asking again does no harm."""

    message = "The network service cannot be reached: %(reason)s."


class IpAddressGenerationFailureClient(ManilaException):
    message = "The subnet has no free address left."


class NetworkExhausted(NetworkBadConfigurationException, IpAddressGenerationFailureClient):
    """A pool of addresses is used up."""

    message = "%(network)s has too few free addresses: %(wanted)s needed, %(available)s left."


class PortLimitExceeded(QuotaError):
    message = "No more ports are allowed."


class IPAddressInUse(InUse):
    message = "IP address %(ip)s is in use."


# What drivers raise about shares.


class BackupException(ManilaException):
    message = "Unable to perform a backup action: %(reason)s."


class InvalidShare(Invalid):
    message = "Invalid share: %(reason)s."


class InvalidShareInstance(Invalid):
    message = "Invalid share instance: %(reason)s."


class ShareBusyException(Invalid):
    message = "The share is busy: %(reason)s."


class ManageInvalidShare(InvalidShare):
    message = "The share cannot be managed: %(reason)s"


class UnmanageInvalidShare(InvalidShare):
    message = "The share cannot be unmanaged: %(reason)s"


class ManageExistingShareTypeMismatch(ManilaException):
    message = "The share cannot be managed, it does not fit its share type: %(reason)s"


class ShareExtendingError(ManilaException):
    message = "The driver could not extend share %(share_id)s: %(reason)s"


class ShareShrinkingError(ManilaException):
    message = "The driver could not shrink share %(share_id)s: %(reason)s"


class ShareShrinkingPossibleDataLoss(ManilaException):
    message = "Share %(share_id)s was not shrunk: it holds more data than would fit"


class ShareMountException(ManilaException):
    message = "The share could not be mounted: %(reason)s"


class ShareUmountException(ManilaException):
    message = "The share could not be unmounted: %(reason)s"


class ShareMigrationError(ManilaException):
    message = "Error in share migration: %(reason)s"


class ShareMigrationFailed(ManilaException):
    message = "Share migration failed: %(reason)s"


class ReplicationException(ManilaException):
    message = "The replication could not be acted on: %(reason)s."


# Snapshots and groups.


class InvalidShareSnapshot(Invalid):
    message = "Invalid share snapshot: %(reason)s."


class InvalidShareSnapshotInstance(Invalid):
    message = "Invalid share snapshot instance: %(reason)s."


class ManageInvalidShareSnapshot(InvalidShareSnapshot):
    message = "The share snapshot cannot be managed: %(reason)s."


class UnmanageInvalidShareSnapshot(InvalidShareSnapshot):
    message = "The share snapshot cannot be unmanaged: %(reason)s."


class ShareSnapshotIsBusy(ManilaException):
    message = "Snapshot %(snapshot_name)s cannot be deleted: shares depend on it."


class ShareSnapshotNotSupported(ManilaException):
    message = "Share %(share_name)s cannot have snapshots."


class ShareGroupSnapshotNotSupported(ManilaException):
    message = "Share group %(share_group)s cannot have snapshots."


class InvalidShareGroup(Invalid):
    message = "Invalid share group: %(reason)s"


class InvalidShareGroupSnapshot(Invalid):
    message = "Invalid share group snapshot: %(reason)s"


# Access rules.


class InvalidShareAccess(Invalid):
    message = "Invalid access rule: %(reason)s"


class InvalidSnapshotAccess(Invalid):
    message = "Invalid access rule: %(reason)s"


class InvalidShareAccessLevel(Invalid):
    message = "Invalid or unsupported share access level: %(level)s."


class InvalidShareAccessType(Invalid):
    message = "Invalid or unsupported share access type: %(type)s."


class ShareAccessExists(ManilaException):
    message = "Share access %(access_type)s:%(access)s exists."


class DriverCannotTransferShareWithRules(ManilaException):
    message = "The driver cannot transfer the share as long as it has access rules."


# Share servers.


class InvalidShareServer(Invalid):
    message = "Invalid share server: %(reason)s"


class ManageShareServerError(ManilaException):
    message = "The share server cannot be managed: %(reason)s"


class ShareServerInUse(InUse):
    message = "Share server %(share_server_id)s is in use."


class ShareServerNotCreated(ManilaException):
    message = "Share server %(share_server_id)s could not be created."


class ShareServerNotReady(ManilaException):
    message = "Share server %(share_server_id)s was not '%(state)s' within %(time)s seconds."


# The back end itself.


class DriverNotInitialized(ManilaException):
    message = "Share driver '%(driver)s' is not initialized."


class ShareBackendException(ManilaException):
    message = "Share back end error: %(msg)s."


class StorageCommunicationException(ShareBackendException):
    message = "The storage array could not be talked to."


class BackendBusy(ShareBackendException):
    """Nothing was done; the same call may succeed later. For drivers that can tell."""

    message = "The back end is busy: %(reason)s"


class BackendOutcomeUnknown(ShareBackendException):
    """The call may have taken effect; the engine looks before it asks again."""

    message = "Nobody knows whether the back end did it: %(reason)s"


class ShareBackendFull(ShareBackendException):
    message = "The back end has no room: %(reason)s"


class StorageResourceException(ManilaException):
    message = "A resource of the storage failed."


class StorageResourceNotFound(StorageResourceException):
    message = "Storage resource %(name)s not found."
    code = 404


class ShareResourceNotFound(StorageResourceNotFound):
    message = "The storage back end does not have share %(share_id)s."


class SnapshotResourceNotFound(StorageResourceNotFound):
    message = "The storage back end does not have snapshot %(name)s."


class ShareSnapshotResourceNotFound(SnapshotResourceNotFound):
    message = "The storage back end does not have snapshot %(snapshot_id)s."


class SnapshotUnavailable(StorageResourceException):
    message = "Nothing is known of snapshot %(name)s."


class SSHException(ManilaException):
    message = "The SSH connection failed."


class SSHInjectionThreat(ManilaException):
    message = "Refused to run over SSH: %(command)s"


class LockingFailed(ManilaException):
    message = "The lock was not to be had."


class GaneshaCommandFailure(ProcessExecutionError):
    """A management command of nfs-ganesha failed."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("description", "A management command of Ganesha failed.")
        super().__init__(**kwargs)


class GaneshaException(ManilaException):
    message = "Ganesha failed for an unknown reason."
