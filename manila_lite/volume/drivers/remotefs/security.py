# SPDX-License-Identifier: Apache-2.0
"""The secure options: who works on the files, and who may read them."""

from __future__ import annotations

import logging
import os
from typing import Any, Final

from manila_lite import exception
from manila_lite.conf.remotefs import AUTO_SECURE
from manila_lite.volume import driver

LOG = logging.getLogger(__name__)

OPTIONS: Final = ("nas_secure_file_permissions", "nas_secure_file_operations")
MARKER: Final = ".cinderSecureEnvIndicator"
_MARKER_TEXT: Final = "This back end is in secure mode as long as this file is here.\n"


class SecurityMethods(driver.BaseVD):
    """nas_secure_file_operations and nas_secure_file_permissions, each 'true', 'false' or 'auto'.

    'auto' is 'true' for a back end that had no volumes when it was first started. A marker file on
    the share remembers that, under the name that Cinder gives it.
    """

    _execute_as_root: bool

    def _check_secure_options(self) -> None:
        """Put the options into small letters. Raises InvalidConfigurationValue."""
        for option in OPTIONS:
            value = str(getattr(self.configuration, option)).lower()
            if value not in AUTO_SECURE:
                LOG.error("%s = %s is none of %s", option, value, ", ".join(AUTO_SECURE))
                raise exception.InvalidConfigurationValue(option=option, value=value)
            setattr(self.configuration, option, value)

    def secure_file_operations_enabled(self) -> bool:
        """Whether files are worked on as the service's own user rather than as root."""
        return self.configuration.nas_secure_file_operations == "true"

    def set_nas_security_options(self, is_new_cinder_install: Any) -> None:
        """Settle what 'auto' means: insecure, for drivers that do not redefine this.

        is_new_cinder_install: whether the back end has no volumes yet.
        """
        for option in OPTIONS:
            setattr(self.configuration, option, "false")
        self._warn_of_insecure_options()

    def _warn_of_insecure_options(self) -> None:
        if self.configuration.nas_secure_file_operations == "false":
            LOG.warning(
                "nas_secure_file_operations is false: files on the shares are worked on as root"
            )
        if self.configuration.nas_secure_file_permissions == "false":
            LOG.warning(
                "nas_secure_file_permissions is false: anybody who reaches the shares can read and "
                "write volumes"
            )

    def _determine_nas_security_option_setting(
        self, nas_option: str, mount_point: str, is_new_cinder_install: Any
    ) -> str:
        """'true' or 'false' for an option whose value is nas_option.

        mount_point: of a share that is mounted, where the marker is looked for, or left.
        """
        if nas_option != "auto":
            return nas_option
        marker = os.path.join(mount_point, MARKER)
        if os.path.isfile(marker):
            LOG.info("The back end was in secure mode before: %s is there", marker)
            return "true"
        if not is_new_cinder_install:
            return "false"
        self._leave_marker(marker)
        return "true"

    def _leave_marker(self, marker: str) -> None:
        try:
            with open(marker, "w", encoding="utf-8") as file:
                file.write(_MARKER_TEXT)
            # Nobody but its owner can write it, so that it is not removed by accident.
            self._execute("chmod", "640", marker, run_as_root=self._execute_as_root)
        except OSError as error:
            LOG.error(
                "Marker %s could not be left (%s); the next start will not know that the back end "
                "is in secure mode",
                marker,
                error,
            )
        else:
            LOG.info("The back end is in secure mode from now on: %s was left", marker)
