# SPDX-License-Identifier: Apache-2.0
"""The RemoteFS classes agree with their contract: names, parameters, defaults, options."""

import inspect
import json
from pathlib import Path

import pytest
from oslo_config import cfg

from manila_lite import exception
from manila_lite.volume import driver as driver_module
from manila_lite.volume.drivers import remotefs

CONTRACT = json.loads((Path(__file__).parents[4] / "data" / "seed-interface.json").read_text())
CLASSES = CONTRACT["classes"]["remotefs.py"]
METHODS = [
    pytest.param(cls, name, method, id=f"{cls}.{name}")
    for cls, content in CLASSES.items()
    for name, method in content["methods"].items()
]
OPTION_LISTS = ("nas_opts", "volume_opts")
OPTIONS = [
    pytest.param(name, option, id=option["name"])
    for name in OPTION_LISTS
    for option in CONTRACT["options"][name]
]
BASES = [
    (cls, base) for cls, content in CLASSES.items() for base in content["bases"] if base != "object"
]
DEFAULTS = {"exception.InvalidVolume": exception.InvalidVolume}
POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def function(cls, name):
    found = inspect.getattr_static(getattr(remotefs, cls), name)
    return found.__func__ if isinstance(found, staticmethod) else found


def parameters(cls, name):
    return list(inspect.signature(function(cls, name)).parameters.values())


def names_of(parameters, kind):
    return [parameter.name for parameter in parameters if parameter.kind is kind]


def test_contract_is_not_empty():
    assert {cls: len(content["methods"]) for cls, content in CLASSES.items()} == {
        "RemoteFSDriver": 37,
        "RemoteFSSnapDriverBase": 33,
        "RemoteFSSnapDriver": 5,
        "RemoteFSSnapDriverDistributed": 5,
        "RemoteFSPoolMixin": 5,
    }
    assert len(OPTIONS) == 10


@pytest.mark.parametrize(("cls", "base"), BASES)
def test_class_derives_from_the_one_that_the_contract_names(cls, base):
    module = driver_module if base.startswith("driver.") else remotefs
    assert issubclass(getattr(remotefs, cls), getattr(module, base.rpartition(".")[2]))


@pytest.mark.parametrize(("cls", "name", "method"), METHODS)
def test_method_has_the_kind_that_the_contract_names(cls, name, method):
    found = inspect.getattr_static(getattr(remotefs, cls), name)
    assert isinstance(found, staticmethod) == ("staticmethod" in method["decorators"])
    assert inspect.isfunction(function(cls, name))


@pytest.mark.parametrize(("cls", "name", "method"), METHODS)
def test_method_has_the_parameters_of_the_contract_in_order(cls, name, method):
    found = parameters(cls, name)
    wanted = [parameter["name"] for parameter in method["params"]]
    assert names_of(found, POSITIONAL) == wanted
    assert names_of(found, inspect.Parameter.VAR_POSITIONAL) == [
        star for star in [method["varargs"]] if star
    ]
    assert names_of(found, inspect.Parameter.VAR_KEYWORD) == [
        star for star in [method["kwargs"]] if star
    ]
    assert not names_of(found, inspect.Parameter.KEYWORD_ONLY)


@pytest.mark.parametrize(("cls", "name", "method"), METHODS)
def test_method_has_the_defaults_of_the_contract(cls, name, method):
    found = {
        parameter.name: parameter.default
        for parameter in parameters(cls, name)
        if parameter.default is not inspect.Parameter.empty
    }
    wanted = {p["name"]: p["default"] for p in method["params"] if "default" in p}
    assert set(found) == set(wanted)
    for parameter, text in wanted.items():
        assert found[parameter] == DEFAULTS.get(text, found[parameter])
        assert text in DEFAULTS or repr(found[parameter]) == text


@pytest.mark.parametrize(
    ("cls", "name", "method"),
    [case for case in METHODS if case.values[2]["raises_NotImplementedError"]],
)
def test_method_that_drivers_have_to_write_says_that_it_is_not_implemented(cls, name, method):
    arguments = [None for p in method["params"] if "default" not in p]
    # Where the class itself offers something better than the contract's, it does not raise.
    own = function(cls, name)
    with pytest.raises(NotImplementedError):
        own(*arguments)


@pytest.mark.parametrize(("cls", "name", "method"), METHODS)
def test_method_that_is_decorated_with_a_lock_holds_one(cls, name, method):
    locks = [d for d in method["decorators"] if "locked" in d or "synchronized" in d]
    if locks:
        assert hasattr(function(cls, name), "__wrapped__")


def test_the_lock_decorator_has_the_parameters_of_the_contract():
    found = inspect.signature(remotefs.locked_volume_id_operation).parameters
    assert [(p.name, p.default) for p in found.values()] == [
        ("f", inspect.Parameter.empty),
        ("external", False),
    ]


@pytest.mark.parametrize(("opts", "wanted"), OPTIONS)
def test_option_has_the_type_and_default_of_the_contract(opts, wanted):
    option = next(o for o in getattr(remotefs, opts) if o.name == wanted["name"])
    assert type(option) is getattr(cfg, wanted["type"])
    assert option.default == wanted.get("default")
    assert option.secret == wanted.get("secret", False)
    assert option.help
    choices = getattr(option.type, "choices", None)
    assert (list(choices) if choices else None) == wanted.get("choices")
    assert [old.name for old in option.deprecated_opts] == [
        old for old in [wanted.get("deprecated_name")] if old
    ]


def test_there_are_no_options_beyond_the_contract():
    found = [(name, option.name) for name in OPTION_LISTS for option in getattr(remotefs, name)]
    assert found == [(case.values[0], case.values[1]["name"]) for case in OPTIONS]


def test_everything_that_is_exported_is_there():
    assert [name for name in remotefs.__all__ if not hasattr(remotefs, name)] == []
