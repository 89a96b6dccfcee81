# SPDX-License-Identifier: Apache-2.0
"""Migration of a share to another pool or back end, carried out by the driver of its source.

What is decided and written about a share runs on ``share:<share id>``, as everything does. The
first phase, which may take days, waits on a lane of its own, ``migration:<share id>``: it keeps
nobody from asking for the second one, or for an end.
"""

from manila_lite.share.flows.migration import cancel, complete, phase1, progress, reconcile, start

__all__ = ["cancel", "complete", "phase1", "progress", "reconcile", "start"]
