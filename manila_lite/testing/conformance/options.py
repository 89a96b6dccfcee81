# SPDX-License-Identifier: Apache-2.0
"""The suite's options and fixtures, and what it says at the end."""

from __future__ import annotations

import argparse
import collections
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import load, opts
from manila_lite.conf.drivers import ALIASES
from manila_lite.testing.conformance.site import Settings, Site

#: Why a test of what happens without a claim is skipped; no news to the driver's author.
CLAIMED = "the driver claims"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "conformance of a share driver")
    group.addoption("--driver", metavar="PATH", help="dotted path of the driver's class")
    group.addoption("--config", metavar="FILE", help="the service's configuration file")
    group.addoption(
        "--backend", metavar="SECTION", help="its section; not needed where the file has one only"
    )
    group.addoption("--share-proto", metavar="NAME", help="protocol; by default what it claims")
    group.addoption(
        "--access",
        metavar="TYPE:TO",
        action="append",
        default=[],
        type=_pair(":"),
        help="an access rule that the storage can apply, such as ip:192.0.2.0/24",
    )
    group.addoption(
        "--manage-option",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=_pair("="),
        help="a driver option for managing a share that was unmanaged",
    )
    group.addoption(
        "--sizes",
        metavar="SMALL:LARGE",
        default=("1", "2"),
        type=_pair(":"),
        help="sizes of shares in GiB (1:2)",
    )
    group.addoption(
        "--patience",
        metavar="SECONDS",
        type=float,
        default=60.0,
        help="how long an operation may take (60)",
    )


def _pair(separator: str) -> Any:
    def parse(text: str) -> tuple[str, str]:
        first, found, second = text.partition(separator)
        if not (first and found and second):
            raise argparse.ArgumentTypeError(f"{text!r} is not two texts with {separator!r}")
        return first, second

    return parse


@pytest.fixture(scope="session")
def settings(pytestconfig: pytest.Config) -> Settings:
    """What the command line says, with the configuration file read."""
    given = pytestconfig.getoption
    try:
        conf, backend = _configuration(given("--config"), given("--backend"), given("--driver"))
    except exception.ConfigurationError as error:
        _give_up(str(error))
    small, large = given("--sizes")
    made = Settings(
        conf,
        backend,
        share_proto=given("--share-proto"),
        access=tuple(given("--access")),
        manage_options=dict(given("--manage-option")),
        sizes=(int(small), int(large)),
        patience=given("--patience"),
    )
    try:
        Site(made)
    except Exception as error:
        # Whatever a driver fails with, none of the tests could begin.
        _give_up(f"the driver cannot be set up: {type(error).__name__}: {error}")
    return made


def _give_up(reason: str) -> NoReturn:
    pytest.exit(f"conformance: {reason}", returncode=pytest.ExitCode.USAGE_ERROR)


def _configuration(
    file: str | None, backend: str | None, driver: str | None
) -> tuple[cfg.ConfigOpts, str]:
    if file is None:
        _give_up("--config has to name the configuration file")
    conf = load.load([], [file])
    backend = backend or _only_backend(conf)
    if backend not in conf.list_all_sections():
        _give_up(f"there is no section [{backend}] in {file}")
    if backend not in opts.backend_names(conf):
        opts.register_backend(conf, backend)
    if driver is not None:
        conf.set_override("share_driver", ALIASES.get(driver, driver), group=backend)
    return conf, backend


def _only_backend(conf: cfg.ConfigOpts) -> str:
    names = opts.backend_names(conf)
    if len(names) != 1:
        listed = ", ".join(names) or "none"
        _give_up(f"--backend has to say which section; enabled back ends: {listed}")
    return names[0]


@pytest.fixture
def site(settings: Settings) -> Site:
    """The back end, with a driver that has just been set up."""
    return Site(settings)


# -- what is said ------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Report(), "conformance-report")


class _Report:
    """Collects the outcomes by scenario: (variation, what became of it)."""

    def __init__(self) -> None:
        self._cases: dict[str, list[tuple[str, str]]] = collections.defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        case = dict(report.user_properties).get("conformance")
        if not isinstance(case, str) or (report.when != "call" and report.passed):
            return
        if report.skipped and CLAIMED in report.longreprtext:
            return
        scenario, _, variation = case.partition(": ")
        outcome = "failed" if report.failed else report.outcome
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
        said = f"{outcome}: {reason.removeprefix('Skipped: ')}" if reason else outcome
        self._cases[scenario].append((variation, said))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section("conformance")
        for scenario, cases in self._cases.items():
            for line in _lines(cases):
                terminalreporter.write_line(f"conformance: {scenario} {line}")


def _lines(cases: list[tuple[str, str]]) -> Iterator[str]:
    passed = [variation for variation, outcome in cases if outcome == "passed"]
    if passed:
        yield f"passed ({', '.join(passed)})"
    others: dict[str, list[str]] = {}
    for variation, outcome in cases:
        if outcome != "passed":
            others.setdefault(outcome, []).append(variation)
    for outcome, variations in others.items():
        if outcome.startswith("skipped"):
            yield outcome
        else:
            yield f"FAILED ({', '.join(variations)})"
