# SPDX-License-Identifier: Apache-2.0
"""What can happen to a call of the driver between the service and the storage."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from manila_lite import exception

Call = Callable[[], Any]
Disturbance = Callable[[Call], Any]


class Killed(BaseException):
    """The process ended here: nothing that it had not committed exists."""


class Refused(exception.ManilaException):
    """An error of which nothing is known but that it is final."""

    message = "The conformance suite lets this call fail."


def twice(call: Call) -> Any:
    """As when the process died after the call, before anybody wrote down its result."""
    call()
    return call()


def killed_before(call: Call) -> Any:
    """The process dies before the call reaches the driver."""
    raise Killed


def killed_after(call: Call) -> Any:
    """The process dies when the driver has done its work, and has not said so."""
    call()
    raise Killed


def refused(call: Call) -> Any:
    """The call ends in a final error and has done nothing."""
    raise Refused


def once(disturbance: Disturbance) -> Disturbance:
    """Disturb the first call only."""
    happened: list[bool] = []

    def first(call: Call) -> Any:
        if happened:
            return call()
        happened.append(True)
        return disturbance(call)

    return first


def busy(call: Call) -> Any:
    """The storage has no time now; nothing was done."""
    raise exception.BackendBusy(reason="the conformance suite says so")


def answer_lost(call: Call) -> Any:
    """The work is done, but the connection broke before the answer came."""
    call()
    raise exception.BackendOutcomeUnknown(reason="the conformance suite lost the answer")


class Interceptor:
    """Puts a disturbance around methods of one driver object. called: how often they came."""

    def __init__(self, driver: Any, methods: Iterable[str], disturbance: Disturbance) -> None:
        self.called = 0
        self._driver = driver
        self._methods = [name for name in methods if hasattr(driver, name)]
        for name in self._methods:
            setattr(driver, name, self._around(getattr(driver, name), disturbance))

    def _around(self, method: Callable[..., Any], disturbance: Disturbance) -> Callable[..., Any]:
        @functools.wraps(method)
        def disturbed(*args: Any, **kwargs: Any) -> Any:
            self.called += 1
            return disturbance(functools.partial(method, *args, **kwargs))

        return disturbed

    def remove(self) -> None:
        """Let calls reach the driver again."""
        for name in self._methods:
            self._driver.__dict__.pop(name, None)
