# SPDX-License-Identifier: Apache-2.0
"""What can be asked over RPC: generated from the flow registry, and nothing else.

A method is reachable when a flow of its name is registered and is not internal. Its arguments
are checked against the flow's signature, so that a flow never starts with arguments that it was
not written for.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from manila_lite.rpc import arguments
from manila_lite.rpc.dead_letters import DeadLetter, Reason, shown
from manila_lite.rpc.wire import ParsedMessage

# Manila 23's share RPC API: 1.0 to 1.30. A sender may be older than we are, never newer.
RPC_API_VERSION = "1.30"
CALL = "call"

# Turns arguments as they came into those that flows know; ValueError: what is wrong with them.
Prepare = Callable[[dict[str, Any]], dict[str, Any]]

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Flow(Protocol):
    """What is read of a flow; engine.registry.FlowDefinition has it."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def internal(self) -> bool: ...

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    """A message that a flow can carry out. ``msg_id`` and ``reply_q`` are set for a call."""

    method: str
    version: str
    arguments: dict[str, Any]
    context: dict[str, Any]
    unique_id: str
    msg_id: str | None = None
    reply_q: str | None = None
    timeout: float | None = None


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One method with what it takes. ``checks`` are the arguments by name, in order."""

    name: str
    first_version: str
    is_call: bool
    checks: Mapping[str, arguments.Check]
    required: tuple[str, ...]
    takes_any: bool

    @classmethod
    def of(cls, flow: Flow) -> Endpoint:
        """Derive an endpoint from a flow's signature."""
        named = {name: p for name, p in flow.parameters.items() if p.kind in _NAMED}
        kinds = {parameter.kind for parameter in flow.parameters.values()}
        return cls(
            name=flow.name,
            first_version=flow.version,
            is_call=flow.kind == CALL,
            checks={name: arguments.check_of(p) for name, p in named.items()},
            required=tuple(
                name for name, p in named.items() if p.default is inspect.Parameter.empty
            ),
            takes_any=inspect.Parameter.VAR_KEYWORD in kinds,
        )

    def problem(self, args: Mapping[str, Any]) -> tuple[Reason, str] | None:
        """Say what is wrong with arguments, None when nothing is."""
        for name in self.required:
            if name not in args:
                return Reason.MISSING_ARGUMENT, f"{self.name} needs the argument {name}"
        for name, value in args.items():
            check = self.checks.get(name)
            if check is not None:
                if found := check(value):
                    reason, expected = found
                    return reason, f"{name} is {shown(value)} instead of {expected}"
            elif not self.takes_any:
                return Reason.UNKNOWN_ARGUMENT, (
                    f"{self.name} has no argument {shown(name)}; it takes "
                    + (", ".join(self.checks) or "none")
                )
        return None


class Endpoints:
    """The table of all methods that can be reached."""

    def __init__(
        self,
        flows: Mapping[str, Flow],
        version: str = RPC_API_VERSION,
        prepare: Prepare | None = None,
    ) -> None:
        """Read the registry once: a flow that is registered later is not reachable.

        prepare: for an API whose senders put more into an argument than may be recorded.
        """
        self._prepare = prepare
        self.version = version
        self._major, self._minor = _numbers(version)
        self.methods = {
            name: Endpoint.of(flow) for name, flow in flows.items() if not flow.internal
        }

    def accept(self, parsed: ParsedMessage) -> Accepted | DeadLetter:
        """Check a message against the table.

        Any version of our major number up to our own is accepted, as oslo.messaging's servers do:
        an older sender pins an older version and leaves out arguments that came later. They are
        passed on as they are, whatever their keys are called; a driver's options may hold a
        secret that the driver needs.
        """
        try:
            args = parsed.args if self._prepare is None else self._prepare(parsed.args)
        except ValueError as error:
            return _dead(parsed, Reason.WRONG_TYPE, str(error))
        problem = self._problem(parsed, args)
        if problem is not None:
            return _dead(parsed, *problem)
        return Accepted(
            method=parsed.method,
            version=parsed.version,
            arguments=args,
            context=parsed.context,
            unique_id=parsed.unique_id,
            msg_id=parsed.msg_id,
            reply_q=parsed.reply_q,
            timeout=parsed.timeout,
        )

    def _problem(self, parsed: ParsedMessage, args: Mapping[str, Any]) -> tuple[Reason, str] | None:
        major, minor = _numbers(parsed.version)
        if major != self._major or minor > self._minor:
            return Reason.UNSUPPORTED_VERSION, (
                f"version {parsed.version} of {parsed.method} is not spoken here; "
                f"{self._major}.0 to {self.version} are"
            )
        if parsed.namespace is not None:
            return Reason.UNKNOWN_METHOD, f"there is no namespace {shown(parsed.namespace)}"
        endpoint = self.methods.get(parsed.method)
        if endpoint is None:
            return Reason.UNKNOWN_METHOD, f"there is no method {shown(parsed.method)}"
        if endpoint.is_call and not parsed.is_call:
            return Reason.NEEDS_REPLY, f"{parsed.method} is a call and nobody waits for its reply"
        if parsed.is_call and not endpoint.is_call:
            return Reason.GIVES_NO_REPLY, f"{parsed.method} is a cast: it gives no reply"
        return endpoint.problem(args)


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


def _dead(parsed: ParsedMessage, reason: Reason, detail: str) -> DeadLetter:
    return DeadLetter(
        reason,
        detail[:500],
        method=parsed.method,
        version=parsed.version,
        unique_id=parsed.unique_id,
        request_id=parsed.context.get("request_id"),
        msg_id=parsed.msg_id,
        reply_q=parsed.reply_q,
    )
