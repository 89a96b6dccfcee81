# SPDX-License-Identifier: Apache-2.0
"""A configuration that cannot be used is refused in one line, before anything starts."""

import pytest

from manila_lite import exception
from manila_lite.conf.check import check, check_common
from manila_lite.conf.load import load

GOOD = {
    "DEFAULT": {"enabled_share_backends": "alpha"},
    "alpha": {
        "share_driver": "directory",
        "driver_handles_share_servers": "False",
        "directory_root": "/srv/shares",
    },
}


def written(tmp_path, *changes, drop=()):
    """Write GOOD with (section, option, value) changed; return the path of the file."""
    sections = {name: dict(options) for name, options in GOOD.items()}
    sections["DEFAULT"]["state_path"] = tmp_path / "state"
    for section, option, value in changes:
        sections.setdefault(section, {})[option] = value
    for section, option in drop:
        del sections[section][option]
    lines = []
    for name, options in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{option} = {value}" for option, value in options.items()]
    path = tmp_path / "manila.conf"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def refusal(path):
    with pytest.raises(exception.ConfigurationError) as caught:
        check(load([], [path]))
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_good_configuration_is_accepted(tmp_path):
    conf = load([], [written(tmp_path)])
    check(conf)
    assert conf.alpha.share_driver == "directory"


def test_options_and_sections_that_mean_nothing_here_are_ignored(tmp_path):
    path = written(
        tmp_path,
        ("DEFAULT", "osapi_share_workers", "4"),
        ("keystone_authtoken", "auth_url", "http://keystone"),
        ("alpha", "netapp_vserver", "vs1"),
    )
    check(load([], [path]))


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("alpha", "share_driver", "no.such.module.Driver"),
        ("alpha", "share_driver", "json.JSONDecoder"),
        ("alpha", "share_driver", "json.dumps"),
        ("alpha", "driver_handles_share_servers", "perhaps"),
        ("alpha", "driver_handles_share_servers", "True"),
        ("alpha", "max_over_subscription_ratio", "0.5"),
        ("alpha", "reserved_share_percentage", "101"),
        ("alpha", "retry_policy", "driver maximum_attempts=0"),
        ("alpha", "retry_policy", "driver bogus=1"),
        ("alpha", "interrupted_operation_policy", "pray"),
        ("alpha", "directory_root", "shares"),
        ("alpha", "directory_export_helpers", "NFS=knfsd"),
        ("DEFAULT", "enabled_share_backends", "beta"),
        ("DEFAULT", "enabled_share_backends", "alpha,alpha"),
        ("DEFAULT", "enabled_share_backends", ""),
        ("DEFAULT", "enabled_share_protocols", "NFS,FTP"),
        ("DEFAULT", "report_interval", "often"),
        ("DEFAULT", "report_interval", "0"),
        ("DEFAULT", "service_down_time", "10"),
        ("DEFAULT", "debug", "perhaps"),
        ("DEFAULT", "host", "a@b"),
        ("DEFAULT", "share_name_template", "share"),
        ("DEFAULT", "share_name_template", "../%s"),
        ("DEFAULT", "share_name_template", "%s-%s"),
        ("DEFAULT", "transport_url", "http://broker"),
        ("DEFAULT", "transport_url", "rabbit://broker:port/"),
        ("database", "connection", "oracle://host/db"),
        ("database", "connection", "postgresql:///"),
        ("manila_lite", "operation_threads", "0"),
        ("manila_lite", "lease_seconds", "0.1"),
        ("manila_lite", "sweep_interval", "60"),
    ],
)
def test_a_bad_value_is_named_with_its_section_and_option(tmp_path, section, option, value):
    text = refusal(written(tmp_path, (section, option, value)))
    assert text.startswith(f"[{section}] {option} = ")


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("btrfs_root", "shares", "must be an absolute path"),
        ("driver_handles_share_servers", "True", "the btrfs driver makes no share servers"),
    ],
)
def test_what_the_btrfs_driver_cannot_use_is_refused_before_it_starts(
    tmp_path, option, value, reason
):
    btrfs = [("alpha", "share_driver", "btrfs"), ("alpha", "btrfs_root", "/srv/shares")]
    check(load([], [str(written(tmp_path, *btrfs))]))

    text = refusal(written(tmp_path, *btrfs, ("alpha", option, value)))

    assert text.startswith(f"[alpha] {option} = {value}: {reason}")


