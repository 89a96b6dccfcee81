# SPDX-License-Identifier: Apache-2.0
"""All options of the project: registered in one go, and listed for oslo-config-generator."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from oslo_config import cfg
from oslo_log import log

from manila_lite.conf import (
    btrfs,
    callback,
    coordination,
    database,
    directory,
    engine,
    exports,
    hooks,
    images,
    localfs,
    manager,
    namespace,
    network,
    network_standalone,
    neutron,
    nfs,
    nova,
    remotefs,
    rpc,
    service,
    share_driver,
    volume,
    volume_driver,
    volume_manager,
)

# Any back end's section may hold these; they are registered once its name is known.
EXAMPLE_BACKEND = "example_backend"
EXAMPLE_VOLUME_BACKEND = "example_volume_backend"

BACKEND_OPTS = [
    cfg.StrOpt(
        "backend_host",
        help="Name that takes the place of [DEFAULT] host for this back end. Set it alike on "
        "several nodes and they share one back end's work.",
    ),
]

_COMMON = (service, engine, database, rpc)
# Registered by the plugins that read them, in whichever section they are told to.
_NETWORKS = (network, network_standalone, neutron)
_VOLUMES = (volume, volume_manager, images, nova, callback, coordination)
_SHARE_BACKEND = (manager, share_driver, hooks, exports, directory, btrfs, namespace)
_VOLUME_BACKEND = (volume_driver, remotefs, nfs, localfs)


def register_all(conf: cfg.ConfigOpts) -> None:
    """Register everything that does not depend on what the files say."""
    log.register_options(conf)
    for module in (*_COMMON, *_VOLUMES):
        module.register(conf)
    # [DEFAULT] holds what back ends have in common.
    for shared in (manager, share_driver, hooks):
        shared.register(conf)


def backend_names(conf: cfg.ConfigOpts) -> list[str]:
    """enabled_share_backends without empty entries; each is a section's name."""
    return [name for name in conf.enabled_share_backends or () if name]


def volume_backend_names(conf: cfg.ConfigOpts) -> list[str]:
    """enabled_volume_backends without empty entries; each is a section's name."""
    return [name for name in conf.enabled_volume_backends or () if name]


def host_of(conf: cfg.ConfigOpts, backend: str) -> str:
    """The back end's name in rows and queues: 'host@backend'."""
    return f"{conf[backend].backend_host or conf.host}@{backend}"


def register_backends(conf: cfg.ConfigOpts) -> None:
    """Register the options of each enabled back end in its own section.

    A section that is listed as both kinds of back end, which `check` refuses, counts as one of
    shares.
    """
    shares = backend_names(conf)
    for backend in shares:
        register_backend(conf, backend)
    for backend in volume_backend_names(conf):
        if backend not in shares:
            register_volume_backend(conf, backend)


def register_backend(conf: cfg.ConfigOpts, backend: str) -> None:
    """Register what the section of one back end may hold, the shipped drivers' options too."""
    conf.register_opts(BACKEND_OPTS, group=backend)
    engine.register_backend(conf, backend)
    for module in _SHARE_BACKEND:
        module.register(conf, group=backend)


def register_volume_backend(conf: cfg.ConfigOpts, backend: str) -> None:
    """As register_backend, for a back end of volumes."""
    conf.register_opts(BACKEND_OPTS, group=backend)
    engine.register_backend(conf, backend)
    volume.register_backend(conf, backend)
    for module in _VOLUME_BACKEND:
        module.register(conf, group=backend)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """All options by section, in the order of the sample file."""
    modules = (service, *_NETWORKS, engine, database, rpc, *_VOLUMES)
    listed = [module.list_opts() for module in modules]
    return [
        *itertools.chain.from_iterable(listed),
        (EXAMPLE_BACKEND, [*BACKEND_OPTS, *_options_of(_SHARE_BACKEND)]),
        (
            EXAMPLE_VOLUME_BACKEND,
            [*BACKEND_OPTS, *volume.BACKEND_OPTS, *_options_of(_VOLUME_BACKEND)],
        ),
    ]


def _options_of(modules: Iterable[Any]) -> list[cfg.Opt]:
    return [opt for module in modules for _, found in module.list_opts() for opt in found]
