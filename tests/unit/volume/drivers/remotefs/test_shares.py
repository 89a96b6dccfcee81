# SPDX-License-Identifier: Apache-2.0
"""Which shares there are, and what becomes of one that is away."""

import pytest
from oslo_config import cfg

from manila_lite import exception

SHARES_CONFIG = [cfg.StrOpt("far_shares_config", default="/etc/far")]
SECRET = "hunter2"


@pytest.fixture
def driver(make):
    return make(opts=SHARES_CONFIG)


def loaded(driver, *lines):
    driver.lines = list(lines)
    driver._load_shares_config("/etc/far")
    return driver.shares


@pytest.mark.parametrize(
    ("line", "shares"),
    [
        ("host:/export\n", {"host:/export": None}),
        ("host:/export -o vers=4,rw --other\n", {"host:/export": "-o vers=4,rw --other"}),
        ("host:/export\t-o vers=4\n", {"host:/export": "-o vers=4"}),
        ("  host:/export  \n", {"host:/export": None}),
        ("[fd00::1]:/export\n", {"[fd00::1]:/export": None}),
        ("host:/with\\040space -o ro\n", {"host:/with space": "-o ro"}),
        ("# host:/export\n", {}),
        ("   # host:/export\n", {}),
        ("\n", {}),
        ("   \n", {}),
        ("host\n", {}),
        ("/export\n", {}),
    ],
)
def test_a_line_is_an_address_and_mount_options(driver, line, shares):
    assert loaded(driver, line) == shares


def test_shares_keep_the_order_of_the_file(driver):
    assert list(loaded(driver, "b:/1\n", "a:/2\n", "c:/3\n")) == ["b:/1", "a:/2", "c:/3"]


def test_nas_options_go_before_the_file(make):
    driver = make(nas_host="10.0.0.1", nas_share_path="/srv/a", nas_mount_options="vers=4.1")
    assert loaded(driver, "other:/export") == {"10.0.0.1:/srv/a": "vers=4.1"}


def test_a_nas_path_that_makes_no_address_is_refused_and_named(make):
    driver = make(nas_host="10.0.0.1", nas_share_path="srv")
    with pytest.raises(exception.InvalidConfigurationValue, match=r"10\.0\.0\.1:srv"):
        driver._load_shares_config()


def test_without_a_file_and_without_nas_options_there_are_no_shares(driver):
    driver._load_shares_config()
    assert driver.shares == {}


def test_a_share_that_cannot_be_mounted_is_left_out_and_named_in_the_log(driver, caplog):
    driver.lines = ["a:/1\n", "b:/2\n", "c:/3\n"]
    driver.away = {"b:/2"}
    driver._ensure_shares_mounted()
    assert driver._mounted_shares == ["a:/1", "c:/3"]
    assert "b:/2 does not answer" in caplog.text


def test_a_share_that_comes_back_is_mounted_at_the_next_look(driver):
    driver.lines = ["a:/1\n"]
    driver.away = {"a:/1"}
    driver._ensure_shares_mounted()
    driver.away = set()
    driver._ensure_shares_mounted()
    assert driver._mounted_shares == ["a:/1"]


def test_mount_options_are_not_logged(driver, caplog):
    driver.lines = [f"a:/1 -o username=u,password={SECRET}\n", "bad line\n"]
    with caplog.at_level("DEBUG"):
        driver._ensure_shares_mounted()
    assert "a:/1" in caplog.text
    assert SECRET not in caplog.text


def test_shares_are_never_seen_half_read(driver):
    driver.lines = ["a:/1\n"]
    driver._ensure_shares_mounted()

    def reading(path):
        assert driver.shares == {"a:/1": None}
        return ["b:/2\n"]

    driver._read_config_file = reading
    driver._load_shares_config("/etc/far")
    assert driver.shares == {"b:/2": None}


def test_a_driver_without_an_option_for_the_file_has_the_nas_share_only(make):
    driver = make(nas_host="h", nas_share_path="/x")
    driver._ensure_shares_mounted()
    assert driver._mounted_shares == ["h:/x"]
