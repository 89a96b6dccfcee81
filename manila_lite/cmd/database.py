# SPDX-License-Identifier: Apache-2.0
"""manila-lite db: the tables."""

from __future__ import annotations

import dataclasses

import click

from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import Group

# Servers that are being started beside this command get this long.
SYNC_PATIENCE = 30.0


@click.group(cls=Group)
def db() -> None:
    """Look after the database."""


@db.command()
@pass_app
def sync(app: App) -> None:
    """Create what is missing in the database.

    An empty database gets all tables. One that Manila made gets the tables of this project (those
    of volumes, and lite_...) and is left alone otherwise. May be repeated at any time.

    \b
    Example:
      manila-lite --config-file /etc/manila/manila.conf db sync
    """
    from manila_lite.conf.check import check_state_path
    from manila_lite.db import sync as db_sync

    check_state_path(app.conf)
    report = db_sync.sync(app.bare_database, deadline=SYNC_PATIENCE)
    if app.output.as_json:
        app.output.json({**dataclasses.asdict(report), "changed": report.changed})
    else:
        app.output.say(str(report))
