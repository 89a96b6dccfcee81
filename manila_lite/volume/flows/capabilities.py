# SPDX-License-Identifier: Apache-2.0
"""publish_service_capabilities: a scheduler asks every back end, by fanout, to report."""

from __future__ import annotations

from manila_lite.engine import Operation
from manila_lite.scheduler import reports
from manila_lite.volume.flows.casting import flow


@flow("publish_service_capabilities", version="3.0", lane="capabilities:{host}")
def publish_service_capabilities(op: Operation) -> None:
    """Ask the driver what it can do and tell the schedulers."""
    reports.report_capabilities(op.env)
