# SPDX-License-Identifier: Apache-2.0
"""Access rules, as they are kept in a share's metadata until something exports the directory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_TYPES = ("ip", "user")
_LEVELS = ("rw", "ro")


def kept(rules: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What is stored of the rules that are supported, in an order of its own; never a key."""
    chosen = [
        {"to": rule["access_to"], "type": rule["access_type"], "level": rule["access_level"]}
        for rule in rules
        if is_supported(rule)
    ]
    return sorted(chosen, key=lambda rule: (rule["type"], rule["to"], rule["level"]))


def refused(rules: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Updates for the rules that are not supported, by access id."""
    return {access_id(rule): {"state": "error"} for rule in rules if not is_supported(rule)}


def is_supported(rule: Mapping[str, Any]) -> bool:
    """Whether an export of a directory could follow the rule."""
    return rule["access_type"] in _TYPES and rule["access_level"] in _LEVELS


def rules(kept_ones: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """What is stored, as rules again. Their ids are not stored; a number stands for each."""
    return [
        {
            "access_id": str(number),
            "access_to": rule["to"],
            "access_type": rule["type"],
            "access_level": rule["level"],
        }
        for number, rule in enumerate(kept_ones)
    ]


def access_id(rule: Mapping[str, Any]) -> str:
    """The id under which the service wants to hear of a rule."""
    return str(rule.get("access_id") or rule["id"])
