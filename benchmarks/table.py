# SPDX-License-Identifier: Apache-2.0
"""The table that a run prints."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

_VERDICTS = {True: "[green]met[/green]", False: "[bold red]missed[/bold red]", None: ""}


def show(figures: Iterable[Figure], title: str) -> None:
    """Print one line for each figure: what, how much, the goal, and whether it is met."""
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column("benchmark", no_wrap=True)
    table.add_column("what")
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("goal", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("load", justify="right", no_wrap=True)
    for name, group in itertools.groupby(figures, key=lambda figure: figure.benchmark):
        for number, figure in enumerate(group):
            table.add_row(
                "" if number else name,
                figure.what,
                f"{written(figure.value)} {figure.unit}",
                f"{figure.goal.sign} {written(figure.goal.bound)}" if figure.goal else "",
                _VERDICTS[figure.met],
                f"{figure.load:.1f}",
            )
        table.add_section()
    console = Console()
    # A log has no width of its own; the table has one that suits it.
    (console if console.is_terminal else Console(width=110)).print(table)


def written(value: float) -> str:
    """The number with as many digits as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")
