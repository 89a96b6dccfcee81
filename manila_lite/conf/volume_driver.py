# SPDX-License-Identifier: Apache-2.0
"""What every volume driver reads, from a back end's section before [DEFAULT].

Names, types and defaults are Cinder's: the section of a cinder.conf works as it is.
"""

from __future__ import annotations

from oslo_config import cfg

from manila_lite.conf import share_driver

# The same options mean the same to both kinds of back end.
_ALIKE = frozenset(
    {"num_shell_tries", "backend_availability_zone", "filter_function", "goodness_function"}
)

volume_opts: list[cfg.Opt] = [
    *(opt for opt in share_driver.share_opts if opt.name in _ALIKE),
    cfg.StrOpt(
        "volume_backend_name",
        help="Name under which the back end reports to the scheduler; volume types select by it.",
    ),
    cfg.IntOpt(
        "reserved_percentage",
        default=0,
        min=0,
        max=100,
        help="Percentage of the capacity in which no new volumes are placed.",
    ),
    cfg.StrOpt(
        "max_over_subscription_ratio",
        default="20.0",
        regex=r"^(auto|\d*\.\d+|\d+)$",
        help="How many times the physical capacity thin volumes may be promised in all, for "
        "example 10.5. 1.0 promises no more than there is; less is refused. 'auto': the "
        "scheduler goes by what is provisioned and what is used.",
    ),
    cfg.StrOpt(
        "volume_dd_blocksize",
        default="1M",
        help="Block size with which an image is copied to a volume, in the words of dd.",
    ),
]

DEFAULT_RATIO = 20.0


def over_subscription_ratio(value: str | float | None) -> float:
    """max_over_subscription_ratio as a number; 'auto' counts as the default where one is needed.

    A service of shares beside this one registers the option in [DEFAULT] as a number.
    """
    return DEFAULT_RATIO if value in (None, "auto") else float(str(value))


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make the options readable on ``conf``, in [DEFAULT] or in a back end's section."""
    conf.register_opts(volume_opts, group=group)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("<back end>", volume_opts)]
