# SPDX-License-Identifier: Apache-2.0
"""The interface agrees with its contract: names, parameters, defaults, options."""

import inspect
import json
from pathlib import Path

import pytest
from oslo_config import cfg

from manila_lite.share import driver as driver_module

CONTRACT = json.loads((Path(__file__).parents[3] / "data" / "seed-interface.json").read_text())
CLASSES = CONTRACT["classes"]["driver.py"]
METHODS = [
    pytest.param(cls, name, method, id=f"{cls}.{name}")
    for cls, content in CLASSES.items()
    for name, method in content["methods"].items()
]
FUNCTIONS = [case for case in METHODS if "property" not in case.values[2]["decorators"]]
UNIMPLEMENTED = [
    pytest.param(name, method, id=name)
    for name, method in CLASSES["ShareDriver"]["methods"].items()
    if method["raises_NotImplementedError"]
]
OPTION_LISTS = ("share_opts", "ssh_opts", "ganesha_opts")
OPTIONS = [
    pytest.param(name, option, id=option["name"])
    for name in OPTION_LISTS
    for option in CONTRACT["options"][name]
]
# Manila 23 reads these too: the scheduler reserves room for each purpose apart.
LATER_OPTIONS = {"reserved_share_from_snapshot_percentage", "reserved_share_extend_percentage"}
POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def parameters(cls, name):
    return list(inspect.signature(inspect.getattr_static(cls, name)).parameters.values())


def names_of(parameters, kind):
    return [parameter.name for parameter in parameters if parameter.kind is kind]


def test_contract_is_not_empty():
    assert (len(CLASSES["ShareDriver"]["methods"]), len(OPTIONS)) == (87, 29)


@pytest.mark.parametrize(("cls", "name", "method"), METHODS)
def test_method_has_the_kind_that_the_contract_names(cls, name, method):
    found = inspect.getattr_static(getattr(driver_module, cls), name)
    assert isinstance(found, property) == ("property" in method["decorators"])
    assert isinstance(found, property) or inspect.isfunction(found)


@pytest.mark.parametrize(("cls", "name", "method"), FUNCTIONS)
def test_method_has_the_parameters_of_the_contract_in_order(cls, name, method):
    found = parameters(getattr(driver_module, cls), name)
    wanted = [parameter["name"] for parameter in method["params"]]
    assert names_of(found, POSITIONAL) == wanted
    assert names_of(found, inspect.Parameter.VAR_POSITIONAL) == [
        star for star in [method["varargs"]] if star
    ]
    assert names_of(found, inspect.Parameter.VAR_KEYWORD) == [
        star for star in [method["kwargs"]] if star
    ]
    assert not names_of(found, inspect.Parameter.KEYWORD_ONLY)


@pytest.mark.parametrize(("cls", "name", "method"), FUNCTIONS)
def test_method_has_the_defaults_of_the_contract(cls, name, method):
    found = {
        parameter.name: repr(parameter.default)
        for parameter in parameters(getattr(driver_module, cls), name)
        if parameter.default is not inspect.Parameter.empty
    }
    wanted = {p["name"]: p["default"] for p in method["params"] if "default" in p}
    assert found == wanted


@pytest.mark.parametrize(("name", "method"), UNIMPLEMENTED)
def test_method_without_a_default_says_that_it_is_not_implemented(driver, name, method):
    driver.ipv6_implemented = True  # for get_configured_ip_versions, which has one otherwise
    arguments = [None for p in method["params"][1:] if "default" not in p]
    with pytest.raises(NotImplementedError):
        getattr(driver, name)(*arguments)


@pytest.mark.parametrize(("opts", "wanted"), OPTIONS)
def test_option_has_the_type_and_default_of_the_contract(opts, wanted):
    option = next(o for o in getattr(driver_module, opts) if o.name == wanted["name"])
    assert type(option) is getattr(cfg, wanted["type"])
    assert option.default == wanted.get("default")
    assert option.help
    assert option.deprecated_for_removal == wanted.get("deprecated_for_removal", False)
    assert [old.name for old in option.deprecated_opts] == [
        old.replace("-", "_") for old in [wanted.get("deprecated_name")] if old
    ]


def test_there_are_no_options_beyond_the_contract_and_those_that_came_later():
    found = {option.name for name in OPTION_LISTS for option in getattr(driver_module, name)}
    assert found == {option.values[1]["name"] for option in OPTIONS} | LATER_OPTIONS


def test_public_names_beyond_the_contract_are_only_what_statistics_report():
    public = {name for name in dir(driver_module.ShareDriver) if not name.startswith("_")}
    beyond = public - set(CLASSES["ShareDriver"]["methods"])
    assert beyond == set(driver_module.ShareDriver._REPORTED)


@pytest.mark.parametrize("cls", driver_module.ShareDriver.__mro__[:-1], ids=lambda c: c.__name__)
def test_every_public_method_says_what_it_is_for(cls):
    silent = [
        name
        for name, value in vars(cls).items()
        if not name.startswith("_") and callable(value) and not value.__doc__
    ]
    assert silent == []
