# SPDX-License-Identifier: Apache-2.0
"""By which commands volume files are made and removed."""

import pytest
from oslo_config import cfg

from manila_lite import exception
from manila_lite.testing.volume_models import volume

OPTS = [
    cfg.StrOpt("far_shares_config", default="/etc/far"),
    cfg.BoolOpt("far_sparsed_volumes", default=False),
    cfg.BoolOpt("far_qcow2_volumes", default=False),
]
SHARE = "host:/export"
FAILED = exception.ProcessExecutionError(exit_code=1)


@pytest.fixture
def prepared(make):
    def build(**options):
        driver = make(opts=OPTS, nas_secure_file_permissions="true", **options)
        driver.lines = [SHARE]
        return driver

    return build


def path_of(model):
    return f"/mnt/host:_export/{model.name}"


def test_a_thick_volume_is_written_as_a_whole(prepared, commands):
    model = volume(2)
    prepared().create_volume(model)
    assert commands.run == [
        ["dd", "if=/dev/zero", f"of={path_of(model)}", "bs=1M", "count=2048"],
        ["chmod", "660", path_of(model)],
    ]


def test_a_sparse_volume_takes_no_room(prepared, commands):
    model = volume(2)
    prepared(far_sparsed_volumes=True).create_volume(model)
    assert commands.run[0] == ["truncate", "-s", "2G", path_of(model)]


def test_thick_provisioning_goes_before_sparse_volumes(prepared, commands):
    prepared(far_sparsed_volumes=True, nas_volume_prov_type="thick").create_volume(volume())
    assert commands.run[0][0] == "dd"


def test_a_qcow2_volume_goes_before_a_sparse_one(prepared, commands):
    model = volume(3)
    prepared(far_sparsed_volumes=True, far_qcow2_volumes=True).create_volume(model)
    assert commands.run[0] == [
        "qemu-img", "create", "-f", "qcow2", "-o", "preallocation=metadata",
        path_of(model), str(3 << 30),
    ]  # fmt: skip


def test_the_volume_says_where_it_lies(prepared):
    model = volume()
    assert prepared().create_volume(model) == {"provider_location": SHARE}
    assert model.provider_location == SHARE


def test_open_permissions_are_given_where_nothing_says_otherwise(make, commands, caplog):
    driver = make()
    driver._set_rw_permissions("/mnt/x/volume-1")
    driver._set_rw_permissions_for_all("/mnt/x/volume-2")
    driver._set_rw_permissions_for_owner("/mnt/x/volume-3")
    assert commands.run == [
        ["chmod", "ugo+rw", "/mnt/x/volume-1"],
        ["chmod", "ugo+rw", "/mnt/x/volume-2"],
        ["chmod", "u+rw", "/mnt/x/volume-3"],
    ]
    assert "/mnt/x/volume-1" in caplog.text


def test_commands_run_as_root_unless_the_driver_says_otherwise(prepared, commands):
    driver = prepared()
    driver.create_volume(volume())
    driver._execute_as_root = False
    driver.create_volume(volume())
    assert commands.as_root == [True, True, False, False]


def test_a_volume_that_cannot_be_made_as_a_whole_is_removed(prepared, commands):
    model = volume()
    commands.answers["dd"] = FAILED
    with pytest.raises(exception.ProcessExecutionError):
        prepared().create_volume(model)
    assert commands.run[-1] == ["rm", "-f", path_of(model)]


def test_a_file_of_the_same_name_is_not_touched(prepared, commands, tmp_path):
    model = volume()
    (tmp_path / model.name).write_bytes(b"somebody's")
    driver = prepared()
    driver._get_mount_point_for_share = lambda share: str(tmp_path)
    with pytest.raises(exception.VolumeBackendAPIException, match="exists already"):
        driver.create_volume(model)
    assert commands.run == []


def test_an_encrypted_volume_is_refused_before_anything_is_made(prepared, commands):
    driver = prepared()
    with pytest.raises(exception.VolumeDriverException, match="encrypted"):
        driver.create_volume(volume(encryption_key_id="key"))
    assert commands.run == []
    driver._supports_encryption = True
    assert driver.create_volume(volume(encryption_key_id="key"))


def test_deleting_a_volume_removes_its_file(driver, commands):
    model = volume(provider_location=SHARE)
    driver.delete_volume(model)
    assert commands.run == [["rm", "-f", path_of(model)]]


def test_a_volume_that_lies_nowhere_is_deleted_without_a_command(driver, commands, caplog):
    model = volume()
    driver.delete_volume(model)
    assert commands.run == []
    assert model.name in caplog.text


def test_a_volume_on_a_share_that_is_away_is_not_deleted(driver, commands):
    driver.away = {SHARE}
    with pytest.raises(OSError, match="does not answer"):
        driver.delete_volume(volume(provider_location=SHARE))
    assert commands.run == []


def test_what_an_interrupted_creation_left_is_removed_from_every_share(prepared, commands):
    driver, model = prepared(), volume()
    driver.lines = ["a:/1", "b:/2"]
    driver.discard_unfinished_volume(model)
    assert commands.run == [
        ["rm", "-f", f"/mnt/a:_1/{model.name}"],
        ["rm", "-f", f"/mnt/b:_2/{model.name}"],
    ]
    assert model.provider_location is None


def test_a_large_volume_has_time_to_be_written(prepared):
    driver, given = prepared(), []
    driver.set_execute(lambda *command, **settings: given.append(settings.get("timeout")))
    driver.create_volume(volume(1000))
    assert given[0] >= 1000 * 60
