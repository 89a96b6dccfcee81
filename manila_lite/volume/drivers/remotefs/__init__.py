# SPDX-License-Identifier: Apache-2.0
"""Bases for drivers of volumes on remote file systems: Cinder's RemoteFS family.

Contract: tests/data/seed-interface.json. Drivers outside this project derive from these classes
and replace their methods, the underscored ones included.
"""

from manila_lite.conf.remotefs import nas_opts, volume_opts
from manila_lite.volume.drivers.remotefs.base import RemoteFSDriver
from manila_lite.volume.drivers.remotefs.locks import locked_volume_id_operation
from manila_lite.volume.drivers.remotefs.pools import RemoteFSPoolMixin
from manila_lite.volume.drivers.remotefs.snap import (
    RemoteFSSnapDriver,
    RemoteFSSnapDriverBase,
    RemoteFSSnapDriverDistributed,
)

__all__ = [
    "RemoteFSDriver",
    "RemoteFSPoolMixin",
    "RemoteFSSnapDriver",
    "RemoteFSSnapDriverBase",
    "RemoteFSSnapDriverDistributed",
    "locked_volume_id_operation",
    "nas_opts",
    "volume_opts",
]
