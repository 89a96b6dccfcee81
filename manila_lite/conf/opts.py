# SPDX-License-Identifier: Apache-2.0
"""All options of the project: registered in one go, and listed for oslo-config-generator."""

from __future__ import annotations

import itertools

from oslo_config import cfg
from oslo_log import log

from manila_lite.conf import (
    callback,
    database,
    directory,
    engine,
    manager,
    network,
    nova,
    rpc,
    service,
    share_driver,
)

# Any back end's section may hold these; they are registered once its name is known.
EXAMPLE_BACKEND = "example_backend"

BACKEND_OPTS = [
    cfg.StrOpt(
        "backend_host",
        help="Name that takes the place of [DEFAULT] host for this back end. Set it alike on "
        "several nodes and they share one back end's work.",
    ),
]


def register_all(conf: cfg.ConfigOpts) -> None:
    """Register everything that does not depend on what the files say."""
    log.register_options(conf)
    for module in (service, engine, database, rpc, nova, callback):
        module.register(conf)
    # [DEFAULT] holds what back ends have in common.
    for shared in (manager, share_driver):
        shared.register(conf)


def backend_names(conf: cfg.ConfigOpts) -> list[str]:
    """enabled_share_backends without empty entries; each is a section's name."""
    return [name for name in conf.enabled_share_backends or () if name]


def host_of(conf: cfg.ConfigOpts, backend: str) -> str:
    """The back end's name in rows and queues: 'host@backend'."""
    return f"{conf[backend].backend_host or conf.host}@{backend}"


def register_backends(conf: cfg.ConfigOpts) -> None:
    """Register the options of each enabled back end in its own section."""
    for backend in backend_names(conf):
        register_backend(conf, backend)


def register_backend(conf: cfg.ConfigOpts, backend: str) -> None:
    """Register what the section of one back end may hold, the shipped drivers' options too."""
    conf.register_opts(BACKEND_OPTS, group=backend)
    engine.register_backend(conf, backend)
    for module in (manager, share_driver, directory):
        module.register(conf, group=backend)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """All options by section, in the order of the sample file."""
    sections = (service, network, engine, database, rpc, nova, callback)
    listed = [module.list_opts() for module in sections]
    backend = itertools.chain(
        BACKEND_OPTS,
        *(
            found
            for module in (manager, share_driver, directory)
            for _, found in module.list_opts()
        ),
    )
    return [*itertools.chain.from_iterable(listed), (EXAMPLE_BACKEND, list(backend))]
