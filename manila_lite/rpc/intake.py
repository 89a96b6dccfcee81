# SPDX-License-Identifier: Apache-2.0
"""What becomes of each message: an operation, a dead letter, or a call that is answered."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from oslo_db import exception as db_exc
from oslo_log import log

from manila_lite.db.trouble import Trouble, trouble
from manila_lite.engine.journal import NewDeadLetter, NewOperation
from manila_lite.rpc import wire
from manila_lite.rpc.dead_letters import DeadLetter, Reason, shown, without_secrets
from manila_lite.rpc.endpoints import Accepted

LOG = log.getLogger(__name__)

# A letter whose body is larger is recorded beside the batches and not in one of them.
_LARGE_BYTES = 256 * 1024
_MAX_PROPERTIES = 16 * 1024
_ERRORS = (db_exc.DBError, ValueError, TypeError)


class Journal(Protocol):
    """What is asked of the journal; engine.journal.Journal does it."""

    def record(self, new: Sequence[NewOperation], letters: Sequence[NewDeadLetter] = ()) -> Any: ...


class Judge(Protocol):
    """Accepts or refuses a message that could be read; see endpoints.Endpoints."""

    def accept(self, parsed: wire.ParsedMessage) -> Accepted | DeadLetter: ...


class Calls(Protocol):
    """Takes calls over; see calls.CallPool."""

    def submit(self, call: Accepted, lifetime: float | None = None) -> None: ...

    def reject(self, letter: DeadLetter) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """A message with what it turned out to be."""

    raw: wire.RawMessage
    verdict: Accepted | DeadLetter


class Intake:
    """The two functions that a BatchListener needs: ``receive`` and ``journal``."""

    def __init__(
        self,
        judge: Judge,
        journal: Journal,
        calls: Calls,
        *,
        max_bytes: int = wire.DEFAULT_MAX_BYTES,
    ) -> None:
        self._judge = judge
        self._journal = journal
        self._calls = calls
        self._max_bytes = max_bytes

    def receive(self, raw: wire.RawMessage) -> Item | None:
        """Read a message; None when it is a call, which is then on its way. Never raises."""
        try:
            verdict = self._verdict(raw)
            return None if self._hand_over(verdict, raw) else Item(raw, verdict)
        except Exception as error:  # a bug of ours must not stop the queue
            LOG.exception("A message could not be judged")
            return Item(raw, DeadLetter(Reason.INTERNAL_ERROR, type(error).__name__))

    def _verdict(self, raw: wire.RawMessage) -> Accepted | DeadLetter:
        parsed = wire.parse(raw, max_bytes=self._max_bytes)
        return parsed if isinstance(parsed, DeadLetter) else self._judge.accept(parsed)

    def _hand_over(self, verdict: Accepted | DeadLetter, raw: wire.RawMessage) -> bool:
        """Give a call to the call pool. A caller is told of a refusal: no letter is kept."""
        if verdict.msg_id is None or verdict.reply_q is None:
            return False
        if isinstance(verdict, DeadLetter):
            self._calls.reject(verdict)
        else:
            self._calls.submit(verdict, _lifetime(raw))
        return True

    def journal(self, items: Sequence[Item]) -> None:
        """Record a batch; returns when it is committed.

        When the database refuses a batch for good, its messages are recorded one by one, and
        the one that is at fault becomes a dead letter: it must not block the queue.
        """
        try:
            self._record(items)
        except _ERRORS as error:
            if not _is_to_blame(error):
                raise
            LOG.warning("%d messages were refused together: %s", len(items), type(error).__name__)
            for item in items:
                self._record_alone(item)

    def _record_alone(self, item: Item) -> None:
        try:
            self._record([item])
        except _ERRORS as error:
            if isinstance(item.verdict, DeadLetter) or not _is_to_blame(error):
                raise
            self._record([Item(item.raw, _not_recorded(item.verdict, error))])

    def _record(self, items: Sequence[Item]) -> None:
        operations = []
        letters = []
        for item in items:
            if isinstance(item.verdict, Accepted):
                operations.append(_operation(item.verdict))
            else:
                letters.append(_letter(item.raw, item.verdict))
        self._journal.record(operations, letters)
        for letter in letters:
            LOG.error(
                "Kept a message that cannot be carried out (%s): %s; method %s, id %s",
                letter.reason, letter.detail, letter.method, letter.message_id,
            )  # fmt: skip


def _is_to_blame(error: Exception) -> bool:
    """Whether a message is at fault, rather than a database that is away, busy, full, read only.

    A good cast must never end as a dead letter: better that it waits with the broker.
    """
    if isinstance(error, ValueError | TypeError):
        return True
    return trouble(error) is Trouble.REFUSED and not isinstance(error, db_exc.DBDuplicateEntry)


def takes_long(item: Item) -> bool:
    """Whether recording this would hold up a batch. Never so for what has to stay in order."""
    return isinstance(item.verdict, DeadLetter) and len(item.raw.body) > _LARGE_BYTES


def _operation(accepted: Accepted) -> NewOperation:
    carried = accepted.context
    return NewOperation(
        method=accepted.method,
        arguments=accepted.arguments,
        version=accepted.version,
        context={k: v for k, v in carried.items() if v is not None and v != []},
        message_id=accepted.unique_id,
    )


def _not_recorded(accepted: Accepted, error: Exception) -> DeadLetter:
    return DeadLetter(
        Reason.NOT_RECORDED,
        f"the database refused it: {type(error).__name__}",
        method=accepted.method,
        version=accepted.version,
        unique_id=accepted.unique_id,
        request_id=accepted.context.get("request_id"),
    )


def _letter(raw: wire.RawMessage, letter: DeadLetter) -> NewDeadLetter:
    return NewDeadLetter(
        reason=letter.reason.value,
        detail=letter.detail,
        body=without_secrets(raw.body),
        method=letter.method,
        message_id=letter.unique_id,
        request_id=_plain(letter.request_id),
        exchange=_plain(raw.exchange),
        routing_key=_plain(raw.routing_key),
        redelivered=raw.redelivered,
        properties=_properties(raw),
    )


def _plain(text: str | None) -> str | None:
    """Text that every database takes, whatever its character set."""
    if text is None or (text.isascii() and text.isprintable()):
        return text
    return text.encode("unicode_escape").decode("ascii")


def _properties(raw: wire.RawMessage) -> Mapping[str, Any]:
    """What is needed to send the message again, as plain JSON of bounded size."""
    values = {**raw.properties, "headers": dict(raw.headers)}
    text = json.dumps(values, default=shown, skipkeys=True)
    if len(text) > _MAX_PROPERTIES:
        kept = ("content_type", "content_encoding", "delivery_mode", "priority")
        values = {key: shown(raw.properties[key]) for key in kept if key in raw.properties}
        text = json.dumps({**values, "left_out": f"{len(text)} characters of properties"})
    return json.loads(text)


def _lifetime(raw: wire.RawMessage) -> float | None:
    """The seconds that the sender of a call waits: its message's expiration, in milliseconds."""
    expiration = str(raw.properties.get("expiration", ""))
    return int(expiration) / 1000 if expiration.isdecimal() and len(expiration) < 15 else None
