# SPDX-License-Identifier: Apache-2.0
"""Files that are read anew: taken over where the daemon would start with them, else not at all."""

import logging

import pytest

from manila_lite.conf import load, reload


@pytest.fixture
def path(tmp_path):
    return tmp_path / "manila-lite.conf"


def write(path, *lines, section="alpha"):
    path.write_text(
        "\n".join(
            [
                "[DEFAULT]",
                f"state_path = {path.parent}",
                "enabled_share_backends = alpha",
                *lines,
                f"[{section}]",
                "share_driver = directory",
                "driver_handles_share_servers = False",
                "directory_root = /srv/shares",
            ]
        )
    )


@pytest.fixture
def conf(path):
    write(path, "debug = False")
    arguments = ["--config-file", str(path)]
    conf = load.load(arguments)
    reload.guard(conf, arguments)
    return conf


def test_new_values_are_taken_over(conf, path):
    write(path, "debug = True")
    changed = conf.mutate_config_files()
    assert (None, "debug") in changed
    assert conf.debug


@pytest.mark.parametrize(
    "line",
    ["debug = perhaps", "report_interval = soon", "this is no line", "host = a@b"],
)
def test_of_an_unfit_file_nothing_is_taken_over(conf, path, line, caplog):
    write(path, "default_log_levels = changed=DEBUG", line)
    with caplog.at_level(logging.ERROR):
        assert conf.mutate_config_files() == {}
    assert not conf.debug
    assert "changed=DEBUG" not in conf.default_log_levels
    (record,) = caplog.records
    assert line.partition(" ")[0] in record.getMessage() or "line 5" in record.getMessage()


def test_a_file_that_is_gone_leaves_all_as_it_was(conf, path):
    path.unlink()
    assert conf.mutate_config_files() == {}
    assert not conf.debug


def test_a_file_that_is_fit_again_is_taken_over(conf, path):
    write(path, "debug = perhaps")
    conf.mutate_config_files()
    write(path, "debug = True")
    conf.mutate_config_files()
    assert conf.debug


def test_a_file_that_breaks_in_the_very_moment_of_reading_ends_nothing(conf, path, monkeypatch):
    """The look at it went well, and then somebody saved the next version."""
    monkeypatch.setattr(reload.check, "check", lambda fresh: write(path, "debug = perhaps"))
    assert conf.mutate_config_files() == {}
    assert not conf.debug
