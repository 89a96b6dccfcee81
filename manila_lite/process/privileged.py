# SPDX-License-Identifier: Apache-2.0
"""Commands that need root, through oslo.privsep: the service itself is an ordinary user.

The first call starts a helper with sudo; [manila_lite_privileged] helper_command says how. Loaded
only when a command asks for root.
"""

from __future__ import annotations

import os
from typing import Any

from oslo_config import cfg

from manila_lite import no_eventlet, process

with no_eventlet.hidden():
    from oslo_privsep import capabilities, priv_context

SECTION = "manila_lite_privileged"
_COPIED = ("user", "group", "capabilities", "helper_command", "thread_pool_size")

context = priv_context.PrivContext(
    "manila_lite",
    cfg_section=SECTION,
    pypath=f"{__name__}.context",
    capabilities=[
        capabilities.CAP_CHOWN,
        capabilities.CAP_DAC_OVERRIDE,
        capabilities.CAP_DAC_READ_SEARCH,
        capabilities.CAP_FOWNER,
        capabilities.CAP_KILL,
        capabilities.CAP_NET_ADMIN,
        capabilities.CAP_SYS_ADMIN,
    ],
)


def configure(conf: cfg.ConfigOpts) -> None:
    """Take the helper's options from the service's configuration.

    oslo.privsep reads oslo.config's global object, which this project leaves empty.
    """
    conf.register_opts(priv_context.OPTS, group=SECTION)
    for name in _COPIED:
        location = conf.get_location(name, SECTION)
        if location is not None and location.location.is_user_controlled:
            cfg.CONF.set_override(name, conf[SECTION][name], group=SECTION)


@context.entrypoint
def run(command: list[str], settings: dict[str, Any]) -> tuple[str, str]:
    """Run a command with the helper's rights; process.run says what the settings are."""
    os.umask(0o022)  # The helper starts with none, and root's files would be anybody's to write.
    return process.run(list(command), **settings)
