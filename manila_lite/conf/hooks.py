# SPDX-License-Identifier: Apache-2.0
"""Hooks: what is called before and after operations, and periodically. Manila's options."""

from __future__ import annotations

from oslo_config import cfg

DRIVERS_OPTS = [
    cfg.ListOpt(
        "hook_drivers",
        default=[],
        help="Classes of hooks, by their dotted paths: they are called before and after each "
        "operation of the back end, and periodically, where the options below say so.",
    ),
]

#: What each hook reads itself, under these very names.
HOOK_OPTS = [
    cfg.BoolOpt(
        "enable_pre_hooks",
        default=False,
        help="Whether hooks are called before operations.",
    ),
    cfg.BoolOpt(
        "enable_post_hooks",
        default=False,
        help="Whether hooks are called after operations.",
    ),
    cfg.BoolOpt(
        "enable_periodic_hooks",
        default=False,
        help="Whether hooks are called periodically.",
    ),
    cfg.BoolOpt(
        "suppress_pre_hooks_errors",
        default=False,
        help="Whether an operation goes on after an error of a hook before it. Otherwise it fails.",
    ),
    cfg.BoolOpt(
        "suppress_post_hooks_errors",
        default=False,
        help="Whether an operation ends well after an error of a hook after it. Otherwise it "
        "fails, although the driver has done its part.",
    ),
    cfg.FloatOpt(
        "periodic_hooks_interval",
        default=300.0,
        min=1.0,
        help="Seconds between two periodic calls of the hooks.",
    ),
]

OPTS = [*DRIVERS_OPTS, *HOOK_OPTS]


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make the options readable on ``conf``, in [DEFAULT] or in a back end's section."""
    conf.register_opts(OPTS, group=group)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("DEFAULT", OPTS)]
