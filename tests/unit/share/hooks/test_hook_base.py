# SPDX-License-Identifier: Apache-2.0
"""The hook interface: what the options switch on, and what becomes of errors."""

import pytest
from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import hooks as options
from manila_lite.share.configuration import Configuration
from manila_lite.share.hooks import HookBase, load_hooks
from tests.support.hooks import SWITCHES, RecordingHook

PATH = "tests.support.hooks.RecordingHook"


@pytest.fixture
def configuration():
    conf = cfg.ConfigOpts()
    conf([])
    options.register(conf)
    return Configuration([], config_group="backend", conf=conf)


@pytest.fixture
def hook(configuration):
    def hook(*on, **values):
        for option in on:
            configuration.conf.set_override(option, True)
        found = RecordingHook(configuration, "host@backend")
        found.answers = values
        return found

    return hook


def execute(hook):
    return (
        hook.execute_pre_hook("context", "create", share_id="s"),
        hook.execute_post_hook("context", "create", "data", "result", share_id="s"),
        hook.execute_periodic_hook("context", ["instance"]),
    )


def test_nothing_is_called_by_default(hook):
    found = hook()
    assert execute(found) == (None, None, None)
    assert found.told == []


@pytest.mark.parametrize("option", SWITCHES)
def test_each_switch_is_for_one_of_the_three(hook, option):
    found = hook(option, before="b", after="a", periodically="p")
    answers = execute(found)
    assert answers == tuple(
        answer if switch == option else None for switch, answer in zip(SWITCHES, "bap", strict=True)
    )
    assert len(found.told) == 1


def test_hooks_are_told_what_manilas_hooks_are_told(hook):
    found = hook(*SWITCHES)
    execute(found)
    assert found.told == [
        ("before", "create", {"share_id": "s"}),
        ("after", "create", {"before": "data", "result": "result", "share_id": "s"}),
        ("periodically", None, {"data": ["instance"]}),
    ]


def test_hook_without_a_context_acts_for_an_administrator(hook):
    found = hook("enable_pre_hooks")
    found.execute_pre_hook(func_name="create")
    assert found.context.is_admin


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
@pytest.mark.parametrize("when", ["pre", "post"])
def test_errors_are_raised_or_suppressed_as_the_options_say(hook, when, error):
    word = {"pre": "before", "post": "after"}[when]
    strict = hook(f"enable_{when}_hooks", **{word: error})
    run = getattr(strict, f"execute_{when}_hook")
    with pytest.raises(type(error)):
        run("context", "create")
    lenient = hook(f"enable_{when}_hooks", f"suppress_{when}_hooks_errors", **{word: error})
    assert getattr(lenient, f"execute_{when}_hook")("context", "create") is error


def test_errors_of_periodic_hooks_are_raised(hook):
    with pytest.raises(ValueError, match="no"):
        hook("enable_periodic_hooks", periodically=ValueError("no")).execute_periodic_hook("c", [])


def test_hooks_are_made_in_their_order(configuration):
    configuration.conf.set_override("hook_drivers", [PATH, PATH])
    found = load_hooks(configuration, "host@backend")
    assert [type(hook).__name__ for hook in found] == ["RecordingHook", "RecordingHook"]
    assert {hook.host for hook in found} == {"host@backend"}


def test_no_hooks_are_made_where_none_are_named(configuration):
    assert load_hooks(configuration, "host@backend") == []


@pytest.mark.parametrize("path", ["no.such.Hook", "manila_lite.share.configuration.Configuration"])
def test_class_that_is_no_hook_is_a_configuration_error(configuration, path):
    configuration.conf.set_override("hook_drivers", [path])
    with pytest.raises(exception.ConfigurationError, match=f"hook_drivers.*{path}"):
        load_hooks(configuration, "host@backend")


def test_hook_has_to_define_all_three(configuration):
    with pytest.raises(TypeError, match="_execute_periodic_hook"):
        HookBase(configuration, "host@backend")


def test_hook_may_be_given_another_configuration(configuration):
    configuration.conf.set_override("hook_drivers", [PATH])
    other = Configuration([], config_group="other", conf=configuration.conf)
    [hook] = load_hooks(configuration, "host@backend", {RecordingHook: other}.get)
    assert hook.configuration is other
