# SPDX-License-Identifier: Apache-2.0
"""Where configuration comes from."""

import pytest

from manila_lite import exception
from manila_lite.conf.load import default_files, load, transport_url


def test_the_first_directory_with_a_file_wins(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()
    (second / "manila-lite.conf").touch()
    assert default_files([str(first), str(second)]) == [str(second / "manila-lite.conf")]
    (first / "manila.conf").touch()
    assert default_files([str(first), str(second)]) == [str(first / "manila.conf")]


def test_our_own_file_goes_before_a_manila_conf_beside_it(tmp_path):
    (tmp_path / "manila.conf").touch()
    (tmp_path / "manila-lite.conf").touch()
    assert default_files([str(tmp_path)]) == [str(tmp_path / "manila-lite.conf")]


def test_no_file_at_all_is_no_error(tmp_path):
    assert default_files([str(tmp_path)]) == []
    assert load([], []).report_interval == 10


def test_a_file_that_is_not_there_is_named(tmp_path):
    missing = str(tmp_path / "none.conf")
    with pytest.raises(exception.ConfigurationError, match="there is no such file") as caught:
        load(["--config-file", missing], [])
    assert missing in str(caught.value)


def test_a_line_that_cannot_be_parsed_is_named_but_not_shown(tmp_path):
    path = tmp_path / "manila.conf"
    path.write_text("[DEFAULT]\npassword geheim\n")
    with pytest.raises(exception.ConfigurationError) as caught:
        load([], [str(path)])
    assert "line 2" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "manila.conf"
    path.write_bytes(b"[DEFAULT]\nhost = \xff\xfe\n")
    with pytest.raises(exception.ConfigurationError, match="UTF-8"):
        load([], [str(path)])


def test_wrong_arguments_are_explained_by_the_argument_parser(capsys):
    with pytest.raises(SystemExit) as caught:
        load(["--no-such-option"], [])
    assert caught.value.code == 2
    assert "--no-such-option" in capsys.readouterr().err


def test_each_back_end_has_the_options_of_its_section(tmp_path):
    path = tmp_path / "manila.conf"
    path.write_text("[DEFAULT]\nenabled_share_backends = a,b\n[b]\nshare_backend_name = B\n")
    conf = load([], [str(path)])
    assert (conf.a.share_backend_name, conf.b.share_backend_name) == (None, "B")
    assert conf.b.max_over_subscription_ratio == 20.0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", None),
        ("transport_url = ", None),
        ("transport_url = rabbit://u:p@h/", "rabbit://u:p@h/"),
    ],
)
def test_the_broker_is_known_without_importing_a_messaging_library(tmp_path, line, expected):
    path = tmp_path / "manila.conf"
    path.write_text(f"[DEFAULT]\n{line}\n")
    assert transport_url(load([], [str(path)])) == expected


def test_one_configuration_does_not_leak_into_another(tmp_path):
    path = tmp_path / "manila.conf"
    path.write_text("[DEFAULT]\nhost = first\n")
    load([], [str(path)])
    assert load([], []).host != "first"
