# SPDX-License-Identifier: Apache-2.0
"""Cinder's serialised objects in arguments: reduced to the ids that flows work with.

``{"versioned_object.name": "Volume", "versioned_object.data": {...}}`` holds a whole row, secrets
(provider_auth) and all, as it was when it was sent. What an operation needs of it is the id: the
row is read when the operation begins. A request specification is reduced to what says where the
data of a volume come from; it repeats the row otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_NAME: Final = "versioned_object.name"
_DATA: Final = "versioned_object.data"

#: Arguments whose name does not tell what they hold.
_IDS: Final = {"vref": "volume_id"}
_OF_SPECIFICATION: Final = (
    "volume_id",
    "snapshot_id",
    "source_volid",
    "source_replicaid",
    "image_id",
    "backup_id",
)
_OF_HOST: Final = ("host", "cluster_name")


def reduced(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments as flows know them: ``volume`` becomes ``volume_id``, and so on.

    Arguments that are plain already stay as they are. Raises ValueError for an object that has no
    id, or another one than the argument that stands beside it.
    """
    plain: dict[str, Any] = {}
    for name, value in arguments.items():
        if name == "request_spec":
            plain[name] = _part(_data(value), _OF_SPECIFICATION)
        elif name == "filter_properties":
            # For a scheduler that is asked again; here nobody is.
            plain[name] = None
        elif name == "host" and isinstance(value, Mapping):
            plain[name] = _part(value, _OF_HOST)
        elif _is_object(value):
            _add(plain, _IDS.get(name, f"{name}_id"), _id_of(name, value))
        else:
            _add(plain, name, value)
    return plain


def _add(plain: dict[str, Any], name: str, value: Any) -> None:
    if name in plain and plain[name] != value:
        raise ValueError(f"{name} is given twice, and not the same")
    plain[name] = value


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and _NAME in value and _DATA in value


def _data(value: Any) -> Any:
    return value[_DATA] if _is_object(value) else value


def _id_of(name: str, value: Mapping[str, Any]) -> str:
    data = value[_DATA]
    found = data.get("id") if isinstance(data, dict) else None
    if not isinstance(found, str):
        raise ValueError(f"{name} is an object without an id")
    return found


def _part(value: Any, names: tuple[str, ...]) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: value[name] for name in names if value.get(name) is not None}
