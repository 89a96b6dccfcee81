# SPDX-License-Identifier: Apache-2.0
"""manila-lite share access, manila-lite snapshot access: who may reach it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from manila_lite.cmd import access_values, acting
from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.errors import OperationFailed
from manila_lite.cmd.options import Group, waits
from manila_lite.cmd.output import Column, age, short

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.cmd.access_requests import Kind
    from manila_lite.cmd.dispatch import Prepared, Sent
    from manila_lite.db.records import Record

_LEVELS = click.Choice(["rw", "ro"])
_COLUMNS = (
    Column("id", "Id", show=short),
    Column("access_type", "Type"),
    Column("access_to", "To", fold=True),
    Column("access_level", "Level"),
    Column("state", "State"),
    Column("age", "Age", right=True),
)
_KEY = Column("access_key", "Key", fold=True)


@click.group("access", cls=Group)
def share_access() -> None:
    """Say who may reach a share.

    A rule is named by its id, the beginning of its id (6 characters or more), or by whom it is for.
    """


@share_access.command("allow")
@click.argument("share")
@click.argument("access_type", type=click.Choice(access_values.TYPES), metavar="TYPE")
@click.argument("access_to", metavar="TO")
@click.option("--level", type=_LEVELS, default="rw", show_default=True, help="May it write?")
@waits
@pass_app
def allow_share(
    app: App,
    share: str,
    access_type: str,
    access_to: str,
    level: str,
    wait: bool,
    timeout: float | None,
) -> None:
    """Let an address, a network or somebody reach SHARE.

    TYPE is ip, user, cert or cephx; which of them work is the driver's affair.

    \b
    Examples:
      manila-lite share access allow music ip 10.0.0.0/24 --wait
      manila-lite share access allow music ip 2001:db8::7 --level ro
      manila-lite share access allow music user alice
    """
    from manila_lite.cmd.access_requests import SHARE

    columns = {"access_type": access_type, "access_to": access_to, "access_level": level}
    _allow(app, SHARE, share, columns, wait, timeout)


@share_access.command("deny")
@click.argument("share")
@click.argument("rules", nargs=-1, required=True, metavar="RULE...")
@waits
@pass_app
def deny_share(
    app: App, share: str, rules: Sequence[str], wait: bool, timeout: float | None
) -> None:
    """Take rules of SHARE away, those in error too.

    \b
    Examples:
      manila-lite share access deny music 10.0.0.0/24 --wait
      manila-lite share access deny music 3f0c91d2
    """
    from manila_lite.cmd.access_requests import SHARE

    _deny(app, SHARE, share, rules, wait, timeout)


@share_access.command("list")
@click.argument("share")
@click.option("--keys", is_flag=True, help="Show access keys, which are secrets, too.")
@pass_app
def list_share(app: App, share: str, keys: bool) -> None:
    """List the rules of SHARE with their states.

    \b
    Example:
      manila-lite share access list music
    """
    from manila_lite.cmd.access_requests import SHARE

    _list(app, SHARE, share, keys)


@click.group("access", cls=Group)
def snapshot_access() -> None:
    """Say who may mount a snapshot, where the share's type lets snapshots be mounted.

    A rule is named as those of a share are.
    """


@snapshot_access.command("allow")
@click.argument("snapshot")
@click.argument("access_type", type=click.Choice(access_values.SNAPSHOT_TYPES), metavar="TYPE")
@click.argument("access_to", metavar="TO")
@waits
@pass_app
def allow_snapshot(
    app: App, snapshot: str, access_type: str, access_to: str, wait: bool, timeout: float | None
) -> None:
    """Let an address, a network or somebody read SNAPSHOT. TYPE is ip, user or cert.

    \b
    Example:
      manila-lite snapshot access allow monday ip 10.0.0.7 --wait
    """
    from manila_lite.cmd.access_requests import SNAPSHOT

    columns = {"access_type": access_type, "access_to": access_to}
    _allow(app, SNAPSHOT, snapshot, columns, wait, timeout)


@snapshot_access.command("deny")
@click.argument("snapshot")
@click.argument("rules", nargs=-1, required=True, metavar="RULE...")
@waits
@pass_app
def deny_snapshot(
    app: App, snapshot: str, rules: Sequence[str], wait: bool, timeout: float | None
) -> None:
    """Take rules of SNAPSHOT away.

    \b
    Example:
      manila-lite snapshot access deny monday 10.0.0.7
    """
    from manila_lite.cmd.access_requests import SNAPSHOT

    _deny(app, SNAPSHOT, snapshot, rules, wait, timeout)


@snapshot_access.command("list")
@click.argument("snapshot")
@pass_app
def list_snapshot(app: App, snapshot: str) -> None:
    """List the rules of SNAPSHOT with their states.

    \b
    Example:
      manila-lite snapshot access list monday
    """
    from manila_lite.cmd.access_requests import SNAPSHOT

    _list(app, SNAPSHOT, snapshot)


def _allow(
    app: App, kind: Kind, name: str, columns: dict[str, str], wait: bool, timeout: float | None
) -> None:
    from manila_lite.cmd import access_requests, dispatch

    context, now = app.context(), app.clock.now()
    made: list[str] = []

    def prepare(connection: Connection) -> Prepared:
        rule_id, prepared = access_requests.allow(connection, kind, name, now, **columns)
        made[:] = [rule_id]
        return prepared

    sent = dispatch.send(app, context, prepare)
    acting.after_sending(app, sent, wait, timeout)
    rule = _find(app, kind, name, made[0])
    if rule is None:
        app.output.record({"id": made[0], "state": "deleted", "operations": _operations(sent)})
        return
    app.output.record({**_view(kind, rule), "operations": _operations(sent)})
    _fail_in_error(wait, rule)


def _deny(
    app: App, kind: Kind, name: str, rules: Sequence[str], wait: bool, timeout: float | None
) -> None:
    from manila_lite.cmd import access_requests, dispatch

    sent: list[Sent] = []
    gone: list[dict[str, Any]] = []
    for text in rules:
        context, now = app.context(), app.clock.now()
        seen: list[Record] = []

        def prepare(
            connection: Connection, text: str = text, now: Any = now, seen: list[Record] = seen
        ) -> Prepared:
            found, prepared = access_requests.deny(connection, kind, name, text, now)
            seen[:] = [found]
            return prepared

        accepted = dispatch.send(app, context, prepare)
        sent += accepted
        gone += [{**_view(kind, rule), "operations": _operations(accepted)} for rule in seen]
    acting.after_sending(app, sent, wait, timeout)
    if wait:
        for item in gone:
            _fail_in_error(wait, _find(app, kind, name, item["id"]))
    _tell_denied(app, gone, wait)


def _tell_denied(app: App, gone: list[dict[str, Any]], waited: bool) -> None:
    if app.output.as_json:
        app.output.json([{"id": item["id"], "operations": item["operations"]} for item in gone])
        return
    verb = "Denied" if waited else "Denying"
    for item in gone:
        app.output.say(f"{verb} {item['access_type']} {item['access_to']} ({item['id']}).")


def _list(app: App, kind: Kind, name: str, keys: bool = False) -> None:
    from manila_lite.db import access_creation

    def find(connection: Connection) -> list[Record]:
        owner_id = kind.owner(connection, name)["id"]
        return access_creation.list_rules(connection, kind.tables, owner_id)

    now = app.clock.now()
    rows = [
        {
            **_view(kind, rule),
            **({"access_key": rule["access_key"]} if keys else {}),
            "age": age(rule["created_at"], now),
        }
        for rule in app.read(find)
    ]
    columns = [column for column in _COLUMNS if not rows or column.key in rows[0]]
    app.output.rows(rows, [*columns, _KEY] if keys else columns, "No access rules.")


def _find(app: App, kind: Kind, name: str, rule_id: str) -> Record | None:
    """The rule as it is now; None where it is gone."""
    from manila_lite.db import access_creation

    def find(connection: Connection) -> Record | None:
        owner_id = kind.owner(connection, name)["id"]
        rules = access_creation.list_rules(connection, kind.tables, owner_id)
        return next((rule for rule in rules if rule["id"] == rule_id), None)

    return app.read(find)


def _fail_in_error(waited: bool, rule: Record | None) -> None:
    """A driver may refuse one rule and take the others: the operation is none the worse."""
    if waited and rule is not None and rule["state"] == "error":
        raise OperationFailed(
            f"Access rule {rule['id']} for {rule['access_type']} {rule['access_to']} "
            "ended in error: the driver refuses it."
        )


def _operations(sent: Sequence[Sent]) -> list[str]:
    return [item.uuid for item in sent if item.uuid]


def _view(kind: Kind, rule: Record) -> dict[str, Any]:
    """A rule as it is shown, never with its key; the keys of ``--json`` do not change."""
    view = {
        "id": rule["id"],
        f"{kind.noun}_id": rule[kind.tables.owner],
        "access_type": rule["access_type"],
        "access_to": rule["access_to"],
        "access_level": rule.get("access_level"),
        "state": rule["state"],
        "created_at": rule["created_at"],
    }
    if "access_level" not in rule:
        del view["access_level"]
    return view
