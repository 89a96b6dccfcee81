# SPDX-License-Identifier: Apache-2.0
"""The share driver interface, put together from its families."""

from __future__ import annotations

from collections.abc import Iterable

from manila_lite.share.driver.access import AccessMethods
from manila_lite.share.driver.connection import ConnectionMethods
from manila_lite.share.driver.groups import GroupMethods
from manila_lite.share.driver.migration import MigrationMethods
from manila_lite.share.driver.replicas import ReplicaMethods
from manila_lite.share.driver.servers import NetworkMethods, ServerMethods


class ShareDriver(
    GroupMethods,  # brings shares, snapshots and capabilities along
    AccessMethods,
    ReplicaMethods,
    MigrationMethods,
    ConnectionMethods,
    ServerMethods,
    NetworkMethods,
):
    """What a share driver derives from.

    A driver redefines the methods it supports; those that it cannot do without are create_share,
    delete_share, update_access (or allow_access and deny_access) and ensure_share. What it leaves
    out raises NotImplementedError, which the service takes for "not supported" where it may.
    Contract: tests/data/seed-interface.json.
    """

    def _has_redefined_driver_methods(self, methods: str | Iterable[str]) -> bool:
        """Return whether the driver has its own version of each of the methods named.

        Compared with this class as a whole: it does not matter which family a method comes from,
        nor whether a driver redefines it itself or through a mix-in.
        """
        names = [methods] if isinstance(methods, str) else list(methods)
        return all(self._is_redefined(name) for name in names)

    def _is_redefined(self, name: str) -> bool:
        own = getattr(type(self), name, None)
        return own is not None and own is not getattr(ShareDriver, name, None)
