# SPDX-License-Identifier: Apache-2.0
"""Checks of RPC arguments, made from the annotations and names of a flow's parameters.

A name that ends in ``_id`` or ``_ids`` holds identifiers whatever the annotation says: they
become names of directories, commands' arguments and lanes.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from manila_lite.rpc.dead_letters import Reason

# None when the value is right, else the reason and what was expected instead.
Check = Callable[[Any], tuple[Reason, str] | None]
_Test = Callable[[Any], bool]

MAX_INT = 2**31 - 1
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.\-]{1,255}")
_AN_IDENTIFIER = "an id of 1 to 255 letters, digits, '_', '.' and '-'"


def is_identifier(value: object) -> bool:
    """Whether a value can be an id and cannot be a path: '.' and '..' are not ids either."""
    return (
        isinstance(value, str)
        and _IDENTIFIER.fullmatch(value) is not None
        and value.strip(".") != ""
    )


def check_of(parameter: inspect.Parameter) -> Check:
    """Build the check of one parameter; None is right where it is the default or annotated."""
    nullable, kinds = _kinds(parameter.annotation)
    nullable = nullable or parameter.default is None
    name = parameter.name
    if name.endswith("_ids"):
        return _check(nullable, _are_identifiers, f"a list with {_AN_IDENTIFIER} in each place",
                      Reason.BAD_IDENTIFIER, list)  # fmt: skip
    if name.endswith("_id"):
        return _check(nullable, is_identifier, _AN_IDENTIFIER, Reason.BAD_IDENTIFIER, str)
    if name.endswith("size") and int in kinds:
        return _check(nullable, _is_size, f"a size of 1 to {MAX_INT} GiB")
    if not kinds or Any in kinds:
        return _anything
    tests = [_TESTS.get(kind, (_true, ""))[0] for kind in kinds]
    words = " or ".join(_TESTS.get(kind, (_true, "anything"))[1] for kind in kinds)
    return _check(nullable, lambda value: any(test(value) for test in tests), words)


def _check(
    nullable: bool,
    test: _Test,
    expected: str,
    reason: Reason = Reason.WRONG_TYPE,
    of_type: type | None = None,
) -> Check:
    """``reason`` is for a value ``of_type`` that fails; of any other type it is WRONG_TYPE."""

    def check(value: Any) -> tuple[Reason, str] | None:
        if (value is None and nullable) or test(value):
            return None
        right_type = of_type is not None and isinstance(value, of_type)
        return (reason if right_type else Reason.WRONG_TYPE), expected

    return check


def _anything(value: Any) -> None:
    return None


def _true(value: Any) -> bool:
    return True


def _kinds(annotation: Any) -> tuple[bool, tuple[Any, ...]]:
    """Take a union apart: whether None is in it, and the plain types of the rest."""
    if annotation is inspect.Parameter.empty:
        return False, ()
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = typing.get_args(annotation)
    else:
        members = (annotation,)
    plain = tuple(_plain(member) for member in members if member is not type(None))
    return type(None) in members, plain


def _plain(annotation: Any) -> Any:
    origin = typing.get_origin(annotation)
    if annotation in (list[str], Sequence[str]):
        return _Texts
    if Mapping in (origin, annotation):
        return dict
    if Sequence in (origin, annotation):
        return list
    return origin or annotation


class _Texts:
    """Stands for a list of texts."""


def _is_int(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_INT


def _is_size(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_INT


def _is_text_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _are_identifiers(value: Any) -> bool:
    return isinstance(value, list) and all(is_identifier(item) for item in value)


_TESTS: Mapping[Any, tuple[_Test, str]] = {
    str: (lambda value: isinstance(value, str), "a text"),
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (_is_int, f"a whole number from 0 to {MAX_INT}"),
    float: (
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "a number",
    ),
    dict: (lambda value: isinstance(value, dict), "an object"),
    list: (lambda value: isinstance(value, list), "a list"),
    _Texts: (_is_text_list, "a list of texts"),
}
