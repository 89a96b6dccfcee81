# SPDX-License-Identifier: Apache-2.0
"""Hooks around flows, and periodically.

A hook before is the operation's first step, a hook after its last one: in the journal, so each is
called at least once, and once only unless the worker dies in it. What a hook returns before is
kept there too, as JSON or as text, until the hook after gets it. The hook after comes before the
outcome is written: where its errors are not suppressed, they still can make the operation fail.
An operation that fails has no hook after. What a driver returns has a meaning for calls only;
casts show their result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from oslo_log import log
from oslo_utils import strutils

from manila_lite import context as contexts
from manila_lite import jsontext
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine import AGAIN, FlowDefinition, FlowRegistry, Operation
from manila_lite.engine.registry import CALL
from manila_lite.share.environment import ShareEnvironment

LOG = log.getLogger(__name__)

BEFORE: Final = "hooks before"
AFTER: Final = "hooks after"


def around(registry: FlowRegistry) -> FlowRegistry:
    """Return the flows with env.hooks called before and after those that come from outside."""
    found = FlowRegistry()
    for definition in registry.flows.values():
        found.add(definition if definition.internal else _around(definition))
    return found


def _around(definition: FlowDefinition) -> FlowDefinition:
    wrap = _call if definition.kind == CALL else _cast
    function = wrap(definition.name, definition.function)
    return dataclasses.replace(definition, function=function, first_step=BEFORE)


def _call(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(environment: ShareEnvironment, context: Any, **arguments: Any) -> Any:
        before = _before(environment.hooks, context, name, arguments)
        result = function(environment, context, **arguments)
        _after(environment.hooks, context, name, arguments, before, result)
        return result

    return run


def _cast(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(op: Operation, **arguments: Any) -> None:
        hooks = op.env.hooks
        before = op.step(BEFORE, _before, hooks, op.context, name, arguments, probe=lambda: AGAIN)
        hooked = _Hooked(
            op,
            lambda result: op.step(
                AFTER, _after, hooks, op.context, name, arguments, before, result,
                probe=lambda: AGAIN,
            ),
        )  # fmt: skip
        function(hooked, **arguments)
        if not op.finished:
            hooked.finish()

    return run


class _Hooked:
    """An operation that calls hooks before it finishes; all else is the operation's."""

    def __init__(self, op: Operation, after: Callable[[Any], Any]) -> None:
        self._op = op
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._op, name)

    def finish(self, *writes: Write | Sequence[Write], result: Any = None) -> None:
        self._after(result)
        self._op.finish(*writes, result=result)


def _before(
    hooks: Sequence[Any], context: Any, name: str, arguments: Mapping[str, Any]
) -> list[Any]:
    return [_recordable(hook.execute_pre_hook(context, name, **arguments)) for hook in hooks]


def _after(
    hooks: Sequence[Any],
    context: Any,
    name: str,
    arguments: Mapping[str, Any],
    before: Sequence[Any],
    result: Any,
) -> None:
    # A worker that was started with other hooks finds less, or more, than it has hooks.
    data = [*before, *[None] * len(hooks)]
    for hook, given in zip(hooks, data, strict=False):
        hook.execute_post_hook(context, name, given, result, **arguments)


def _recordable(value: Any) -> Any:
    """Return a value as the journal can keep it: what is no JSON becomes text.

    An error does too, without passwords.
    """
    if isinstance(value, BaseException):
        return strutils.mask_password(repr(value))
    try:
        return jsontext.decode(jsontext.encode(value))
    except (TypeError, ValueError):
        return str(value)


def run_periodic_hooks(environment: ShareEnvironment) -> None:
    """Call the hooks with all share instances of the back end, as the driver completes them.

    An error of one hook is logged and keeps no other one from being called.
    """
    context = contexts.get_admin_context()
    data = environment.driver.get_periodic_hook_data(context, _instances(environment))
    for hook in environment.hooks:
        try:
            hook.execute_periodic_hook(context, data)
        except (Exception, SystemExit):
            LOG.exception("%s: periodic hook %s failed", environment.host, type(hook).__name__)


def _instances(environment: ShareEnvironment) -> list[Record]:
    with environment.db.reader() as connection:
        pages = share_rows.iterate_instances(
            connection, environment.host, name_template=environment.share_name_template
        )
        return [found for page in pages for found in share_rows.complete(connection, page)]
