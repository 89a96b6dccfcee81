# SPDX-License-Identifier: Apache-2.0
"""What a benchmark hands back: numbers with their units, and what they should be."""

from __future__ import annotations

import dataclasses
import operator
from typing import Any

from benchmarks import machine

_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@dataclasses.dataclass(frozen=True)
class Goal:
    """A bound that a figure must keep, such as ``Goal("<", 1.5)``, in the figure's unit."""

    sign: str
    bound: float

    def is_met(self, value: float) -> bool:
        return bool(_COMPARE[self.sign](value, self.bound))


@dataclasses.dataclass(frozen=True)
class Figure:
    """One measured number. ``load``: the load average of the last minute when it was taken."""

    benchmark: str
    what: str
    value: float
    unit: str
    goal: Goal | None = None
    load: float = dataclasses.field(default_factory=machine.load)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        return None if self.goal is None else self.goal.is_met(self.value)

    def as_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "met": self.met}


def percentile(values: list[float], share: float) -> float:
    """Return the value below which that share (0 to 1) of the values lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
