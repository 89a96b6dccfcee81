# SPDX-License-Identifier: Apache-2.0
"""The volume driver interface: Cinder's BaseVD. One module holds one family of methods."""

from manila_lite.conf.volume_driver import volume_opts
from manila_lite.volume.driver.interface import BaseVD

# The name that some drivers derive from.
VolumeDriver = BaseVD

__all__ = ["BaseVD", "VolumeDriver", "volume_opts"]
