# SPDX-License-Identifier: Apache-2.0
"""Retry as data: tenacity's own policy objects, evaluated without sleeping.

A policy answers one question, when to try again, from the number of tries so far, the time
since the first one and the error. The engine stores the answer as next_run_at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import tenacity

from manila_lite import exception


def _is_worth_repeating(error: BaseException) -> bool:
    return exception.classify(error) is not exception.ErrorKind.FINAL


RETRY_UNLESS_FINAL = tenacity.retry_if_exception(_is_worth_repeating)


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """When a failed step is tried again.

    wait, stop and retry are tenacity objects (wait_exponential(), stop_after_attempt(), ...),
    so whatever tenacity can express can be configured.
    """

    name: str
    wait: Any
    stop: Any
    retry: Any = RETRY_UNLESS_FINAL

    def delay(self, attempts: int, elapsed: float, error: BaseException) -> float | None:
        """Return the seconds to the next try, or None when there shall be none.

        attempts: tries so far, at least 1; elapsed: seconds since the first began.
        """
        state = self._state(attempts, elapsed, error)
        if not self.retry(state):
            return None
        wait = float(self.wait(state))
        state.upcoming_sleep = wait
        return None if self.stop(state) else wait

    @staticmethod
    def _state(attempts: int, elapsed: float, error: BaseException) -> tenacity.RetryCallState:
        # tenacity reads only differences of start_time and outcome_timestamp.
        state = tenacity.RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
        state.attempt_number = attempts
        state.start_time = 0.0
        state.outcome_timestamp = elapsed
        future: tenacity.Future = tenacity.Future(attempts)
        future.set_exception(error)
        state.outcome = future
        return state


NEVER = RetryPolicy("never", tenacity.wait_none(), tenacity.stop_after_attempt(1))
DRIVER = RetryPolicy(
    "driver",
    tenacity.wait_exponential(multiplier=1, min=1, max=30) + tenacity.wait_random(0, 1),
    tenacity.stop_after_attempt(4) | tenacity.stop_after_delay(300),
)
BUILT_IN: Mapping[str, RetryPolicy] = {policy.name: policy for policy in (NEVER, DRIVER)}


def build(
    name: str,
    *,
    initial_interval: float,
    backoff_coefficient: float,
    maximum_interval: float,
    maximum_attempts: int,
) -> RetryPolicy:
    """Build a policy from the numbers that an operator writes; intervals in seconds."""
    for field, value in (
        ("initial_interval", initial_interval),
        ("maximum_interval", maximum_interval),
        ("maximum_attempts", maximum_attempts),
    ):
        if value < 0:
            raise ValueError(f"{field} of retry policy {name!r} must not be negative: {value}")
    return RetryPolicy(
        name,
        tenacity.wait_exponential(
            multiplier=initial_interval, exp_base=backoff_coefficient, max=maximum_interval
        ),
        tenacity.stop_after_attempt(maximum_attempts),
    )
