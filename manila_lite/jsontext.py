# SPDX-License-Identifier: Apache-2.0
"""JSON as text for the journal: fast where it can be, complete where it must be."""

from __future__ import annotations

import json
from typing import Any

import orjson
from oslo_serialization import jsonutils

_OPTIONS = (
    orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
)


def encode(value: Any) -> str:
    """Encode a value; rows, dates, tuples and objects become plain JSON, as oslo does it."""
    try:
        return orjson.dumps(value, default=jsonutils.to_primitive, option=_OPTIONS).decode()
    except TypeError:
        # Integers of more than 64 bits, halves of surrogate pairs.
        return json.dumps(value, default=jsonutils.to_primitive, separators=(",", ":"))


def decode(text: str) -> Any:
    """Decode what encode() wrote."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
