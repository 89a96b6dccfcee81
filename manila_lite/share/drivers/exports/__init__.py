# SPDX-License-Identifier: Apache-2.0
"""Export helpers: directories become NFS and CIFS shares, for any driver.

A driver asks :func:`build` for the helpers that its option names, one per protocol, and hands each
share to the helper of its protocol.
"""

from manila_lite.share.drivers.exports.base import (
    ExportHelper,
    Helpers,
    Location,
    RuleUpdates,
    access_id,
)
from manila_lite.share.drivers.exports.building import build

__all__ = ["ExportHelper", "Helpers", "Location", "RuleUpdates", "access_id", "build"]
