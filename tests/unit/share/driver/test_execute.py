# SPDX-License-Identifier: Apache-2.0
"""Running flaky commands."""

import logging

import pytest

from manila_lite import exception, process
from manila_lite.share.driver import ExecuteMixin, ShareDriver


class CommandDriver(ExecuteMixin, ShareDriver):
    pass


class Flaky:
    """A command that fails as often as it is told to."""

    def __init__(self, failures, error=None):
        self.failures = failures
        self.error = error or exception.ProcessExecutionError(exit_code=1, stderr="flaky")
        self.calls = []

    def __call__(self, *command, **kwargs):
        self.calls.append((command, kwargs))
        if len(self.calls) <= self.failures:
            raise self.error
        return "out", ""


@pytest.fixture
def sleeps():
    return []


@pytest.fixture
def build(configuration, sleeps):
    def build(execute, tries=3):
        configuration.conf.set_override("num_shell_tries", tries, group="alpha")
        return CommandDriver(
            False, configuration=configuration, execute=execute, sleep=sleeps.append
        )

    return build


@pytest.mark.parametrize(
    ("failures", "tries", "waited"),
    [(0, 3, []), (1, 3, [1]), (2, 3, [1, 4]), (4, 5, [1, 4, 9, 16]), (0, 1, [])],
)
def test_flaky_command_is_repeated_after_a_growing_wait(build, sleeps, failures, tries, waited):
    flaky = Flaky(failures)
    assert build(flaky, tries)._try_execute("mount", "/x", run_as_root=True) is True
    assert sleeps == waited
    assert flaky.calls == [(("mount", "/x"), {"run_as_root": True})] * (failures + 1)


@pytest.mark.parametrize(("tries", "waited"), [(1, []), (2, [1]), (3, [1, 4]), (0, [])])
def test_last_failure_is_raised_when_the_tries_are_used_up(build, sleeps, tries, waited):
    flaky = Flaky(99)
    with pytest.raises(exception.ProcessExecutionError) as caught:
        build(flaky, tries)._try_execute("mount")
    assert caught.value is flaky.error
    assert sleeps == waited


@pytest.mark.parametrize(
    "error",
    [exception.CommandTimeout(cmd="mount", timeout=1), FileNotFoundError("mount"), ValueError()],
    ids=repr,
)
def test_other_exceptions_are_not_repeated(build, sleeps, error):
    flaky = Flaky(99, error)
    with pytest.raises(type(error)):
        build(flaky)._try_execute("mount")
    assert (len(flaky.calls), sleeps) == (1, [])


def test_failure_that_is_repeated_is_in_the_log(build, caplog):
    with caplog.at_level(logging.WARNING):
        build(Flaky(1))._try_execute("mount")
    assert "try 1" in caplog.text
    assert "flaky" in caplog.text


def test_commands_run_through_process_unless_something_else_is_given(configuration, build):
    assert CommandDriver(False, configuration=configuration)._execute is process.execute
    flaky = Flaky(0)
    assert build(flaky)._execute is flaky


def test_command_runner_can_be_replaced_later(build):
    driver, other = build(Flaky(0)), Flaky(0)
    driver.set_execute(other)
    driver._try_execute("true")
    assert other.calls == [(("true",), {})]
