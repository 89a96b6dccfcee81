# SPDX-License-Identifier: Apache-2.0
"""The engine's numbers, apart from where they come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from oslo_config import cfg

from manila_lite.conf import engine as options
from manila_lite.engine import retry
from manila_lite.engine.retry import RetryPolicy

RETRY = "retry"
ERROR = "error"


@dataclasses.dataclass(frozen=True)
class EngineSettings:
    """How an engine works; times are in seconds.

    threads: operations that run at the same time.
    lease: how long a worker's claims outlive its last sign of life; renewed every third of it.
    poll_interval: how often a worker with nothing to do looks for operations that another
        process recorded.
    sweep_interval: how often requests (cancel) and lost workers are looked for.
    drain_timeout: how long a stop waits for running steps.
    max_dispatches: starts without a completed step before an operation is parked as dead.
    interrupted_operation_policy: what becomes of a step in doubt that has no probe.
    retention: how long operations that succeeded or were cancelled are kept.
    retry_policies: policies by name that replace the built-in ones.
    """

    threads: int = 64
    claim_batch: int = 128
    lease: float = 15.0
    poll_interval: float = 0.25
    sweep_interval: float = 1.0
    maintenance_interval: float = 60.0
    drain_timeout: float = 60.0
    max_dispatches: int = 10
    interrupted_operation_policy: str = RETRY
    retention: float = 7 * 24 * 3600.0
    retry_policies: Mapping[str, RetryPolicy] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("threads", "claim_batch", "lease", "poll_interval", "sweep_interval"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.interrupted_operation_policy not in (RETRY, ERROR):
            raise ValueError(
                "interrupted_operation_policy must be 'retry' or 'error', not "
                f"{self.interrupted_operation_policy!r}"
            )


# What a drain leaves for closing connections before the parent process loses its patience.
_CLOSING_SECONDS = 5.0
_FOR_EVER = 365 * 24 * 3600.0


def from_conf(conf: cfg.ConfigOpts, backend: str) -> EngineSettings:
    """Read section [manila_lite], and the back end's own section where that may override it."""
    ours = conf[options.GROUP]
    policies = options.retry_policies(conf, backend)
    timeout = float(conf.graceful_shutdown_timeout)
    return EngineSettings(
        threads=int(str(options.backend_value(conf, backend, "operation_threads"))),
        claim_batch=ours.claim_batch,
        lease=ours.lease_seconds,
        poll_interval=ours.poll_interval,
        sweep_interval=ours.sweep_interval,
        maintenance_interval=ours.maintenance_interval,
        # 0 means to oslo.service that there is no limit.
        drain_timeout=max(timeout - _CLOSING_SECONDS, timeout / 2) if timeout else _FOR_EVER,
        max_dispatches=ours.max_dispatches,
        interrupted_operation_policy=str(
            options.backend_value(conf, backend, "interrupted_operation_policy")
        ),
        retention=ours.operation_retention_days * 24 * 3600,
        retry_policies={name: _policy(name, numbers) for name, numbers in policies.items()},
    )


def _policy(name: str, numbers: Mapping[str, float]) -> RetryPolicy:
    return retry.build(
        name,
        initial_interval=numbers["initial_interval"],
        backoff_coefficient=numbers["backoff_coefficient"],
        maximum_interval=numbers["maximum_interval"],
        maximum_attempts=int(numbers["maximum_attempts"]),
    )
