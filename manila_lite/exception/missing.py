# SPDX-License-Identifier: Apache-2.0
"""Rows that are absent. Manila's names, keyword arguments and HTTP code (404)."""

from __future__ import annotations

from manila_lite.exception.base import NotFound


class ShareNetworkNotFound(NotFound):
    message = "Share network %(share_network_id)s could not be found."


class ShareNetworkSubnetNotFound(NotFound):
    message = "Share network subnet %(share_network_subnet_id)s could not be found."


class SecurityServiceNotFound(NotFound):
    message = "Security service %(security_service_id)s could not be found."


class AvailabilityZoneNotFound(NotFound):
    message = "Availability zone %(id)s could not be found."


class ServiceNotFound(NotFound):
    message = "Service %(service_id)s could not be found."


class HostNotFound(NotFound):
    message = "Host %(host)s could not be found."


class ShareNotFound(NotFound):
    message = "Share %(share_id)s could not be found."


class ShareSnapshotNotFound(NotFound):
    message = "Snapshot %(snapshot_id)s could not be found."


class ShareBackupNotFound(NotFound):
    message = "Backup %(backup_id)s could not be found."


class ShareSnapshotInstanceNotFound(NotFound):
    message = "Snapshot instance %(instance_id)s could not be found."


class ExportLocationNotFound(NotFound):
    message = "Export location %(uuid)s could not be found."


class ShareServerNotFound(NotFound):
    message = "Share server %(share_server_id)s could not be found."


class ShareTypeNotFound(NotFound):
    message = "Share type %(share_type_id)s could not be found."


class ShareTypeNotFoundByName(ShareTypeNotFound):
    message = "Share type %(share_type_name)s could not be found."


class ShareGroupNotFound(NotFound):
    message = "Share group %(share_group_id)s could not be found."


class ShareGroupSnapshotNotFound(NotFound):
    message = "Share group snapshot %(share_group_snapshot_id)s could not be found."


class ShareReplicaNotFound(NotFound):
    message = "Share replica %(replica_id)s could not be found."


class MessageNotFound(NotFound):
    message = "Message %(message_id)s could not be found."


class ReservationNotFound(NotFound):
    message = "Quota reservation %(uuid)s could not be found."
