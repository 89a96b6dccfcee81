# SPDX-License-Identifier: Apache-2.0
"""Answers: tables for people, JSON with stable keys for programs."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

NONE = "-"
# Where nobody looks at a terminal, nothing is cut off.
_UNLIMITED = 4000
_NARROWEST = 8
# Commands take the beginning of an id as well.
SHORT_ID = 8

GOOD = ("available", "in-use", "succeeded", "up", "active", "enabled", "requeued")
BUSY = (
    "creating", "creating_from_snapshot", "deleting", "extending", "shrinking", "queued",
    "running", "waiting", "kept", "ensuring", "migrating", "reverting", "downloading", "uploading",
    "attaching", "detaching", "managing", "unmanaging", "retyping", "restoring", "maintenance",
)  # fmt: skip
BAD = ("failed", "dead", "down", "disabled", "lost")


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table: which key it shows, under which heading, and how."""

    key: str
    heading: str
    show: Callable[[Any], str] | None = None
    right: bool = False
    fold: bool = False


class Output:
    """Prints what a command found, one way or the other."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    @functools.cached_property
    def console(self) -> Console:
        """Standard output, as wide as the terminal."""
        from rich.console import Console

        console = Console(highlight=False, emoji=False)
        if console.is_terminal:
            return console
        return Console(highlight=False, emoji=False, width=_UNLIMITED)

    def rows(
        self, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], empty: str
    ) -> None:
        """Print a list: a table, or ``empty`` where there is nothing; as JSON always a list."""
        if self.as_json:
            self.json([plain(row) for row in rows])
        elif rows:
            self._table(rows, columns)
        else:
            click.echo(empty)

    def record(self, record: Mapping[str, Any]) -> None:
        """Print one thing: a line for each of its values; as JSON an object."""
        if self.as_json:
            self.json(plain(record))
            return
        from rich.table import Table

        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for key, value in record.items():
            table.add_row(key.replace("_", " "), *[_styled(key, line) for line in [_text(value)]])
        self.console.print(table)

    def json(self, value: Any) -> None:
        """Print a value as indented JSON."""
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))

    def say(self, text: str) -> None:
        """Tell a person something that is no result; nothing with ``--json``."""
        if not self.as_json:
            click.echo(text)

    def warn(self, text: str) -> None:
        """Tell a person something on standard error."""
        click.echo(text, err=True)

    def _table(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> None:
        from rich import box
        from rich.table import Table

        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold"
        )
        for column in columns:
            table.add_column(
                column.heading,
                justify="right" if column.right else "left",
                overflow="fold" if column.fold else "ellipsis",
                no_wrap=not column.fold,
                # What may be folded gives way first, but does not vanish.
                min_width=_NARROWEST if column.fold else None,
            )
        for row in rows:
            table.add_row(*(_cell(row, column) for column in columns))
        self.console.print(table)


def plain(value: Any) -> Any:
    """The value in JSON's own types; times as ISO 8601 in UTC, with a Z."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    return value


def short(text: Any) -> str:
    """The beginning of an id, for tables."""
    return str(text)[:SHORT_ID]


def age(moment: datetime.datetime | None, now: datetime.datetime) -> str:
    """How long ago, in one unit: 5s, 3m, 2h, 4d."""
    if moment is None:
        return NONE
    return span((now - moment).total_seconds())


def span(seconds: float) -> str:
    """A duration in one unit: 0.4s, 5s, 3m, 2h, 4d."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f}s"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def style_of(word: str) -> str:
    """The colour in which a status or a state is shown."""
    if word in GOOD:
        return "green"
    if word in BUSY:
        return "yellow"
    if word in BAD or "error" in word:
        return "red"
    return ""


def _cell(row: Mapping[str, Any], column: Column) -> Any:
    value = row.get(column.key)
    return _styled(column.key, column.show(value) if column.show else _text(value))


def _text(value: Any) -> str:
    if value is None or value == "":
        return NONE
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {_text(item)}" for key, item in value.items()) or NONE
    if isinstance(value, list | tuple):
        return "\n".join(_text(item) for item in value) or NONE
    return str(value)


def _styled(key: str, text: str) -> Any:
    """Text, never markup: names come from users."""
    from rich.text import Text

    coloured = key in ("status", "state", "service")
    return Text(text, style=style_of(text) if coloured else "")
