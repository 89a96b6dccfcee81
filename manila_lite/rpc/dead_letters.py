# SPDX-License-Identifier: Apache-2.0
"""Messages that cannot become an operation: the reason, in words for the operator, and the body.

The body is kept byte for byte, except that the values of tokens and passwords are masked.
"""

from __future__ import annotations

import dataclasses
import enum
import re

_MAX_VALUE = 80


class Reason(enum.StrEnum):
    """Why a message is a dead letter. The values are stored and shown."""

    TOO_LARGE = "too_large"
    CONTENT_TYPE = "content_type"
    COMPRESSION = "compression"
    NOT_TEXT = "not_text"
    NOT_JSON = "not_json"
    BAD_ENVELOPE = "bad_envelope"
    BAD_MESSAGE = "bad_message"
    UNKNOWN_METHOD = "unknown_method"
    UNSUPPORTED_VERSION = "unsupported_version"
    MISSING_ARGUMENT = "missing_argument"
    UNKNOWN_ARGUMENT = "unknown_argument"
    WRONG_TYPE = "wrong_type"
    BAD_IDENTIFIER = "bad_identifier"
    NEEDS_REPLY = "needs_reply"
    GIVES_NO_REPLY = "gives_no_reply"
    NOT_RECORDED = "not_recorded"
    INTERNAL_ERROR = "internal_error"


@dataclasses.dataclass(frozen=True, slots=True)
class DeadLetter:
    """A reason with what could be read of the message.

    ``msg_id`` and ``reply_q`` are set when a caller waits for an answer and can be told.
    """

    reason: Reason
    detail: str
    method: str | None = None
    version: str | None = None
    unique_id: str | None = None
    request_id: str | None = None
    msg_id: str | None = None
    reply_q: str | None = None


def shown(value: object) -> str:
    """``value`` for a message to people: like repr(), of bounded length."""
    # Slicing first keeps the cost bounded too; a slice of a text cannot be what breaks repr().
    if isinstance(value, str | bytes):
        value = value[: _MAX_VALUE + 1]
    elif isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)} entries"
    elif isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    text = ascii(value)
    return text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "..."


# The last one is Cinder's: how a storage lets a host in.
_SECRET_WORDS = (b"token", b"passw", b"secret", b"credential", b"provider_auth")
# From inside a key to the end of its text value; quotes are escaped in the inner message.
_REST = re.compile(rb'[\w-]{0,64}\\{0,7}"\s{0,8}:\s{0,8}\\{0,7}"')
_MASK = b"***"
_BACKSLASH = ord("\\")


def without_secrets(body: bytes) -> bytes:
    """The body with the text values of keys that name a secret replaced by ``***``.

    Works on any bytes, whether they parse or not. It looks at names only, and at values that
    are texts; what stands in a list or an object under such a key stays.
    """
    spans = sorted(_secret_spans(body))
    if not spans:
        return body
    parts = []
    position = 0
    for start, end in spans:
        if start >= position:
            parts += [body[position:start], _MASK]
            position = end
    return b"".join([*parts, body[position:]])


def _secret_spans(body: bytes) -> set[tuple[int, int]]:
    lowered = body.lower()
    spans = set()
    for word in _SECRET_WORDS:
        found = lowered.find(word)
        while found >= 0:
            opening = _REST.match(body, found + len(word))
            if opening:
                end = _end_of_text(body, opening)
                if end > opening.end():
                    spans.add((opening.end(), end))
            found = lowered.find(word, found + len(word))
    return spans


def _end_of_text(body: bytes, opening: re.Match[bytes]) -> int:
    """Where the text that ``opening`` opens ends: before the quote escaped as it was opened."""
    quote = opening.group()[opening.group().rindex(b":") + 1 :].strip()
    escapes = len(quote) - 1
    position = opening.end() - 1
    while (position := body.find(b'"', position + 1)) >= 0:
        before = position
        while before > opening.end() and body[before - 1] == _BACKSLASH:
            before -= 1
        if _closes(position - before, escapes):
            return max(before, position - escapes)
    return len(body)


def _closes(backslashes: int, escapes: int) -> bool:
    """Whether a quote after so many backslashes ends a text whose first quote had ``escapes``.

    JSON within JSON escapes the quote of its text once (1 backslash), a backslash of the text
    takes 4 and a quote of the text 3 of them; one level deeper it is 3, 8 and 7.
    """
    if backslashes < escapes or (escapes and backslashes % 2 == 0):
        return True  # a text further out ends here
    return (backslashes - escapes) % (2 * (escapes + 1)) == 0
