# SPDX-License-Identifier: Apache-2.0
"""manila-lite service and pool: who is there, and how much room they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import Group
from manila_lite.cmd.output import Column, age

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_SCHEDULER_PATIENCE = 10  # seconds

_SERVICE_COLUMNS = (
    Column("host", "Host", fold=True),
    Column("binary", "Binary", fold=True),
    Column("availability_zone", "Zone"),
    Column("status", "Status"),
    Column("state", "State"),
    Column("age", "Seen", right=True),
    Column("workers", "Workers", right=True),
    Column("operations", "Open", right=True),
)
_POOL_COLUMNS = (
    Column("name", "Pool", fold=True),
    Column("storage_protocol", "Protocol"),
    Column("total_capacity_gb", "Total GiB", right=True),
    Column("free_capacity_gb", "Free GiB", right=True),
    Column("allocated_capacity_gb", "Allocated GiB", right=True),
    Column("snapshot_support", "Snapshots"),
    Column("age", "Reported", right=True),
)


@click.group(cls=Group)
def service() -> None:
    """See which services are alive."""


@service.command("list")
@pass_app
def list_services(app: App) -> None:
    """List services: who has reported within service_down_time seconds is up.

    "Workers" are the processes of this project that serve the host at the moment; "Open"
    counts the operations that wait for one or are under way.

    \b
    Examples:
      manila-lite service list
      manila-lite --json service list
    """
    app.output.rows(app.read(lambda c: _services(app, c)), _SERVICE_COLUMNS, "No services.")


def _services(app: App, connection: Connection) -> list[dict[str, Any]]:
    from manila_lite.db import operation_requests, services, workers

    now = app.clock.now()
    rows = []
    for record in services.list_services(connection, now, float(app.conf.service_down_time)):
        counts = operation_requests.count_by_state(connection, record["host"])
        seen = record["updated_at"] or record["created_at"]
        rows.append(
            {
                "host": record["host"],
                "binary": record["binary"],
                "availability_zone": record["availability_zone"],
                "status": "disabled" if record["disabled"] else "enabled",
                "disabled_reason": record["disabled_reason"],
                "state": "up" if record["is_up"] else "down",
                "updated_at": seen,
                "age": age(seen, now),
                "workers": len(workers.active(connection, record["host"])),
                "operations": sum(counts.get(s, 0) for s in ("queued", "running", "waiting")),
            }
        )
    return rows


@click.group(cls=Group)
def pool() -> None:
    """See how much room the back ends have."""


@pool.command("list")
@click.option(
    "--scheduler", is_flag=True, help="Ask Manila's scheduler over the broker what it knows."
)
@pass_app
def list_pools(app: App, scheduler: bool) -> None:
    """List the pools in the last report of each back end.

    \b
    Examples:
      manila-lite pool list
      manila-lite --json pool list --scheduler
    """
    rows = _pools_of_scheduler(app) if scheduler else app.read(lambda c: _pools(app, c))
    app.output.rows(rows, _POOL_COLUMNS, "No back end has reported yet.")


def _pools(app: App, connection: Connection) -> list[dict[str, Any]]:
    from manila_lite.db import reports

    now = app.clock.now()
    rows = []
    for kept in reports.listed(connection):
        report = kept["report"]
        own = report.get("share_backend_name") or report.get("volume_backend_name")
        pools = report.get("pools") or [{"pool_name": own}]
        for found in pools:
            name = f"{kept['host']}#{found.get('pool_name')}"
            times = {"reported_at": kept["reported_at"], "age": age(kept["reported_at"], now)}
            rows.append(_pool_row(name, {**report, **found}, times))
    return rows


def _pools_of_scheduler(app: App) -> list[dict[str, Any]]:
    from manila_lite.cmd.errors import Unreachable
    from manila_lite.conf.load import transport_url

    if transport_url(app.conf) is None:
        raise Unreachable(what="The scheduler", reason="transport_url is not set")
    from manila_lite.rpc.clients import SchedulerAPI

    client = SchedulerAPI(app.transport, app.conf.scheduler_topic, retry=1)
    found = client.get_pools(app.context(), filters={}, timeout=_SCHEDULER_PATIENCE)
    return [_pool_row(row["name"], row.get("capabilities") or {}, {}) for row in found]


def _pool_row(name: str, values: dict[str, Any], times: dict[str, Any]) -> dict[str, Any]:
    keys = (
        "share_backend_name", "volume_backend_name", "storage_protocol", "total_capacity_gb",
        "free_capacity_gb", "allocated_capacity_gb", "provisioned_capacity_gb",
        "max_over_subscription_ratio", "reserved_percentage", "snapshot_support",
        "driver_handles_share_servers",
    )  # fmt: skip
    return {"name": name, **{key: values.get(key) for key in keys}, **times}
