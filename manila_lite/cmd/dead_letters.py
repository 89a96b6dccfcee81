# SPDX-License-Identifier: Apache-2.0
"""manila-lite dead-letter: messages that could not become an operation."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from manila_lite import exception
from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.errors import Refused
from manila_lite.cmd.options import Group, limited
from manila_lite.cmd.output import Column, age, short
from manila_lite.cmd.recipients import recipient_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.engine.journal import NewOperation

STATES = ("kept", "requeued", "discarded")
_SHOWN_BYTES = 4096

_COLUMNS = (
    Column("id", "Id", show=short),
    Column("reason", "Reason"),
    Column("method", "Method"),
    Column("detail", "Detail", fold=True),
    Column("size", "Bytes", right=True),
    Column("state", "State"),
    Column("age", "Age", right=True),
)


class DeadLetterNotFound(exception.NotFound):
    """No dead letter of that id."""

    message = "Dead letter %(uuid)s could not be found."


@click.group("dead-letter", cls=Group)
def dead_letter() -> None:
    """See messages that could not become an operation, and settle them.

    A dead letter is named by its id, or as much of its beginning as is unique.
    """


@dead_letter.command("list")
@click.option("--state", type=click.Choice([*STATES, "all"]), default="kept", show_default=True)
@click.option("--host", help="Only those that came for this host@backend.")
@limited
@pass_app
def list_letters(app: App, state: str, host: str | None, limit: int) -> None:
    """List dead letters, the newest first.

    \b
    Examples:
      manila-lite dead-letter list
      manila-lite --json dead-letter list --state all
    """
    from manila_lite.db import dead_letters

    wanted = None if state == "all" else state
    rows = app.read(lambda c: dead_letters.listed(c, host=host, state=wanted, most=limit))
    now = app.clock.now()
    shown = [{**_view(row), "age": age(row["received_at"], now)} for row in rows]
    app.output.rows(shown, _COLUMNS, "No dead letters.")


@dead_letter.command()
@click.argument("letter")
@click.option("--raw", is_flag=True, help="Only the body, byte for byte.")
@pass_app
def show(app: App, letter: str, raw: bool) -> None:
    """Show a dead letter: why, from where, and what it says (its beginning, if it is long).

    \b
    Examples:
      manila-lite dead-letter show 81be4f20
      manila-lite dead-letter show 81be4f20 --raw > body.json
    """
    row = _find(app, letter)
    if raw:
        app.read(lambda c: _write_body(c, row["uuid"]))
        return
    start = app.read(lambda c: _body(c, row["uuid"], _SHOWN_BYTES))
    text = start.decode("utf-8", "backslashreplace")
    more = row["size"] > len(start)
    app.output.record({**_view(row), "body": text, "body_is_cut": more})


@dead_letter.command()
@click.argument("letter")
@pass_app
def requeue(app: App, letter: str) -> None:
    """Read the kept body again as if it had just arrived, and record its operation.

    Refused while the reason still stands; after an upgrade, or with a larger max_message_bytes, it
    may be gone.

    \b
    Example:
      manila-lite dead-letter requeue 81be4f20
    """
    row = _find(app, letter)
    body = app.read(lambda c: _body(c, row["uuid"], None))
    new = _read_again(app, row, body)
    uuid = app.write(lambda c: _requeue(app, c, row, new))
    if app.output.as_json:
        app.output.json({"id": row["uuid"], "state": "requeued", "operation": uuid})
    else:
        app.output.say(f"Recorded. Follow it with: manila-lite op watch {short(uuid)}")


@dead_letter.command()
@click.argument("letter")
@pass_app
def discard(app: App, letter: str) -> None:
    """Mark a dead letter as settled. Its body is deleted; the reason stays.

    \b
    Example:
      manila-lite dead-letter discard 81be4f20
    """
    from manila_lite.db import dead_letters

    row = _find(app, letter)
    now = app.clock.now()
    if not app.write(lambda c: dead_letters.settle(c, row["uuid"], dead_letters.DISCARDED, now)):
        raise _settled(row)
    if app.output.as_json:
        app.output.json({"id": row["uuid"], "state": "discarded"})
    else:
        app.output.say(f"Discarded {row['uuid']}.")


def _find(app: App, prefix: str) -> dict[str, Any]:
    from manila_lite.db import dead_letters

    found = app.read(lambda c: dead_letters.get(c, prefix)) if prefix else []
    if not found:
        raise DeadLetterNotFound(uuid=prefix)
    if len(found) > 1:
        raise Refused(reason=f"several dead letters begin with {prefix!r}; give more of the id")
    return found[0]


def _settled(row: dict[str, Any]) -> Refused:
    return Refused(reason=f"dead letter {row['uuid']} is settled already ({row['state']})")


def _body(connection: Connection, uuid: str, most: int | None) -> bytes:
    from manila_lite.db import dead_letters

    parts: list[bytes] = []
    for part in dead_letters.body(connection, uuid):
        parts.append(part)
        if most is not None and sum(map(len, parts)) >= most:
            break
    return b"".join(parts)[:most]


def _write_body(connection: Connection, uuid: str) -> None:
    from manila_lite.db import dead_letters

    for part in dead_letters.body(connection, uuid):
        sys.stdout.buffer.write(part)


def _read_again(app: App, row: dict[str, Any], body: bytes) -> NewOperation:
    """The operation that the body asks for. Raises Refused with the reason that still stands."""
    from manila_lite.engine.journal import NewOperation
    from manila_lite.rpc import wire
    from manila_lite.rpc.dead_letters import DeadLetter
    from manila_lite.rpc.endpoints import Accepted

    if row["state"] != "kept":
        raise _settled(row)
    properties = json.loads(row["properties"])
    headers = properties.pop("headers", {})
    raw = wire.RawMessage(body=body, properties=properties, headers=headers)
    parsed = wire.parse(raw, max_bytes=app.conf.manila_lite.max_message_bytes)
    if isinstance(parsed, DeadLetter):
        read: DeadLetter | Accepted = parsed
    else:
        read = recipient_of(app, row["routing_key"]).endpoints().accept(parsed)
    if isinstance(read, DeadLetter):
        raise Refused(reason=f"it still cannot be carried out ({read.reason}): {read.detail}")
    if read.msg_id is not None:
        raise Refused(reason="it is a call, and whoever made it does not wait any more")
    context = {key: value for key, value in read.context.items() if value not in (None, [])}
    return NewOperation(
        read.method, read.arguments, read.version, context, message_id=read.unique_id
    )


def _requeue(app: App, connection: Connection, row: dict[str, Any], new: NewOperation) -> str:
    from manila_lite.db import dead_letters
    from manila_lite.engine.journal import Journal

    if not dead_letters.settle(connection, row["uuid"], dead_letters.REQUEUED, app.clock.now()):
        raise _settled(row)
    registry, resolvers = recipient_of(app, row["routing_key"]).flows()
    journal = Journal(app.database, row["host"], registry, app.clock, resolvers)
    return journal.insert_on(connection, [new])[0].uuid


def _view(row: dict[str, Any]) -> dict[str, Any]:
    """A dead letter as it is shown; the keys of ``--json`` do not change."""
    return {
        "id": row["uuid"],
        "state": row["state"],
        "reason": row["reason"],
        "detail": row["detail"],
        "host": row["host"],
        "method": row["method"],
        "message_id": row["message_id"],
        "request_id": row["request_id"],
        "exchange": row["exchange"],
        "routing_key": row["routing_key"],
        "size": row["size"],
        "sha256": row["digest"],
        "received_at": row["received_at"],
        "settled_at": row["settled_at"],
    }
