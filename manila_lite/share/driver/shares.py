# SPDX-License-Identifier: Apache-2.0
"""Shares: making, deleting, resizing, ensuring, managing and measuring them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from manila_lite.share.driver.base import DriverBase, Model, ShareServer

LOG = logging.getLogger(__name__)

Exports = list[dict[str, Any]] | list[str] | str | None
"""Export locations: dictionaries with path, is_admin_only and metadata; plain paths serve too."""


class ShareMethods(DriverBase):
    """The life of a share on the storage. Sizes are in GiB."""

    def create_share(self, context: Any, share: Model, share_server: ShareServer = None) -> Exports:
        """Make a share of share["size"] GiB and return its export locations.

        Any exception puts the share into error; export locations in its detail_data are kept.
        """
        raise NotImplementedError

    def create_share_from_snapshot(
        self, context: Any, share: Model, snapshot: Model, share_server: ShareServer = None
    ) -> Exports | dict[str, Any]:
        """Make a share with the contents of a snapshot; return as create_share does.

        A driver that needs longer may return a dictionary: status creating_from_snapshot, with
        export_locations once they are known. The service then asks for the status until it ends.
        """
        raise NotImplementedError

    def delete_share(self, context: Any, share: Model, share_server: ShareServer = None) -> None:
        """Remove the share and its data. A share that is already gone is no error."""
        raise NotImplementedError

    def get_pool(self, share: Model) -> str | None:
        """Return the name of the pool that holds the share; None where there are no pools."""

    def ensure_share(self, context: Any, share: Model, share_server: ShareServer = None) -> Exports:
        """Export the share again if need be; return its export locations if they changed."""
        raise NotImplementedError

    def ensure_shares(
        self, context: Any, shares: Sequence[Model]
    ) -> Mapping[str, Mapping[str, Any]] | None:
        """Ensure all shares of the back end at once, at start and when the back end changed.

        Returns updates (export_locations, status) by share instance id, or None. Where this is
        not implemented, ensure_share is called for each.
        """
        raise NotImplementedError

    def get_backend_info(self, context: Any) -> Mapping[str, Any]:
        """Return what of the back end shares depend on: version, addresses, ports ...

        As long as it stays the same, shares are not ensured again at start.
        """
        raise NotImplementedError

    def extend_share(self, share: Model, new_size: int, share_server: ShareServer = None) -> None:
        """Grow the share to new_size GiB, which is more than share["size"].

        Any exception puts the share into extending_error.
        """
        raise NotImplementedError

    def shrink_share(self, share: Model, new_size: int, share_server: ShareServer = None) -> None:
        """Shrink the share to new_size GiB, which is less than share["size"].

        Raises ShareShrinkingPossibleDataLoss(share_id=...) where the share holds more than that:
        the share stays as it was. Any other exception puts it into shrinking_error.
        """
        raise NotImplementedError

    def manage_existing(self, share: Model, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        """Take over a share that exists on the storage, without share servers.

        Returns at least its size in GiB. Raises ManageInvalidShare for one that cannot be managed
        (a replicated one, for example), ManageExistingShareTypeMismatch where its share type does
        not fit.
        """
        raise NotImplementedError

    def manage_existing_with_server(
        self,
        share: Model,
        driver_options: Mapping[str, Any],
        share_server: ShareServer = None,
    ) -> dict[str, Any]:
        """Do as manage_existing does, for a share on a share server."""
        raise NotImplementedError

    def unmanage(self, share: Model) -> None:
        """Forget a share, without share servers, and leave it on the storage.

        Most drivers have nothing to do. Raises UnmanageInvalidShare where it may not be forgotten.
        """

    def unmanage_with_server(self, share: Model, share_server: ShareServer = None) -> None:
        """Do as unmanage does, for a share on a share server."""

    def update_share_usage_size(
        self, context: Any, shares: Sequence[Model]
    ) -> Sequence[Mapping[str, Any]]:
        """Return the used space of shares: id, used_size (GiB, may be a fraction), gathered_at."""
        LOG.debug("This driver does not measure how much of a share is used")
        return []

    def get_periodic_hook_data(
        self, context: Any, share_instances: Sequence[Model]
    ) -> Sequence[Model]:
        """Return the share instances as periodic hooks shall see them; here, unchanged."""
        return share_instances
