# SPDX-License-Identifier: Apache-2.0
"""The engine's settings, made from the configuration of one back end."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from manila_lite.conf import engine as options
from manila_lite.engine import retry
from manila_lite.engine.settings import EngineSettings

_DAY = 24 * 3600.0
_ENDLESS = 365 * _DAY


def engine_settings(conf: cfg.ConfigOpts, backend: str | None = None) -> EngineSettings:
    """Settings from [manila_lite], with what the section of ``backend`` overrides.

    Raises ConfigurationError for a retry policy that cannot be read.
    """

    def value(option: str) -> Any:
        return options.backend_value(conf, backend, option)

    section = conf[options.GROUP]
    return EngineSettings(
        threads=value("operation_threads"),
        claim_batch=section.claim_batch,
        lease=section.lease_seconds,
        poll_interval=section.poll_interval,
        sweep_interval=section.sweep_interval,
        maintenance_interval=section.maintenance_interval,
        # oslo.service's option: 0 stands for waiting without end.
        drain_timeout=float(conf.graceful_shutdown_timeout or _ENDLESS),
        max_dispatches=section.max_dispatches,
        interrupted_operation_policy=value("interrupted_operation_policy"),
        retention=section.operation_retention_days * _DAY,
        retry_policies=_policies(conf, backend),
    )


def _policies(conf: cfg.ConfigOpts, backend: str | None) -> dict[str, retry.RetryPolicy]:
    numbers: dict[str, Any] = options.retry_policies(conf, backend)
    return {name: retry.build(name, **fields) for name, fields in numbers.items()}
