# SPDX-License-Identifier: Apache-2.0
"""The directory driver with its export helpers: a share's whole life, as clients see it."""

import functools
import os

import pytest

from manila_lite import exception
from manila_lite.conf import directory as options
from manila_lite.conf import exports
from manila_lite.share.driver import ganesha_opts
from manila_lite.share.drivers.directory import DirectoryDriver
from manila_lite.testing import models
from tests.fixtures.export_servers import ADDRESSES, Ganesha, Samba
from tests.functional.exports.rules import ip, user

HERE, NEIGHBOUR, _ = ADDRESSES


def building(settings: dict):
    """What builds a driver whose helpers have these options in its section."""

    def build(configuration):
        configuration.append_config_values([*ganesha_opts, *exports.OPTS])
        for name, value in settings.items():
            configuration.conf.set_override(name, str(value), group=configuration.config_group)
        return DirectoryDriver(configuration=configuration)

    return build


@pytest.fixture
def root(directory):
    path = directory / "root"
    path.mkdir()
    path.chmod(0o755)
    return path


@pytest.fixture
def start(root):
    def start(entries: list[str], **settings) -> DirectoryDriver:
        driver = models.driver(
            building(settings),
            options.OPTS,
            directory_root=str(root),
            directory_export_host="files.example",
            directory_export_helpers=entries,
            directory_share_mode="0777",
        )
        driver.do_setup(None)
        driver.check_for_setup_error()
        return driver

    return start


@pytest.fixture
def nfs_driver(ganesha: Ganesha, start):
    return functools.partial(
        start,
        ["NFS=ganesha"],
        ganesha_export_dir=ganesha.export_dir,
        ganesha_mount_dir=ganesha.mount_dir,
        ganesha_dbus_address=ganesha.bus,
    )


@pytest.fixture
def driver(nfs_driver) -> DirectoryDriver:
    return nfs_driver()


def allow(driver, share, *rules):
    return driver.update_access(None, share, list(rules), list(rules), [])


def located(driver, share) -> str:
    (location,) = driver.create_share(None, share)
    return location["path"]


def test_a_share_is_exported_until_it_is_deleted(ganesha: Ganesha, driver):
    share = models.share()
    location = located(driver, share)
    assert "NFS4ERR_NOENT" in ganesha.ls(location)
    assert allow(driver, share, ip(HERE)) is None
    assert ganesha.write(location, "file", "text", HERE) == ""

    driver.delete_share(None, share)
    assert "NFS4ERR_NOENT" in ganesha.ls(location)
    driver.delete_share(None, share)


def test_rules_outlive_server_and_service_and_come_back(ganesha: Ganesha, driver, nfs_driver):
    share, bad = models.share(), user("alice")
    location = located(driver, share)
    assert allow(driver, share, ip(HERE), bad) == {bad["access_id"]: {"state": "error"}}
    ganesha.stop_ganesha()
    for path in ganesha.export_dir.iterdir():
        path.unlink()
    (ganesha.export_dir / "INDEX.conf").touch()
    ganesha.start_ganesha()

    updates = nfs_driver().ensure_shares(None, [share])
    assert updates[share["id"]]["export_locations"][0]["path"] == location
    assert ganesha.ls(location, HERE) == []
    assert "NFS4ERR_NOENT" in ganesha.ls(location, NEIGHBOUR)


def test_reports_bring_back_what_the_server_lost(ganesha: Ganesha, driver):
    share = models.share()
    location = located(driver, share)
    allow(driver, share, ip(HERE))
    assert driver.get_share_stats(refresh=True)["storage_protocol"] == "NFS"
    ganesha.stop_ganesha()
    (ganesha.export_dir / "INDEX.conf").write_text("")
    driver.get_share_stats(refresh=True)  # without a server there is a report all the same
    ganesha.start_ganesha()
    driver.get_share_stats(refresh=True)
    assert ganesha.ls(location) == []


def test_a_reverted_share_shows_what_the_snapshot_held(ganesha: Ganesha, driver):
    share = models.share()
    location = located(driver, share)
    allow(driver, share, ip(HERE))
    ganesha.write(location, "then", "text")
    snapshot = models.snapshot(share)
    driver.create_snapshot(None, snapshot)
    ganesha.write(location, "later", "text")

    driver.revert_to_snapshot(None, snapshot, [], [])
    assert ganesha.ls(location) == ["then"]

    copy = models.share()
    (other,) = driver.create_share_from_snapshot(None, copy, snapshot)
    allow(driver, copy, ip(NEIGHBOUR))
    assert ganesha.ls(other["path"], NEIGHBOUR) == ["then"]
    assert "NFS4ERR_NOENT" in ganesha.ls(other["path"], HERE)


def test_a_managed_directory_is_exported_under_its_new_name(ganesha: Ganesha, driver, root):
    before, after = models.share(), models.share()
    old = located(driver, before)
    allow(driver, before, ip(HERE))
    ganesha.write(old, "file", "text")
    driver.unmanage(before)
    assert ganesha.ls(old) == ["file"], "whoever uses it goes on"

    update = driver.manage_existing({**after, "export_locations": [{"path": old}]}, {})
    new = update["export_locations"][0]["path"]
    allow(driver, after, ip(HERE))
    assert ganesha.ls(new) == ["file"]
    assert "NFS4ERR_NOENT" in ganesha.ls(old)


def test_a_protocol_without_a_helper_is_refused_before_anything_is_made(driver, root):
    with pytest.raises(exception.InvalidShare, match="share_proto CIFS is not exported"):
        driver.create_share(None, models.share(share_proto="CIFS"))
    assert os.listdir(root / "shares") == []


def test_shares_by_both_protocols(ganesha: Ganesha, samba: Samba, start):
    driver = start(
        ["NFS=ganesha", "CIFS=samba"],
        ganesha_export_dir=ganesha.export_dir,
        ganesha_mount_dir=ganesha.mount_dir,
        ganesha_dbus_address=ganesha.bus,
        samba_config_path=samba.config,
    )
    assert driver.get_share_stats(refresh=True)["storage_protocol"] == "NFS_CIFS"
    share, other = models.share(share_proto="CIFS"), models.share()
    location = located(driver, share)
    assert location == rf"\\files.example\{share['name']}"
    located(driver, other)
    allow(driver, share, user(samba.alice))
    source = samba.directory / "source"
    source.write_text("text")
    samba.client(share["name"], samba.alice, f"put {source} file")
    assert " file " in samba.client(share["name"], samba.alice, "ls")
    assert "NT_STATUS" in samba.client(share["name"], samba.bob, "ls")

    driver.delete_share(None, share)
    driver.delete_share(None, other)
    assert "NT_STATUS_BAD_NETWORK_NAME" in samba.client(share["name"], samba.alice, "ls")


@pytest.mark.parametrize("entry", ["NFS", "NFS=samba", "ftp=vsftpd", ""])
def test_entries_that_name_no_helper_are_refused(start, entry):
    with pytest.raises(exception.ConfigurationError, match="directory_export_helpers"):
        start([entry])


def test_a_protocol_has_one_helper(start):
    with pytest.raises(exception.ConfigurationError, match="names a protocol again"):
        start(["NFS=ganesha", "nfs=Ganesha"])


def test_a_directory_of_exports_that_cannot_be_made_is_refused(start, root):
    (root / "file").touch()
    with pytest.raises(exception.ConfigurationError, match="ganesha_export_dir"):
        start(["NFS=ganesha"], ganesha_export_dir=root / "file" / "export.d")
