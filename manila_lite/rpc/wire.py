# SPDX-License-Identifier: Apache-2.0
"""Reading oslo.messaging's wire format: from the raw bytes of a message to its parts.

The envelope is ``{"oslo.version": "2.0", "oslo.message": "<JSON text>"}``; the inner object has
``method``, ``args``, ``version``, ``_unique_id`` and ``_context_*`` keys, and for a call also
``_msg_id``, ``_reply_q`` and ``_timeout``. Whatever a sender does, :func:`parse` returns and
does not raise, in time and memory bounded by the size limit.
"""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import json
import math
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import orjson

from manila_lite import context
from manila_lite.rpc.dead_letters import DeadLetter, Reason, shown

ENVELOPE_VERSION = "2.0"
DEFAULT_MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64

_PREFIX = "_context_"
_METHOD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")
_ADDRESS = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
# Databases refuse NUL, and a lone surrogate is no character; either hides behind an escape.
_SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
# What an operation's row has room for.
_MAX_CONTEXT_TEXT = 255
_CONTEXT_TEXTS = ("request_id", "global_request_id", "project_id", "user_id", "project", "user")


@dataclasses.dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as the broker handed it over: not decoded, not acknowledged.

    ``properties`` are AMQP's (content_type, content_encoding, ...) without the headers.
    """

    body: bytes
    properties: Mapping[str, Any]
    headers: Mapping[str, Any]
    delivery_tag: int = 0
    redelivered: bool = False
    exchange: str = ""
    routing_key: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ParsedMessage:
    """The parts of a well-formed message. ``context`` has no secrets in it.

    ``msg_id`` and ``reply_q`` are set for a call. ``timeout``: the caller wants a sign of life
    at least this often, in seconds.
    """

    method: str
    version: str
    args: dict[str, Any]
    context: dict[str, Any]
    unique_id: str
    namespace: str | None = None
    msg_id: str | None = None
    reply_q: str | None = None
    timeout: float | None = None

    @property
    def is_call(self) -> bool:
        """Whether somebody waits for a reply."""
        return self.msg_id is not None


class _Bad(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def parse(raw: RawMessage, *, max_bytes: int = DEFAULT_MAX_BYTES) -> ParsedMessage | DeadLetter:
    """Take a message apart; a DeadLetter says what is wrong with one that cannot be."""
    message: dict[str, Any] = {}
    try:
        text = _text(raw, max_bytes)
        message = _inner(_envelope(text))
        return _parts(message)
    except _Bad as bad:
        return _dead(bad.reason, bad.detail, message)
    except RecursionError:
        return _dead(Reason.NOT_JSON, "the message is nested too deeply to be read", message)


def _dead(reason: Reason, detail: str, message: dict[str, Any]) -> DeadLetter:
    """A dead letter with those parts of the message that are what they should be."""

    def known(key: str, pattern: re.Pattern[str]) -> str | None:
        value = message.get(key)
        return value if isinstance(value, str) and pattern.fullmatch(value) else None

    return DeadLetter(
        reason,
        detail,
        method=known("method", _METHOD),
        version=known("version", _VERSION),
        unique_id=known("_unique_id", _MESSAGE_ID),
        request_id=known(_PREFIX + "request_id", _ADDRESS),
        msg_id=known("_msg_id", _ADDRESS),
        reply_q=known("_reply_q", _ADDRESS),
    )


def _text(raw: RawMessage, max_bytes: int) -> str:
    body = raw.body
    if len(body) > max_bytes:
        raise _Bad(
            Reason.TOO_LARGE,
            f"the body has {len(body)} bytes; max_message_bytes allows {max_bytes}",
        )
    content_type = raw.properties.get("content_type")
    if content_type != "application/json":
        raise _Bad(
            Reason.CONTENT_TYPE,
            f"the content type is {shown(content_type)} instead of 'application/json'",
        )
    encoding = raw.properties.get("content_encoding") or "utf-8"
    if str(encoding).lower() not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise _Bad(
            Reason.CONTENT_TYPE, f"the content encoding is {shown(encoding)} instead of 'utf-8'"
        )
    compression = raw.headers.get("compression")
    if compression is not None:
        body = _decompressed(body, compression, max_bytes)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Bad(Reason.NOT_TEXT, f"the body is no UTF-8 at byte {error.start}") from None


def _decompressed(body: bytes, method: object, max_bytes: int) -> bytes:
    """Undo kombu's compression, and no more than ``max_bytes`` of it."""
    decompressor: Any
    if method == "application/x-gzip":
        decompressor = zlib.decompressobj()
    elif method == "application/x-bz2":
        decompressor = bz2.BZ2Decompressor()
    else:
        raise _Bad(Reason.COMPRESSION, f"compression {shown(method)} is not known")
    try:
        plain = decompressor.decompress(body, max_bytes + 1)
    except (zlib.error, OSError, EOFError) as error:
        raise _Bad(Reason.COMPRESSION, f"the body cannot be decompressed: {error}") from None
    if len(plain) > max_bytes:
        raise _Bad(
            Reason.TOO_LARGE,
            f"the body has more than the {max_bytes} bytes that max_message_bytes allows "
            "when decompressed",
        )
    if not decompressor.eof:
        raise _Bad(Reason.COMPRESSION, "the compressed body ends too early")
    return plain


