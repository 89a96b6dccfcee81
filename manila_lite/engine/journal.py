# SPDX-License-Identifier: Apache-2.0
"""The journal: what was asked of the service, recorded before anybody is told that it was heard.

Recording is idempotent: a message id is recorded once per host, however often the message is
delivered. That guards against redelivery, not against a sender who casts twice.
"""

from __future__ import annotations

import dataclasses
import hashlib
import uuid as uuid_module
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from oslo_db import exception as db_exc
from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import jsontext
from manila_lite.clock import Clock
from manila_lite.db import dead_letters
from manila_lite.db import operations as rows
from manila_lite.db.session import Database
from manila_lite.db.texts import short, writable
from manila_lite.engine import crashpoints
from manila_lite.engine.registry import FlowDefinition, FlowRegistry

LOG = log.getLogger(__name__)

# {argument: ids -> {id: value of the lane's field}}, asked once for a whole batch.
LaneResolver = Callable[[Connection, Sequence[str]], Mapping[str, Any]]

# A body that is delivered again within this time after its first delivery is the same letter.
_REDELIVERY_WINDOW = timedelta(hours=1)
_MAX_LANE = 255
_MAX_COLLISIONS = 10


@dataclasses.dataclass(frozen=True, slots=True)
class NewOperation:
    """An accepted cast. context is RequestContext.to_journal() or the like: no tokens."""

    method: str
    arguments: Mapping[str, Any]
    version: str = "1.0"
    context: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    message_id: str = dataclasses.field(default_factory=lambda: uuid_module.uuid4().hex)


@dataclasses.dataclass(frozen=True, slots=True)
class NewDeadLetter:
    """A message that was not accepted, as it came. properties: what the broker said of it."""

    reason: str
    detail: str
    body: bytes
    method: str | None = None
    message_id: str | None = None
    request_id: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    redelivered: bool = False
    properties: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Recorded:
    """Where an operation is in the journal; duplicate: it was there before."""

    uuid: str
    duplicate: bool


