# SPDX-License-Identifier: Apache-2.0
"""Signs of life in the services table, and capability reports to the schedulers.

A report goes to every scheduler by fanout, in Manila's own form, and is kept in lite_reports
for those who have no scheduler.
"""

from __future__ import annotations

from typing import Any

from oslo_log import log

from manila_lite import context as contexts
from manila_lite.db import reports, services
from manila_lite.scheduler.capabilities import complete
from manila_lite.share.environment import ShareEnvironment

LOG = log.getLogger(__name__)

SERVICE_NAME = "share"


def report_alive(environment: ShareEnvironment) -> None:
    """Give a sign of life, unless the driver is not ready: nothing could be served then."""
    if not getattr(environment.driver, "initialized", True):
        return
    environment.db.run(
        lambda connection: services.register(
            connection,
            environment.host,
            environment.availability_zone,
            environment.clock.now(),
            topic=environment.conf.share_topic,
        ),
        deadline=float(environment.conf.report_interval),
    )


def capabilities(environment: ShareEnvironment) -> dict[str, Any] | None:
    """Return what the driver reports now; None when it has nothing to say."""
    stats = environment.driver.get_share_stats(refresh=True)
    name = environment.configuration.safe_get("share_backend_name") or environment.backend
    return complete(stats, name) if stats else None


def report_capabilities(environment: ShareEnvironment) -> None:
    """Ask the driver what it can do and tell the schedulers."""
    report = capabilities(environment)
    if report is None:
        LOG.debug("The driver of %s reports nothing", environment.host)
        return
    moment = environment.clock.now()
    environment.db.run(
        lambda connection: reports.keep(connection, environment.host, report, moment),
        deadline=float(environment.conf.report_interval),
    )
    if environment.scheduler is not None:
        environment.scheduler.update_service_capabilities(
            contexts.get_admin_context(), SERVICE_NAME, environment.host, report, moment
        )
