# SPDX-License-Identifier: Apache-2.0
"""Options and types that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

SIZE = click.IntRange(min=1, max=2**31 - 1)
MOST = click.IntRange(min=1, max=100_000)


class Group(click.Group):
    """Lists its commands in the order in which they were added: the order of a day's work."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class Seconds(click.ParamType):
    """A duration of more than 0 seconds."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        if not 0 < seconds < float("inf"):
            self.fail("must be more than 0 seconds", param, ctx)
        return seconds


class DisplayName(click.ParamType):
    """A name that fits its column and breaks no terminal."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        if not 0 < len(text) <= 255:
            self.fail("must have 1 to 255 characters", param, ctx)
        if not text.isprintable():
            self.fail("must not contain control characters", param, ctx)
        return text


class Pair(click.ParamType):
    """KEY=VALUE."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        key, equals, text = str(value).partition("=")
        if not (key and equals) or len(key) > 255 or len(text) > 1023:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        return key, text


def waits(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --wait and --timeout."""
    timeout = click.option(
        "--timeout",
        type=Seconds(),
        metavar="S",
        help="With --wait: seconds to wait at most; the operation goes on afterwards.",
    )
    wait = click.option("--wait", is_flag=True, help="Return when the operation is over.")
    return wait(timeout(command))


def limited(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a listing command --limit."""
    return click.option(
        "--limit", type=MOST, default=100, show_default=True, help="List this many at most."
    )(command)
