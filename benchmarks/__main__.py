# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks [--only NAME] [--count N] [--json FILE]``: measure, and print one table.

Takes about a quarter of an hour in all. RabbitMQ and PostgreSQL must answer (``make bench`` starts
them). Exit code 1 when a goal is missed. See the modules for what each figure means.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks import (
    limits,
    machine,
    memory,
    nova_waits,
    recovery,
    share_flows,
    startup,
    table,
    throughput,
    waiting,
)
from benchmarks.figures import Figure


class Benchmark(NamedTuple):
    """run(count, directory), and the count where nobody says another."""

    run: Callable[[int, Path], list[Figure]]
    default_count: int


BENCHMARKS = {
    "startup": Benchmark(startup.run, startup.COUNT),
    "memory": Benchmark(memory.run, memory.COUNT),
    "throughput": Benchmark(throughput.run, throughput.COUNT),
    "share_flows": Benchmark(share_flows.run, share_flows.COUNT),
    "recovery": Benchmark(recovery.run, recovery.COUNT),
    "waiting": Benchmark(waiting.run, waiting.COUNT),
    "nova_waits": Benchmark(nova_waits.run, nova_waits.COUNT),
}
# Part of throughput; by themselves on request only.
EXTRA = {"limits": Benchmark(limits.run, throughput.COUNT)}


def main() -> int:
    options = _options()
    # As an exception, so that databases, queues and daemons are cleared away.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    console = Console(stderr=True)
    chosen = options.only or list(BENCHMARKS)
    with tempfile.TemporaryDirectory(prefix="manila-lite-bench-", dir=options.directory) as made:
        directory = Path(made)
        title = machine.describe(directory)
        console.print(title)
        figures = []
        for name in chosen:
            figures += _measure(name, options.count, directory, console)
    table.show(figures, title)
    if options.json is not None:
        found = {"machine": title, "figures": [figure.as_dict() for figure in figures]}
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if any(figure.met is False for figure in figures) else 0


def _measure(name: str, count: int | None, directory: Path, console: Console) -> list[Figure]:
    benchmark = {**BENCHMARKS, **EXTRA}[name]
    began = time.monotonic()
    console.print(f"{name} ...", end=" ")
    figures = benchmark.run(count or benchmark.default_count, directory)
    console.print(f"{time.monotonic() - began:.0f} s")
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure and print.")
    parser.add_argument(
        "--only",
        action="append",
        choices=[*BENCHMARKS, *EXTRA],
        help="this benchmark alone; may be given several times",
    )
    parser.add_argument("--count", type=int, help="how many casts, shares or operations")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--directory",
        help="where files are made (default: the usual place for temporary ones); it should be "
        "on a disk, as a commit costs nothing in memory",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
