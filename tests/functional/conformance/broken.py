# SPDX-License-Identifier: Apache-2.0
"""A driver that does what drivers get wrong."""

from manila_lite import exception
from manila_lite.testing.drivers import NullDriver


class BrokenDriver(NullDriver):
    """Each fault is one that the conformance suite has to find."""

    made: set[str] = set()

    def create_share(self, context, share, share_server=None):
        """A share that is there already is an error to it."""
        if share["id"] in self.made:
            raise exception.InvalidShare(reason=f"share {share['id']} exists")
        self.made.add(share["id"])
        return super().create_share(context, share, share_server)

    def ensure_share(self, context, share, share_server=None):
        raise NotImplementedError

    def ensure_shares(self, context, shares):
        """Export locations change with each start."""
        path = f"null:/{len(self.made)}-{id(self)}"
        return {share["id"]: {"export_locations": [path]} for share in shares}

    def extend_share(self, share, new_size, share_server=None):
        raise exception.ShareExtendingError(share_id=share["id"], reason="no room")

    def _update_share_stats(self, data=None):
        pools = [{"pool_name": "null", "total_capacity_gb": "plenty", "free_capacity_gb": 1}]
        super()._update_share_stats({"pools": pools})
