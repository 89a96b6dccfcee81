# SPDX-License-Identifier: Apache-2.0
"""The durable engine: operations, flows, steps and waits.

It knows nothing of RPC, drivers, shares or volumes.
"""

from manila_lite.engine.operation import Operation
from manila_lite.engine.outcomes import AGAIN, Cancelled, Done, Pending, Schedule
from manila_lite.engine.registry import FlowDefinition, FlowRegistry, flow, registry
from manila_lite.engine.retry import RetryPolicy

__all__ = [
    "AGAIN",
    "Cancelled",
    "Done",
    "FlowDefinition",
    "FlowRegistry",
    "Operation",
    "Pending",
    "RetryPolicy",
    "Schedule",
    "flow",
    "registry",
]
