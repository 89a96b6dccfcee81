# SPDX-License-Identifier: Apache-2.0
"""The flows of share servers: chosen or made for shares, removed when nothing is on them.

All operations of one share server run on the lane ``share_server:<share server id>``.
"""

from manila_lite.share.flows.servers import (
    managing,
    providing,
    reconcile,
    security,
    set_up,
    subnets,
    tear_down,
)

__all__ = [
    "managing",
    "providing",
    "reconcile",
    "security",
    "set_up",
    "subnets",
    "tear_down",
]
