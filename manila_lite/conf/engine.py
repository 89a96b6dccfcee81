# SPDX-License-Identifier: Apache-2.0
"""[manila_lite]: how operations are carried out, and the engine's settings made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oslo_config import cfg

from manila_lite import exception

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "manila_lite"

THREAD_OPTS = [
    cfg.IntOpt(
        "operation_threads",
        default=64,
        min=1,
        max=4096,
        help="Operations of one back end that run at the same time. Waiting ones need none.",
    ),
    cfg.IntOpt(
        "claim_batch",
        default=128,
        min=1,
        max=10000,
        help="Operations that a worker takes at most in one transaction.",
    ),
]

LEASE_OPTS = [
    cfg.FloatOpt(
        "lease_seconds",
        default=15.0,
        min=1.0,
        max=3600.0,
        help="Seconds after a worker's last sign of life when others may take its operations "
        "over. Renewed every third of it.",
    ),
    cfg.FloatOpt(
        "poll_interval",
        default=0.25,
        min=0.01,
        max=60.0,
        help="Seconds between two looks for operations that another process recorded.",
    ),
    cfg.FloatOpt(
        "sweep_interval",
        default=1.0,
        min=0.05,
        max=300.0,
        help="Seconds between two looks for cancel requests and for lost workers.",
    ),
]

FAILURE_OPTS = [
    cfg.StrOpt(
        "interrupted_operation_policy",
        default="retry",
        choices=[
            ("retry", "run the step again"),
            ("error", "put the resource into error"),
        ],
        help="What becomes of a step that a crash interrupted when the driver cannot tell "
        "whether it took effect. A back end's section may set its own.",
    ),
    cfg.IntOpt(
        "max_dispatches",
        default=10,
        min=1,
        max=1000,
        help="Starts without a finished step after which an operation is parked as dead and its "
        "resource put into error.",
    ),
    cfg.MultiStrOpt(
        "retry_policy",
        default=[],
        sample_default="driver initial_interval=1 backoff_coefficient=2 maximum_interval=30 "
        "maximum_attempts=4",
        help="Replaces a named retry policy: its name, then initial_interval and "
        "maximum_interval (seconds), backoff_coefficient and maximum_attempts. May be given "
        "several times; a back end's section may set its own.",
    ),
]

KEEPING_OPTS = [
    cfg.FloatOpt(
        "reconcile_interval",
        default=300.0,
        min=1.0,
        help="Seconds between two searches for resources that are stuck in a transitional "
        "status without an operation.",
    ),
    cfg.FloatOpt(
        "reconcile_grace",
        default=60.0,
        min=0.0,
        help="Seconds that a resource may stay in a transitional status without an operation "
        "before it counts as stuck: the time between a status change and its cast.",
    ),
    cfg.FloatOpt(
        "maintenance_interval",
        default=60.0,
        min=1.0,
        help="Seconds between two rounds of clean-up in the journal.",
    ),
    cfg.FloatOpt(
        "operation_retention_days",
        default=7.0,
        min=0.01,
        help="Days that operations which succeeded or were cancelled are kept. Failed and dead "
        "ones stay.",
    ),
]

OPTS = [*THREAD_OPTS, *LEASE_OPTS, *FAILURE_OPTS, *KEEPING_OPTS]

# What a back end's section may override; unset there means: as in [manila_lite].
OVERRIDABLE = [
    cfg.StrOpt("interrupted_operation_policy", choices=["retry", "error"]),
    cfg.MultiStrOpt("retry_policy"),
    cfg.IntOpt("operation_threads", min=1, max=4096),
]

RETRY_FIELDS: Mapping[str, tuple[type[int] | type[float], float]] = {
    "initial_interval": (float, 0.0),
    "backoff_coefficient": (float, 1.0),
    "maximum_interval": (float, 0.0),
    "maximum_attempts": (int, 1),
}


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable on ``conf``."""
    conf.register_opts(OPTS, group=GROUP)


def register_backend(conf: cfg.ConfigOpts, backend: str) -> None:
    """Make those options readable that the section of a back end may override."""
    conf.register_opts(OVERRIDABLE, group=backend)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [(GROUP, OPTS)]


def parse_retry_policy(text: str) -> tuple[str, dict[str, float]]:
    """Split ``"driver initial_interval=1 ..."`` into the policy's name and its numbers.

    Raises ValueError with the reason when a field is missing, unknown or out of range.
    """
    name, *pairs = text.split()
    values: dict[str, float] = {}
    for pair in pairs:
        field, equals, number = pair.partition("=")
        if field not in RETRY_FIELDS or not equals:
            raise ValueError(f"{pair!r} is none of {', '.join(RETRY_FIELDS)} with a value")
        values[field] = _number(field, number)
    missing = [field for field in RETRY_FIELDS if field not in values]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    return name, values


def _number(field: str, text: str) -> float:
    convert, least = RETRY_FIELDS[field]
    try:
        value = convert(text)
    except ValueError:
        raise ValueError(f"{field} must be a number, not {text!r}") from None
    if not least <= value < float("inf"):
        raise ValueError(f"{field} must be at least {least:g}, not {text}")
    return value


def retry_policies(conf: cfg.ConfigOpts, backend: str | None = None) -> dict[str, dict[str, float]]:
    """The numbers of the configured retry policies by name; a back end's own go first.

    Raises ConfigurationError for one that cannot be read.
    """
    policies: dict[str, dict[str, float]] = {}
    for section in (GROUP, backend):
        if section is None:
            continue
        for text in conf[section].retry_policy or ():
            try:
                name, values = parse_retry_policy(text)
            except ValueError as error:
                raise exception.ConfigurationError(
                    section=section, option="retry_policy", value=text, reason=str(error)
                ) from None
            policies[name] = values
    return policies


def backend_value(conf: cfg.ConfigOpts, backend: str | None, option: str) -> object:
    """The value in the back end's section, or that in [manila_lite] where it has none."""
    own = conf[backend][option] if backend is not None else None
    return conf[GROUP][option] if own is None else own
