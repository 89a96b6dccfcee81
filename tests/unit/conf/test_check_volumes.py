# SPDX-License-Identifier: Apache-2.0
"""A volume service's configuration that cannot be used is refused in one line."""

import pytest

from manila_lite import exception
from manila_lite.conf.check_volumes import check_volume_service
from manila_lite.conf.load import load

GOOD = {
    "DEFAULT": {"enabled_volume_backends": "beta"},
    "beta": {"volume_driver": "localfs", "localfs_volume_dir": "/srv/volumes"},
}
NFS = [("beta", "volume_driver", "nfs")]


def written(tmp_path, *changes):
    """Write GOOD with (section, option, value) changed; return the path of the file."""
    sections = {name: dict(options) for name, options in GOOD.items()}
    sections["DEFAULT"]["state_path"] = tmp_path / "state"
    for section, option, value in changes:
        sections.setdefault(section, {})[option] = value
    lines = []
    for name, options in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{option} = {value}" for option, value in options.items()]
    path = tmp_path / "manila.conf"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def refusal(path):
    with pytest.raises(exception.ConfigurationError) as caught:
        check_volume_service(load([], [path]))
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_good_configuration_is_accepted(tmp_path):
    conf = load([], [written(tmp_path)])
    check_volume_service(conf)
    assert conf.beta.localfs_volume_dir == ["/srv/volumes"]


@pytest.mark.parametrize("driver", ["nfs", "cinder.volume.drivers.nfs.NfsDriver"])
def test_nfs_is_accepted_under_the_name_that_a_cinder_conf_has(tmp_path, driver):
    path = written(
        tmp_path,
        ("beta", "volume_driver", driver),
        ("beta", "nas_host", "192.0.2.1"),
        ("beta", "nas_share_path", "/srv"),
        ("beta", "nfs_mount_options", "vers=4.1"),
        ("beta", "max_over_subscription_ratio", "auto"),
        ("DEFAULT", "enabled_backends", "whatever"),
    )
    check_volume_service(load([], [path]))


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("beta", "volume_driver", "no.such.module.Driver"),
        ("beta", "volume_driver", "json.JSONDecoder"),
        ("beta", "volume_driver", "directory"),
        ("beta", "max_over_subscription_ratio", "0.5"),
        ("beta", "max_over_subscription_ratio", "many"),
        ("beta", "reserved_percentage", "101"),
        ("beta", "nas_secure_file_operations", "perhaps"),
        ("beta", "nas_secure_file_permissions", "perhaps"),
        ("beta", "nas_volume_prov_type", "fat"),
        ("beta", "retry_policy", "driver bogus=1"),
        ("beta", "localfs_volume_dir", "volumes"),
        ("beta", "localfs_volume_dir", "/srv/a,/srv/a/"),
        ("beta", "localfs_volume_dir", "/srv/a#b"),
        ("beta", "localfs_volume_dir", "/"),
        ("DEFAULT", "enabled_volume_backends", "gamma"),
        ("DEFAULT", "enabled_volume_backends", "beta,beta"),
        ("DEFAULT", "enabled_volume_backends", ""),
        ("DEFAULT", "volume_name_template", "volume"),
        ("DEFAULT", "volume_name_template", "a/%s"),
        ("DEFAULT", "snapshot_name_template", "%s-%s"),
        ("coordination", "lock_timeout", "-1"),
        ("coordination", "backend_url", "file://volumes"),
    ],
)
def test_refusal_names_section_option_and_value(tmp_path, section, option, value):
    text = refusal(written(tmp_path, (section, option, value)))
    assert text.startswith(f"[{section}] {option} = ")
    assert value.split(",")[0] in text or not value


def test_a_section_is_a_back_end_of_shares_or_of_volumes(tmp_path):
    path = written(
        tmp_path,
        ("DEFAULT", "enabled_share_backends", "beta"),
    )
    assert "enabled_volume_backends = beta" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ([("beta", "nas_host", "192.0.2.1")], "nas_share_path"),
        ([("beta", "nas_share_path", "/srv")], "nas_host"),
        ([("beta", "nfs_shares_config", "")], "nfs_shares_config"),
    ],
)
def test_nfs_without_shares_is_refused(tmp_path, changes, missing):
    text = refusal(written(tmp_path, *NFS, *changes))
    assert text.startswith(f"[beta] {missing} = ")


def test_a_coordination_url_that_is_none_is_not_shown(tmp_path):
    text = refusal(written(tmp_path, ("coordination", "backend_url", "hunter2")))
    assert "[coordination] backend_url" in text
    assert "hunter2" not in text


def test_options_of_default_reach_every_volume_back_end(tmp_path):
    path = written(tmp_path, ("DEFAULT", "reserved_percentage", "101"))
    assert "reserved_percentage" in refusal(path)