def _refuse_constant(name: str) -> NoReturn:
    raise _Bad(Reason.NOT_JSON, f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Bad(Reason.NOT_JSON, f"the number {shown(text)} is too large")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [key for key, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Bad(Reason.NOT_JSON, f"the key {shown(twice)} occurs twice in one object")
    return result


_decode_envelope = json.JSONDecoder(
    parse_constant=_refuse_constant,
    parse_float=_finite,
    object_pairs_hook=_without_duplicates,
).decode
# Without the hook the decoder is a third faster; of keys that occur twice, the last one counts.
_decode_message = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite).decode


def _load(decode: Callable[[str], Any], text: str, what: str, *, fast: bool = True) -> Any:
    """Decode with the fast library; whatever that does not like, the slow one explains.

    An integer of more than 64 bits comes back as a float, which no argument of a flow may be.
    """
    if fast:
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(text)
    try:
        return decode(text)
    except ValueError as error:
        # Not the text itself: it may hold a secret.
        raise _Bad(Reason.NOT_JSON, f"{what} is not JSON: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200]


def _envelope(text: str) -> str:
    # The fast library takes the last of keys that occur twice without a word.
    twice = text.count('"oslo.message"') > 1 or text.count('"oslo.version"') > 1
    envelope = _load(_decode_envelope, text, "the body", fast=not twice)
    if not isinstance(envelope, dict):
        raise _Bad(Reason.BAD_ENVELOPE, f"the body is {_kind(envelope)} instead of an object")
    version = envelope.get("oslo.version")
    if version != ENVELOPE_VERSION:
        raise _Bad(
            Reason.BAD_ENVELOPE,
            f"oslo.version is {shown(version)} instead of {ENVELOPE_VERSION!r}"
            if "oslo.version" in envelope
            else "the key oslo.version is missing",
        )
    inner = envelope.get("oslo.message")
    if not isinstance(inner, str):
        raise _Bad(
            Reason.BAD_ENVELOPE, f"oslo.message is {_kind(inner)} instead of a text with JSON"
        )
    return inner


def _inner(text: str) -> dict[str, Any]:
    message = _load(_decode_message, text, "oslo.message")
    if not isinstance(message, dict):
        raise _Bad(Reason.BAD_MESSAGE, f"oslo.message is {_kind(message)} instead of an object")
    if _too_deep(message):
        raise _Bad(Reason.BAD_MESSAGE, f"the message is nested more than {MAX_DEPTH} levels deep")
    if _SUSPECT.search(text):
        _check_characters(message)
    return message


def _too_deep(message: dict[str, Any]) -> bool:
    level: list[Any] = [message]
    for _ in range(MAX_DEPTH):
        level = [
            value
            for container in level
            for value in (container.values() if type(container) is dict else container)
            if type(value) is dict or type(value) is list
        ]
        if not level:
            return False
    return True


def _check_characters(message: dict[str, Any]) -> None:
    try:
        encoded = json.dumps(message, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _Bad(Reason.BAD_MESSAGE, "the message holds half a surrogate pair") from None
    # A backslash of the text itself is doubled here, so this is a NUL or follows a backslash.
    if any(len(run) % 2 for run in re.findall(rb"(\\+)u0000", encoded)):
        raise _Bad(Reason.BAD_MESSAGE, "the message holds a NUL character")


def _parts(message: dict[str, Any]) -> ParsedMessage:
    values: dict[str, Any] = {}
    carried: dict[str, Any] = {}
    for key, value in message.items():
        if key.startswith(_PREFIX):
            carried[key[9:]] = value
        else:
            values[key] = value
    method = _matching(values, "method", _METHOD, "a method name")
    version = _matching(values, "version", _VERSION, "a version such as '1.4'", default="1.0")
    args = values.get("args", {})
    if not isinstance(args, dict):
        raise _Bad(Reason.BAD_MESSAGE, f"args is {_kind(args)} instead of an object")
    unique_id = _matching(values, "_unique_id", _MESSAGE_ID, "an id of 1 to 64 characters")
    msg_id, reply_q = _reply_address(values)
    return ParsedMessage(
        method=method,
        version=version,
        args=args,
        context=_context(carried),
        unique_id=unique_id,
        namespace=_namespace(values),
        msg_id=msg_id,
        reply_q=reply_q,
        timeout=_timeout(values),
    )


def _matching(
    values: dict[str, Any],
    key: str,
    pattern: re.Pattern[str],
    expected: str,
    default: str | None = None,
) -> str:
    value = values.get(key, default)
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    if value is None and key not in values:
        raise _Bad(Reason.BAD_MESSAGE, f"the key {key} is missing")
    raise _Bad(Reason.BAD_MESSAGE, f"{key} is {shown(value)} instead of {expected}")


def _reply_address(values: dict[str, Any]) -> tuple[str | None, str | None]:
    if values.get("_msg_id") is None:
        return None, None
    msg_id = _matching(values, "_msg_id", _ADDRESS, "an id of 1 to 255 characters")
    return msg_id, _matching(values, "_reply_q", _ADDRESS, "the name of a queue")


def _namespace(values: dict[str, Any]) -> str | None:
    namespace = values.get("namespace")
    if namespace is not None and not isinstance(namespace, str):
        raise _Bad(Reason.BAD_MESSAGE, f"namespace is {_kind(namespace)} instead of a text")
    return namespace


def _timeout(values: dict[str, Any]) -> float | None:
    timeout = values.get("_timeout")
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0:
        raise _Bad(Reason.BAD_MESSAGE, f"_timeout is {shown(timeout)} instead of seconds")
    return float(timeout)


def _context(carried: dict[str, Any]) -> dict[str, Any]:
    for key in _CONTEXT_TEXTS:
        value = carried.get(key)
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > _MAX_CONTEXT_TEXT:
            raise _Bad(
                Reason.BAD_MESSAGE,
                f"_context_{key} is {shown(value)} instead of a text of at most "
                f"{_MAX_CONTEXT_TEXT} characters",
            )
    roles = carried.get("roles")
    if roles is not None and not (
        isinstance(roles, list) and all(isinstance(role, str) for role in roles)
    ):
        raise _Bad(Reason.BAD_MESSAGE, f"_context_roles is {shown(roles)} instead of role names")
    if carried.get("read_deleted", "no") not in ("no", "yes", "only"):
        raise _Bad(
            Reason.BAD_MESSAGE,
            f"_context_read_deleted is {shown(carried['read_deleted'])} instead of no, yes, only",
        )
    return context.without_secrets(carried)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}
    if value is None:
        return "missing or null"
    return names.get(type(value), "a number")
