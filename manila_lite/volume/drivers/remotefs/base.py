# SPDX-License-Identifier: Apache-2.0
"""RemoteFSDriver: volumes as files on shares that this host mounts."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf.remotefs import nas_opts, volume_opts
from manila_lite.volume.coordination import Coordinator
from manila_lite.volume.drivers.remotefs.image_files import ImageFileMethods
from manila_lite.volume.drivers.remotefs.security import SecurityMethods
from manila_lite.volume.drivers.remotefs.shares import PlacedVolume
from manila_lite.volume.drivers.remotefs.stats import StatisticsMethods

LOG = logging.getLogger(__name__)


class RemoteFSDriver(ImageFileMethods, SecurityMethods, StatisticsMethods):
    """What drivers of volumes on remote file systems derive from, as in Cinder.

    A driver has to say how a share is mounted (_ensure_share_mounted), where
    (_get_mount_point_for_share), which one a new volume is put on (_find_share) and how large it
    is (_get_capacity_info).
    """

    locks_between_hosts = False
    """Whether locks of volumes are asked of [coordination] backend_url too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As BaseVD; coordinator (keyword): what locks volumes, where it is not to be made anew."""
        self._is_voldb_empty_at_startup = kwargs.pop("is_vol_db_empty", None)
        coordinator = kwargs.pop("coordinator", None)
        super().__init__(*args, **kwargs)
        self.shares = {}
        self._mounted_shares = []
        self._execute_as_root = True
        self._supports_encryption = False
        # Drivers that derive from this say whether they can do it.
        self._thin_provisioning_support = False
        if self.configuration:
            self.configuration.append_config_values(nas_opts)
            self.configuration.append_config_values(volume_opts)
        self.coordinator: Coordinator = coordinator or self._own_coordinator()

    def _own_coordinator(self) -> Coordinator:
        conf = getattr(self.configuration, "conf", None)
        if isinstance(conf, cfg.ConfigOpts):
            return Coordinator.of(conf, self._clock)
        return Coordinator(clock=self._clock)

    def do_setup(self, context: Any) -> None:
        """Check the secure options. Raises InvalidConfigurationValue."""
        super().do_setup(context)
        self._check_secure_options()

    def check_for_setup_error(self) -> None:
        """Nothing: do_setup has checked what can be."""

    def create_volume(self, volume: Any) -> dict[str, Any]:
        """Make an empty volume on the share that _find_share chooses; return provider_location.

        Raises VolumeDriverException for an encrypted volume where the driver cannot have those.
        """
        self._refuse_encryption(volume)
        self._ensure_shares_mounted()
        volume.provider_location = self._find_share(volume)
        LOG.info("Volume %s is made on %s", volume.id, volume.provider_location)
        self._do_create_volume(volume)
        return {"provider_location": volume.provider_location}

    def _refuse_encryption(self, volume: Any) -> None:
        if volume.encryption_key_id and not self._supports_encryption:
            raise exception.VolumeDriverException("This driver cannot make encrypted volumes.")

    def delete_volume(self, volume: Any) -> None:
        """Remove the volume's file; one that was never placed on a share is no error."""
        if not volume.provider_location:
            LOG.warning("Volume %s lies on no share; there is nothing to delete", volume.name)
            return
        self._ensure_share_mounted(volume.provider_location)
        self._delete(self.local_path(volume))

    def discard_unfinished_volume(self, volume: Any) -> None:
        """Remove what an interrupted creation of this volume left on any share.

        Only for a volume that was never handed out: its data are not asked for. A share that
        cannot be mounted is passed over; where it is the volume's own, making the volume fails too.
        """
        self._ensure_shares_mounted()
        for share in self._mounted_shares:
            self._delete(self.local_path(PlacedVolume(volume, share)))

    def delete_snapshot(self, snapshot: Any) -> None:
        """Nothing: so that a snapshot can be deleted which is in error, as none can be made."""

    def ensure_export(self, ctx: Any, volume: Any) -> None:
        """Mount the volume's share."""
        self._ensure_share_mounted(volume.provider_location)

    def create_export(self, ctx: Any, volume: Any, connector: Any) -> None:
        """Nothing: hosts mount the share themselves."""

    def remove_export(self, ctx: Any, volume: Any) -> None:
        """Nothing: hosts mount the share themselves."""

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:
        """What a host needs to mount the share and to find the volume's file there."""
        data = {"export": volume.provider_location, "name": volume.name}
        if volume.provider_location in self.shares:
            data["options"] = self.shares[volume.provider_location]
        return {
            "driver_volume_type": self.driver_volume_type,
            "data": data,
            "mount_point_base": self._get_mount_point_base(),
        }

    def terminate_connection(self, volume: Any, connector: Any, **kwargs: Any) -> None:
        """Nothing: hosts mount the share themselves."""

    @staticmethod
    def _validate_state(
        current_state: str,
        acceptable_states: Collection[str],
        obj_description: str = "volume",
        invalid_exc: type[exception.ManilaException] = exception.InvalidVolume,
    ) -> None:
        """Raise invalid_exc unless the state is one of those that an operation accepts."""
        if current_state not in acceptable_states:
            raise invalid_exc(
                message=f"The {obj_description} is {current_state}; it has to be "
                f"{' or '.join(acceptable_states)} for this."
            )