def test_the_root_of_the_directory_driver_may_stand_in_the_default_section(tmp_path):
    path = tmp_path / "manila.conf"
    path.write_text(
        f"[DEFAULT]\nstate_path = {tmp_path}\nenabled_share_backends = alpha\n"
        "directory_root = /srv/shares\ndriver_handles_share_servers = False\n"
        "[alpha]\nshare_driver = directory\n"
    )
    check(load([], [str(path)]))


def test_the_value_is_shown_as_it_stands_in_the_file(tmp_path):
    text = refusal(written(tmp_path, ("DEFAULT", "report_interval", "often")))
    assert text == "[DEFAULT] report_interval = often: must be a number"


def test_driver_handles_share_servers_has_to_be_chosen(tmp_path):
    text = refusal(written(tmp_path, drop=[("alpha", "driver_handles_share_servers")]))
    assert text.startswith("[alpha] driver_handles_share_servers = (not set)")


def test_driver_handles_share_servers_may_stand_in_default(tmp_path):
    path = written(
        tmp_path,
        ("DEFAULT", "driver_handles_share_servers", "False"),
        drop=[("alpha", "driver_handles_share_servers")],
    )
    check(load([], [path]))


def test_a_missing_back_end_section_is_named(tmp_path):
    text = refusal(written(tmp_path, ("DEFAULT", "enabled_share_backends", "alpha,beta")))
    assert text == "[DEFAULT] enabled_share_backends = beta: there is no section [beta]"


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("database", "connection", "oracle://manila:geheim@host/db"),
        ("database", "connection", "mysql://manila:geheim@host:none/db"),
        ("database", "connection", "geheim"),
        ("DEFAULT", "transport_url", "http://manila:geheim@host/"),
        ("DEFAULT", "transport_url", "rabbit://m:x@one:5672,manila:geheim@two:none/"),
        ("DEFAULT", "transport_url", "geheim"),
    ],
)
def test_a_password_in_a_bad_url_is_not_shown(tmp_path, section, option, value):
    assert "geheim" not in refusal(written(tmp_path, (section, option, value)))


def test_a_state_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    path = written(tmp_path, ("DEFAULT", "state_path", tmp_path / "file" / "state"))
    assert "file is no directory" in refusal(path)


def test_a_state_path_that_can_be_made_later_is_accepted_and_not_made(tmp_path):
    check(load([], [written(tmp_path, ("DEFAULT", "state_path", tmp_path / "a" / "b"))]))
    assert not (tmp_path / "a").exists()


def test_a_sqlite_file_in_an_impossible_place_is_refused(tmp_path):
    (tmp_path / "file").touch()
    url = f"sqlite:///{tmp_path}/file/database.sqlite"
    assert "is no directory" in refusal(written(tmp_path, ("database", "connection", url)))


def test_with_a_database_server_the_state_path_does_not_matter(tmp_path):
    path = written(
        tmp_path,
        ("DEFAULT", "state_path", "/proc/nowhere"),
        ("database", "connection", "postgresql://u@h/db"),
    )
    check(load([], [path]))


def test_commands_that_need_no_back_end_do_not_ask_for_one(tmp_path):
    path = tmp_path / "manila.conf"
    path.write_text("[DEFAULT]\nhost = here\n")
    check_common(load([], [str(path)]))


def test_without_any_file_the_defaults_are_usable():
    conf = load([], [])
    check_common(conf)
    assert conf.share_topic == "manila-share"
