# SPDX-License-Identifier: Apache-2.0
"""Flows by RPC method name: what can be asked of the service, and how it is carried out."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

CAST = "cast"
CALL = "call"

_FIELD = re.compile(r"\{(\w+)\}")


@dataclasses.dataclass(frozen=True)
class FlowDefinition:
    """One flow.

    name, version: the RPC method and the first version of the interface that has it.
    function: function(op, **arguments); of a call, function(environment, context, **arguments).
    lane: template of the lane's name; its fields are arguments, or what `lane_fields` or the
        journal's resolvers derive from them.
    resource: (type, argument that holds the id), shown to people.
    first_step: the step that the flow begins with. The claim then records its intent, which
        saves a transaction; a flow that begins otherwise takes that back.
    on_failure, on_cancel: called as f(op, error, **arguments), return the writes that go into
        the database together with the outcome.
    internal: started by the service itself only, never reachable from outside.
    """

    name: str
    version: str
    function: Callable[..., Any]
    lane: str
    kind: str = CAST
    lane_fields: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    resource: tuple[str, str] | None = None
    on_failure: Callable[..., Any] | None = None
    on_cancel: Callable[..., Any] | None = None
    internal: bool = False
    first_step: str | None = None
    parameters: Mapping[str, inspect.Parameter] = dataclasses.field(default_factory=dict)

    @property
    def lane_names(self) -> tuple[str, ...]:
        return tuple(_FIELD.findall(self.lane))


class FlowRegistry:
    """The flows that a service offers."""

    def __init__(self) -> None:
        self.flows: dict[str, FlowDefinition] = {}

    def add(self, definition: FlowDefinition) -> None:
        """Add a flow; a second one of the same name is a programming error (ValueError)."""
        known = self.flows.get(definition.name)
        if known is not None and known.function is not definition.function:
            raise ValueError(f"flow {definition.name!r} is registered twice")
        self.flows[definition.name] = definition

    def get(self, name: str) -> FlowDefinition | None:
        return self.flows.get(name)

    def first_step(self, name: str) -> str | None:
        """Return the step that the flow of that name is known to begin with."""
        definition = self.flows.get(name)
        return definition.first_step if definition is not None else None

    def flow(
        self, name: str, *, version: str = "1.0", lane: str, **options: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorate a flow function; options are fields of FlowDefinition."""

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            parameters = dict(inspect.signature(function, eval_str=True).parameters)
            # The first parameter is the operation itself; a call's is the environment, and its
            # second one the sender's context.
            parameters.pop(next(iter(parameters)))
            if options.get("kind") == CALL:
                parameters.pop("context", None)
            self.add(
                FlowDefinition(name, version, function, lane, parameters=parameters, **options)
            )
            return function

        return decorate


registry = FlowRegistry()
flow = registry.flow
