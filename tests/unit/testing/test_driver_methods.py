# SPDX-License-Identifier: Apache-2.0
"""The table of callers says what the code does."""

import ast

import pytest

from manila_lite.engine.registry import registry
from manila_lite.share import flows  # noqa: F401 - importing it registers the flows
from manila_lite.testing.driver_methods import (
    AWAITED,
    DRIVERS,
    FLOW,
    METHOD,
    METHODS,
    NEWER,
    START,
    TIMER,
)
from tests.support import driver_calls

#: What every flow has as op.env, without importing it.
SURROUNDINGS = "share.environment"

CALLERS = [
    (name, caller) for name, method in {**METHODS, **NEWER}.items() for caller in method.callers
]


def of_kind(*kinds):
    return [
        pytest.param(name, caller, id=f"{name}-{caller.module}")
        for name, caller in CALLERS
        if caller.kind in kinds
    ]


def module_of(flow):
    return registry.flows[flow].function.__module__.removeprefix("manila_lite.")


def test_every_method_of_the_interface_has_its_place():
    assert set(METHODS) | set(AWAITED) == driver_calls.interface()
    assert not set(METHODS) & set(AWAITED)


def test_every_method_has_a_caller():
    without = {name for name, method in METHODS.items() if not method.callers}
    assert without == set()
    assert AWAITED == {}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_modules_that_call_a_method_are_those_that_the_table_names(name):
    claimed = {
        caller.module for caller in METHODS[name].callers if caller.kind in (FLOW, TIMER, START)
    }
    assert claimed == driver_calls.from_outside().get(name, set())


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_methods_that_call_a_method_are_those_that_the_table_names(name):
    claimed = {
        (caller.module, method)
        for caller in METHODS[name].callers
        if caller.kind == METHOD
        for method in caller.names
    }
    assert claimed == driver_calls.callers_inside(name)


@pytest.mark.parametrize(("name", "caller"), of_kind(FLOW))
def test_the_flows_that_are_named_reach_the_call(name, caller):
    assert caller.names
    for flow in caller.names:
        assert flow in registry.flows, f"there is no operation {flow}"
        reached = {*driver_calls.imported(module_of(flow)), SURROUNDINGS}
        assert caller.module in reached, f"{flow} does not come to {caller.module}"


@pytest.mark.parametrize(("name", "caller"), of_kind(TIMER))
def test_the_timers_that_are_named_exist(name, caller):
    assert caller.names
    assert set(caller.names) <= driver_calls.timers()


def test_only_a_tool_of_drivers_is_called_by_nobody_else():
    assert [name for name, caller in CALLERS if caller.kind == DRIVERS] == ["_try_execute"]


def test_every_method_says_what_its_errors_lead_to():
    methods = {**METHODS, **NEWER}
    assert [name for name, method in methods.items() if not method.errors.endswith(".")] == []


def test_methods_of_newer_drivers_are_none_of_the_interface_and_called_by_name():
    assert not set(NEWER) & driver_calls.interface()
    for name, method in NEWER.items():
        for caller in method.callers:
            names = {*driver_calls.texts(caller.module), *attributes(caller.module)}
            assert name in names, f"{caller.module} does not ask for {name}"


def attributes(module):
    tree = driver_calls.trees()[module]
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
