# SPDX-License-Identifier: Apache-2.0
"""What the configuration says about images, for functions that drivers call without it.

Drivers call convert.fetch_to_raw() and the like as plain functions, as Cinder's do, so the values
are kept here, once per process.
"""

from __future__ import annotations

import dataclasses
import tempfile

from oslo_config import cfg
from oslo_utils import units

from manila_lite.process import ProcessLimits


@dataclasses.dataclass(frozen=True)
class Settings:
    """cpu_limit: processor seconds, address_space: GiB; both for looking at an image.

    timeout: seconds for a conversion. vmdk_types: createTypes that are accepted.
    """

    conversion_dir: str
    conversion_disabled: bool = False
    cpu_limit: int = 60
    address_space: int = 1
    timeout: float = 6 * 3600.0
    compress: bool = False
    vmdk_types: tuple[str, ...] = ("streamOptimized", "monolithicSparse")

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> Settings:
        """Read the values; conf has the options of manila_lite.conf.images."""
        return cls(
            conversion_dir=conf.image_conversion_dir,
            conversion_disabled=conf.image_conversion_disable,
            cpu_limit=conf.image_conversion_cpu_limit,
            address_space=conf.image_conversion_address_space_limit,
            timeout=float(conf.image_conversion_timeout),
            compress=conf.image_compress_on_upload,
            vmdk_types=tuple(conf.vmdk_allowed_types),
        )

    @property
    def limits(self) -> ProcessLimits:
        """Limits of a command that looks at an image which somebody else made."""
        return ProcessLimits(
            cpu_time=self.cpu_limit, address_space=self.address_space * units.Gi, core_file_size=0
        )


_settings: Settings | None = None


def use_configuration(conf: cfg.ConfigOpts) -> None:
    """Take the values from the service's configuration, for all of this process."""
    use(Settings.of(conf))


def use(settings: Settings | None) -> None:
    """Use these values; None: the defaults."""
    global _settings
    _settings = settings


def current() -> Settings:
    """The values in use; without a configuration, files go to the system's temporary directory."""
    return _settings or Settings(conversion_dir=tempfile.gettempdir())
