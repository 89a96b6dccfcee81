# SPDX-License-Identifier: Apache-2.0
"""manila-lite share migrate and share migration: move shares between pools and back ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from manila_lite.cmd import acting
from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import Group, waits

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.cmd.dispatch import Prepared
    from manila_lite.db.records import Record


@click.command()
@click.argument("share")
@click.argument("host")
@click.option("--writable", is_flag=True, help="Clients must be able to write meanwhile.")
@click.option("--preserve-metadata", is_flag=True, help="All metadata of files must be kept.")
@click.option("--nondisruptive", is_flag=True, help="Clients must not notice anything.")
@click.option("--preserve-snapshots", is_flag=True, help="The snapshots must go along.")
@click.option("--type", "share_type", metavar="TYPE", help="New share type, by name or id.")
@waits
@pass_app
def migrate(
    app: App,
    share: str,
    host: str,
    share_type: str | None,
    wait: bool,
    timeout: float | None,
    **wishes: bool,
) -> None:
    """Begin to migrate SHARE to HOST: host@backend#pool.

    The driver does it, or refuses where it cannot do what is wanted of it. When its first phase is
    done, `share migration complete` switches over. --wait waits for the beginning only.

    \b
    Examples:
      manila-lite share migrate music node2@fast#pool1 --writable --wait
      manila-lite share migration progress music
      manila-lite share migration complete music --wait
    """
    from manila_lite.cmd import migration_requests

    now = app.clock.now()
    wish = migration_requests.MigrationWish(host, wishes, share_type)
    _send(app, lambda c: migration_requests.migrate(c, share, wish, now), wait, timeout)


@click.group(cls=Group)
def migration() -> None:
    """Follow migrations of shares, complete them, cancel them."""


@migration.command()
@click.argument("share")
@pass_app
def progress(app: App, share: str) -> None:
    """Show how far the migration of SHARE is.

    \b
    Example:
      manila-lite share migration progress music
    """
    from manila_lite.cmd import migration_requests

    app.output.record(app.read(lambda c: migration_requests.progress(c, share)))


@migration.command()
@click.argument("share")
@waits
@pass_app
def complete(app: App, share: str, wait: bool, timeout: float | None) -> None:
    """Switch SHARE over to where it was migrated to; clients may have to mount it again.

    \b
    Example:
      manila-lite share migration complete music --wait
    """
    from manila_lite.cmd import migration_requests

    _send(app, lambda c: migration_requests.complete(c, share), wait, timeout)


@migration.command()
@click.argument("share")
@waits
@pass_app
def cancel(app: App, share: str, wait: bool, timeout: float | None) -> None:
    """Give the migration of SHARE up: it stays where it is.

    \b
    Example:
      manila-lite share migration cancel music --wait
    """
    from manila_lite.cmd import migration_requests

    _send(app, lambda c: migration_requests.cancel(c, share), wait, timeout)


def _send(
    app: App,
    ask: Callable[[Connection], tuple[Record, Prepared]],
    wait: bool,
    timeout: float | None,
) -> None:
    from manila_lite.cmd import dispatch, migration_requests

    seen: list[str] = []

    def prepare(connection: Connection) -> Prepared:
        found, prepared = ask(connection)
        seen[:] = [found["id"]]
        return prepared

    sent = dispatch.send(app, app.context(), prepare)
    acting.after_sending(app, sent, wait, timeout)
    shown: dict[str, Any] = app.read(lambda c: migration_requests.progress(c, seen[0]))
    app.output.record({**shown, "operation": sent[0].uuid})
