# SPDX-License-Identifier: Apache-2.0
"""What the drivers that ship here do beyond Cinder's RemoteFS classes.

Put before one of remotefs' snapshot drivers, FileVolumeMethods makes a whole driver of it; the
driver adds how its shares are found and mounted.
"""

from manila_lite.volume.drivers.files.methods import FileVolumeMethods

__all__ = ["FileVolumeMethods"]
