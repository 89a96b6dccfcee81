# SPDX-License-Identifier: Apache-2.0
"""Drivers that were written for Manila: what they find around them in a manila-share process.

Such a driver derives from manila.share.driver.ShareDriver, and the ``manila`` package is installed
beside this one. It reads oslo.config's global object, asks Manila's database functions for share
types, takes locks of Manila's coordinator, and has a network plugin made for it. All of that is
made ready here, so that the driver runs unchanged. Nothing of Manila is imported for any other
driver.
"""

from __future__ import annotations

import importlib
import logging
from typing import Any, Final

from oslo_config import cfg

from manila_lite import context, exception, network, no_eventlet
from manila_lite.conf.drivers import load_driver_class
from manila_lite.db import session

LOG = logging.getLogger(__name__)

_BASE: Final = "manila.share.driver"
_HOOK_BASE: Final = "manila.share.hook"
#: The configuration that Manila's modules read at present; None before the first such driver.
_configuration: cfg.ConfigOpts | None = None


def make_driver(
    conf: cfg.ConfigOpts, backend: str, configuration: Any, private_storage: Any
) -> Any:
    """Make the driver that the back end's section names, Manila's or not.

    configuration: the back end's. Raises ConfigurationError for a class that cannot be loaded, and
    for one whose modules patch the process with eventlet; and what the driver's constructor raises.
    """
    path = configuration.share_driver
    if path.startswith("manila."):
        prepare(conf, backend)
    driver_class = load_driver_class(path, backend)
    if is_of_manila(driver_class):
        prepare(conf, backend)
        configuration = _configuration_of_manila(backend)
    _refuse_green_threads(path, backend)
    return driver_class(private_storage=private_storage, configuration=configuration)


def is_of_manila(driver_class: type[Any]) -> bool:
    """Whether the class derives from Manila's own ShareDriver."""
    return _derives(driver_class, _BASE)


def hook_configuration(
    conf: cfg.ConfigOpts, backend: str, configuration: Any, hook_class: type[Any]
) -> Any:
    """Return the configuration that a hook takes: Manila's where it derives from Manila's base.

    configuration: the back end's, for all other hooks.
    """
    if not _derives(hook_class, _HOOK_BASE):
        return configuration
    prepare(conf, backend)
    return _configuration_of_manila(backend)


def _derives(made: type[Any], module: str) -> bool:
    return any(base.__module__ == module for base in made.__mro__)


def reload() -> None:
    """Have Manila's modules read the options again that may change while the service runs."""
    if _configuration is not None:
        cfg.CONF.mutate_config_files()


def prepare(conf: cfg.ConfigOpts, backend: str) -> None:
    """Make Manila's modules see the same files, database and network plugins; once per process.

    Raises ConfigurationError where the manila package is not installed.
    """
    global _configuration
    if _configuration is conf:
        return
    no_eventlet.forbid_patching()
    try:
        # It registers options of the command line, which has to come before files are read.
        importlib.import_module("manila.common.config")
        _read_files(conf)
        _use_our_networks(conf)
        _accept_our_contexts()
        importlib.import_module("manila.coordination").LOCK_COORDINATOR.start()
    except ImportError as error:
        raise exception.ConfigurationError(
            section=backend,
            option="share_driver",
            value=conf[backend].share_driver,
            reason=f"needs the manila package, which cannot be imported: {error}",
        ) from error
    _configuration = conf


def _read_files(conf: cfg.ConfigOpts) -> None:
    """Fill oslo.config's global object, the only one that Manila's modules know.

    What no file says has Manila's default there, except for what this service decides itself.
    """
    importlib.import_module("manila.db.api")
    cfg.CONF(
        [],
        project="manila",
        default_config_files=list(conf.config_file or []),
        default_config_dirs=list(conf.config_dir or []),
    )
    cfg.CONF.set_override("host", conf.host)
    cfg.CONF.set_override("state_path", conf.state_path)
    url = conf.database.connection or session.default_url(conf.state_path)
    cfg.CONF.set_override("connection", url, group="database")


def _use_our_networks(conf: cfg.ConfigOpts) -> None:
    """Have the drivers' constructors make our network plugins: they share our allocations."""

    def make_plugin(config_group_name: str | None = None, label: str = "user") -> Any:
        return network.API(config_group_name=config_group_name, label=label, conf=conf)

    importlib.import_module("manila.network").API = make_plugin  # type: ignore[attr-defined]


def _accept_our_contexts() -> None:
    """Let Manila's database functions keep their session in the contexts that drivers get."""
    from oslo_db.sqlalchemy import enginefacade

    if not hasattr(context.RequestContext, "transaction"):
        enginefacade.transaction_context_provider(context.RequestContext)


def _configuration_of_manila(backend: str) -> Any:
    """Return the back end's configuration as Manila's manager makes it, of Manila's own class."""
    options = importlib.import_module("manila.share.manager").share_manager_opts
    made = importlib.import_module("manila.share.configuration")
    return made.Configuration(options, config_group=backend)


def _refuse_green_threads(path: str, backend: str) -> None:
    if no_eventlet.is_patched():
        raise exception.ConfigurationError(
            section=backend,
            option="share_driver",
            value=path,
            reason="its modules replace Python's threads by eventlet's, which this service has not",
        )
