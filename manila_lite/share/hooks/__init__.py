# SPDX-License-Identifier: Apache-2.0
"""Hooks: code of an operator's own around the operations of a back end.

Manila's interface (``manila.share.hook``). A hook derives from HookBase and defines what happens
in _execute_pre_hook, _execute_post_hook and _execute_periodic_hook; hook_drivers names its class.
"""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable
from typing import Any

from manila_lite import context as contexts
from manila_lite.conf import hooks as options
from manila_lite.conf.drivers import load_hook_class

LOG = logging.getLogger(__name__)

__all__ = ["HookBase", "load_hooks"]


class HookBase(abc.ABC):
    """One hook of one back end. The options decide which of its three methods are called."""

    def __init__(self, configuration: Any, host: str) -> None:
        """configuration: the back end's. host: 'host@backend'."""
        self.configuration = configuration
        self.host = host
        configuration.append_config_values(options.HOOK_OPTS)
        self.pre_hooks_enabled = self.get_config_option("enable_pre_hooks")
        self.post_hooks_enabled = self.get_config_option("enable_post_hooks")
        self.periodic_hooks_enabled = self.get_config_option("enable_periodic_hooks")
        self.suppress_pre_hooks_errors = self.get_config_option("suppress_pre_hooks_errors")
        self.suppress_post_hooks_errors = self.get_config_option("suppress_post_hooks_errors")

    def get_config_option(self, key: str) -> Any:
        """Return an option of the back end's section, else of [DEFAULT]; None: no such option."""
        return self.configuration.safe_get(key)

    def execute_pre_hook(
        self, context: Any = None, func_name: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Call the hook before an operation; return what it returns, None where that is off.

        func_name: the RPC method. kwargs: its arguments. An error is raised, or where errors are
        suppressed returned.
        """
        if not self.pre_hooks_enabled:
            return None
        try:
            return self._execute_pre_hook(_context(context), func_name, *args, **kwargs)
        except (Exception, SystemExit) as error:
            return self._suppressed("before", func_name, error, self.suppress_pre_hooks_errors)

    def execute_post_hook(
        self,
        context: Any = None,
        func_name: str | None = None,
        pre_hook_data: Any = None,
        driver_action_results: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Call the hook after an operation; otherwise as execute_pre_hook.

        pre_hook_data: what the same hook returned before. driver_action_results: what the
        operation returns, None for most.
        """
        if not self.post_hooks_enabled:
            return None
        try:
            return self._execute_post_hook(
                _context(context), func_name, pre_hook_data, driver_action_results, *args, **kwargs
            )
        except (Exception, SystemExit) as error:
            return self._suppressed("after", func_name, error, self.suppress_post_hooks_errors)

    def execute_periodic_hook(
        self, context: Any, periodic_hook_data: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Call the hook with what the driver's get_periodic_hook_data returned."""
        if not self.periodic_hooks_enabled:
            return None
        return self._execute_periodic_hook(_context(context), periodic_hook_data, *args, **kwargs)

    def _suppressed(
        self, when: str, func_name: str | None, error: BaseException, suppressed: bool
    ) -> BaseException:
        if not suppressed:
            raise error
        LOG.warning(
            "%s: hook %s failed %s %s, which goes on: %s",
            self.host, type(self).__name__, when, func_name, error,
        )  # fmt: skip
        return error

    @abc.abstractmethod
    def _execute_pre_hook(self, context: Any, func_name: Any, *args: Any, **kwargs: Any) -> Any:
        """Do what is to be done before an operation."""

    @abc.abstractmethod
    def _execute_post_hook(
        self,
        context: Any,
        func_name: Any,
        pre_hook_data: Any,
        driver_action_results: Any,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Do what is to be done after an operation."""

    @abc.abstractmethod
    def _execute_periodic_hook(
        self, context: Any, periodic_hook_data: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Do what is to be done from time to time."""


def load_hooks(
    configuration: Any, host: str, configuration_for: Callable[[type[Any]], Any] | None = None
) -> list[Any]:
    """Make the hooks that hook_drivers names, in its order.

    host: 'host@backend'. configuration_for: gives a hook's class another configuration. Raises
    ConfigurationError for a class that cannot be loaded, and what a hook's constructor raises.
    """
    section = configuration.config_group or "DEFAULT"
    found = []
    for path in configuration.safe_get("hook_drivers") or ():
        made = load_hook_class(path, section)
        own = configuration if configuration_for is None else configuration_for(made)
        found.append(made(configuration=own, host=host))
    return found


def _context(context: Any) -> Any:
    return context or contexts.get_admin_context()
