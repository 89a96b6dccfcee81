# SPDX-License-Identifier: Apache-2.0
"""The secure options: what they may be, and what 'auto' comes to."""

import pytest

from manila_lite import exception
from manila_lite.volume.drivers.remotefs.security import MARKER


@pytest.mark.parametrize("value", ["auto", "TRUE", "False"])
def test_options_are_put_into_small_letters(make, value):
    driver = make(nas_secure_file_operations=value, nas_secure_file_permissions=value)
    driver.do_setup(None)
    assert driver.configuration.nas_secure_file_operations == value.lower()
    assert driver.configuration.nas_secure_file_permissions == value.lower()


@pytest.mark.parametrize("option", ["nas_secure_file_operations", "nas_secure_file_permissions"])
def test_any_other_value_is_refused_and_named(make, option):
    with pytest.raises(exception.InvalidConfigurationValue) as caught:
        make(**{option: "perhaps"}).do_setup(None)
    assert option in str(caught.value)
    assert "perhaps" in str(caught.value)


def test_a_driver_that_does_not_know_better_is_insecure_and_says_so(driver, caplog):
    driver.set_nas_security_options(True)
    assert driver.configuration.nas_secure_file_operations == "false"
    assert driver.configuration.nas_secure_file_permissions == "false"
    assert "nas_secure_file_operations is false" in caplog.text
    assert "nas_secure_file_permissions is false" in caplog.text


@pytest.mark.parametrize(("value", "enabled"), [("true", True), ("false", False), ("auto", False)])
def test_operations_are_secure_only_when_that_is_settled(make, value, enabled):
    assert make(nas_secure_file_operations=value).secure_file_operations_enabled() is enabled


@pytest.mark.parametrize("value", ["true", "false"])
def test_what_is_set_counts_and_leaves_no_marker(driver, tmp_path, value):
    for is_new in (True, False):
        found = driver._determine_nas_security_option_setting(value, str(tmp_path), is_new)
        assert found == value
    assert list(tmp_path.iterdir()) == []


def test_a_new_back_end_is_secure_and_stays_so(driver, commands, tmp_path):
    where = str(tmp_path)
    assert driver._determine_nas_security_option_setting("auto", where, True) == "true"
    assert commands.run == [["chmod", "640", f"{where}/{MARKER}"]]
    assert driver._determine_nas_security_option_setting("auto", where, False) == "true"


@pytest.mark.parametrize("is_new", [False, None])
def test_a_back_end_with_volumes_from_before_is_not(driver, tmp_path, is_new):
    found = driver._determine_nas_security_option_setting("auto", str(tmp_path), is_new)
    assert found == "false"
    assert list(tmp_path.iterdir()) == []


def test_a_marker_that_cannot_be_left_is_an_error_in_the_log_alone(driver, tmp_path, caplog):
    gone = str(tmp_path / "gone")
    assert driver._determine_nas_security_option_setting("auto", gone, True) == "true"
    assert MARKER in caplog.text


def test_the_marker_has_the_name_that_cinder_gives_it():
    assert MARKER == ".cinderSecureEnvIndicator"