class Journal:
    """Records operations of one host ('host@backend')."""

    def __init__(
        self,
        database: Database,
        host: str,
        registry: FlowRegistry,
        clock: Clock,
        resolvers: Mapping[str, tuple[str, LaneResolver]] | None = None,
        on_recorded: Callable[[], None] = lambda: None,
        on_blocked: Callable[[Iterable[str]], None] = lambda lanes: None,
    ) -> None:
        """resolvers: {argument: (lane field, resolver)}, tried in this order; what a flow's
        lane_fields derives counts as an argument too.

        on_blocked is told the lanes in which an operation was put behind another one.
        """
        self._on_blocked = on_blocked
        self._database = database
        self._host = host
        self._registry = registry
        self._clock = clock
        self._resolvers = resolvers or {}
        self.on_recorded = on_recorded

    def record(
        self, new: Sequence[NewOperation], letters: Sequence[NewDeadLetter] = ()
    ) -> list[Recorded]:
        """Record all in one transaction; return one Recorded for each operation, in order.

        Rides out a database that is away. When it returns, everything is committed.
        """
        recorded = self._transact(new, letters)
        crashpoints.reach("journal.after_commit")
        self.on_recorded()
        return recorded

    def _transact(
        self, new: Sequence[NewOperation], letters: Sequence[NewDeadLetter]
    ) -> list[Recorded]:
        tries = 0
        while True:
            try:
                return self._database.run(
                    lambda connection: self._record_on(connection, new, letters)
                )
            except db_exc.DBDuplicateEntry:
                # Another worker recorded one of them in this moment; the next look finds it.
                tries += 1
                if tries >= _MAX_COLLISIONS:
                    raise

    def _record_on(
        self,
        connection: Connection,
        new: Sequence[NewOperation],
        letters: Sequence[NewDeadLetter],
    ) -> list[Recorded]:
        recorded = self.insert_on(connection, new)
        for letter in letters:
            self._keep(connection, letter)
        crashpoints.reach("journal.before_commit")
        return recorded

    def insert_on(self, connection: Connection, new: Sequence[NewOperation]) -> list[Recorded]:
        """Record within the caller's transaction: for one who writes the resource's rows too."""
        if not new:
            return []
        known = rows.seen(connection, self._host, [item.message_id for item in new])
        fresh: dict[str, NewOperation] = {}
        for item in new:
            if item.message_id not in known:
                fresh.setdefault(item.message_id, item)
        uuids = dict(known)
        if fresh:
            inserted = self._rows(connection, list(fresh.values()))
            rows.insert(connection, inserted)
            self._on_blocked(row["lane"] for row in inserted if row["blocked"])
            uuids.update({row["message_id"]: row["uuid"] for row in inserted})
        recorded = []
        first = set(fresh)
        for item in new:
            recorded.append(Recorded(uuids[item.message_id], item.message_id not in first))
            first.discard(item.message_id)
        return recorded

    def _rows(self, connection: Connection, fresh: list[NewOperation]) -> list[dict[str, Any]]:
        lanes = self.lanes(connection, fresh)
        taken = rows.open_lanes(connection, self._host, lanes)
        now = self._clock.now()
        made = []
        for item, lane in zip(fresh, lanes, strict=True):
            resource_type, resource_id = _resource(self._registry.get(item.method), item)
            made.append(
                {
                    "uuid": str(uuid_module.uuid4()),
                    "host": self._host,
                    "message_id": item.message_id,
                    "lane": lane,
                    "method": item.method,
                    "version": item.version,
                    "arguments": jsontext.encode(item.arguments),
                    "context": jsontext.encode(item.context),
                    "state": rows.QUEUED,
                    "blocked": int(lane in taken),
                    "finished": 0,
                    "fence": 0,
                    "revision": 0,
                    "dispatches": 0,
                    "steps": rows.NO_STEPS,
                    "request_id": short(item.context.get("request_id"), 255),
                    "project_id": short(item.context.get("project_id"), 255),
                    "resource_type": resource_type,
                    "resource_id": resource_id,
                    "created_at": now,
                }
            )
            taken.add(lane)
        return made

    def lanes(self, connection: Connection, new: Sequence[NewOperation]) -> list[str]:
        """Return the lane of each operation; look ids up for all of them together."""
        fields = [self._known_fields(item) for item in new]
        for argument, (field, resolve) in self._resolvers.items():
            lacking = [
                (writable(str(value)), known)
                for item, known in zip(new, fields, strict=True)
                if (value := item.arguments.get(argument) or known.get(argument))
                and self._lacks(item.method, field, known)
            ]
            if not lacking:
                continue
            found = resolve(connection, list({value for value, _ in lacking}))
            for value, known in lacking:
                if found.get(value) is not None:
                    known[field] = found[value]
        return [self._lane(item, known) for item, known in zip(new, fields, strict=True)]

    def _lacks(self, method: str, field: str, known: Mapping[str, Any]) -> bool:
        definition = self._registry.get(method)
        return definition is not None and field in definition.lane_names and field not in known

    def _known_fields(self, item: NewOperation) -> dict[str, Any]:
        definition = self._registry.get(item.method)
        if definition is None:
            return {}
        known = {
            name: item.arguments[name]
            for name in definition.lane_names
            if item.arguments.get(name) is not None
        }
        known.update(_derived_fields(definition, item))
        known["host"] = self._host
        return known

    def _lane(self, item: NewOperation, known: Mapping[str, Any]) -> str:
        definition = self._registry.get(item.method)
        if definition is None:
            return f"message:{item.message_id}"
        try:
            return writable(definition.lane.format(**known))[:_MAX_LANE]
        except KeyError:
            # The row is gone: what is left is an operation that finds nothing to do.
            kind, resource_id = _resource(definition, item)
            own = f"{kind}:{resource_id}" if resource_id else f"message:{item.message_id}"
            return writable(own)[:_MAX_LANE]

    def _keep(self, connection: Connection, letter: NewDeadLetter) -> None:
        digest = hashlib.sha256(letter.body).hexdigest()
        now = self._clock.now()
        since = now - _REDELIVERY_WINDOW
        if letter.redelivered and dead_letters.is_kept(connection, self._host, digest, since):
            return
        values = {
            "uuid": str(uuid_module.uuid4()),
            "host": self._host,
            "reason": short(letter.reason, 64),
            "detail": writable(letter.detail),
            "method": short(letter.method, 255),
            "message_id": short(letter.message_id, 64),
            "request_id": short(letter.request_id, 255),
            "exchange": short(letter.exchange, 255),
            "routing_key": short(letter.routing_key, 255),
            "properties": jsontext.encode(letter.properties),
            "digest": digest,
            "received_at": now,
        }
        dead_letters.insert(connection, values, letter.body)


def _derived_fields(definition: FlowDefinition, item: NewOperation) -> Mapping[str, Any]:
    if definition.lane_fields is None:
        return {}
    try:
        return definition.lane_fields(item.arguments)
    except Exception as error:
        # Arguments of an odd shape must not stop the messages beside them; the flow will say so.
        LOG.warning("No lane for a cast of %s can be derived: %s", item.method, error)
        return {}


def _resource(
    definition: FlowDefinition | None, item: NewOperation
) -> tuple[str | None, str | None]:
    if definition is None or definition.resource is None:
        return None, None
    kind, argument = definition.resource
    return kind, short(item.arguments.get(argument), 255)
