# SPDX-License-Identifier: Apache-2.0
"""Signs of life in the services table, and capability reports to the schedulers.

A report goes to every scheduler by fanout, in the scheduler's own form, and is kept in
lite_reports for those who have no scheduler.
"""

from __future__ import annotations

from oslo_log import log

from manila_lite import context as contexts
from manila_lite.db import reports, services
from manila_lite.environment import Environment

LOG = log.getLogger(__name__)


def report_alive(environment: Environment) -> None:
    """Give a sign of life, unless the driver is not ready: nothing could be served then."""
    if not getattr(environment.driver, "initialized", True):
        return
    environment.db.run(
        lambda connection: services.register(
            connection,
            environment.host,
            environment.availability_zone,
            environment.clock.now(),
            topic=environment.topic,
            binary=environment.binary,
        ),
        deadline=float(environment.conf.report_interval),
    )


def report_capabilities(environment: Environment) -> None:
    """Ask the driver what it can do and tell the schedulers."""
    report = environment.report()
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
            contexts.get_admin_context(),
            environment.service_name,
            environment.host,
            report,
            moment,
        )
