# SPDX-License-Identifier: Apache-2.0
"""NFS, as its clients see it: exports of a real nfs-ganesha."""

import subprocess
from pathlib import Path

import pytest

from manila_lite import exception
from tests.fixtures.export_servers import ADDRESSES, Ganesha
from tests.functional.exports.conftest import nfs_helper
from tests.functional.exports.rules import ip, user

HERE, NEIGHBOUR, STRANGER = ADDRESSES


@pytest.fixture
def location(nfs, name, directory) -> str:
    return nfs.ensure(name, str(directory))[0]["path"]


def test_locations_name_every_host(nfs, name, directory):
    locations = nfs.ensure(name, str(directory))
    assert [(found["path"], found["metadata"]["preferred"]) for found in locations] == [
        (f"files.example:{directory}", True),
        (f"[2001:db8::7]:{directory}", False),
    ]
    assert not any(found["is_admin_only"] for found in locations)


def test_a_location_leads_back_to_its_directory(nfs, name, directory, location):
    assert nfs.source_of(location) == str(directory)
    assert nfs.source_of(f"[2001:db8::9]:{directory}") == str(directory)
    for other in (f"{location}-2", "files.example:/", "", r"\\host\share"):
        assert nfs.source_of(other) is None


def test_nobody_reaches_a_new_share(ganesha: Ganesha, location):
    assert "NFS4ERR_NOENT" in ganesha.ls(location)


def test_addresses_read_and_write_as_their_rules_say(
    ganesha: Ganesha, nfs, name, directory, location
):
    assert nfs.update_access(name, str(directory), [ip(HERE), ip(NEIGHBOUR, "ro")]) == {}

    assert ganesha.write(location, "new", "from a client", HERE) == ""
    assert (directory / "new").read_text() == "from a client"
    assert ganesha.read(location, "new", NEIGHBOUR) == "from a client"
    assert "NFS4ERR_ROFS" in ganesha.write(location, "other", "text", NEIGHBOUR)
    assert "NFS4ERR_NOENT" in ganesha.ls(location, STRANGER)


def test_the_narrowest_rule_decides(ganesha: Ganesha, nfs, name, directory, location):
    nfs.update_access(name, str(directory), [ip("0.0.0.0/0", "ro"), ip("10.99.0.0/24"), ip(HERE)])
    assert ganesha.write(location, "1", "text", HERE) == ""
    assert ganesha.write(location, "2", "text", NEIGHBOUR) == ""
    assert "NFS4ERR_ROFS" in ganesha.write(location, "3", "text", STRANGER)

    nfs.update_access(name, str(directory), [ip("10.99.0.0/24"), ip(NEIGHBOUR, "ro")])
    assert "NFS4ERR_ROFS" in ganesha.write(location, "4", "text", NEIGHBOUR)
    assert "NFS4ERR_NOENT" in ganesha.ls(location, STRANGER)


def test_a_rule_that_is_taken_away_works_no_longer(
    ganesha: Ganesha, nfs, name, directory, location
):
    nfs.update_access(name, str(directory), [ip(HERE)])
    assert ganesha.ls(location) == ["old"]
    nfs.update_access(name, str(directory), [])
    assert "NFS4ERR_NOENT" in ganesha.ls(location)


def test_rules_that_nfs_cannot_follow_are_in_error(
    ganesha: Ganesha, nfs, name, directory, location
):
    wrong = [user("alice"), ip("no address"), {**ip("10.0.0.1"), "access_level": "none"}]
    updates = nfs.update_access(name, str(directory), [ip(HERE), *wrong])
    assert updates == {rule["access_id"]: {"state": "error"} for rule in wrong}
    assert ganesha.ls(location) == ["old"]


def test_ipv6_rules_are_taken(nfs, name, directory):
    rules = [ip("2001:db8::/32"), ip("fe80::1", "ro"), ip("::/0", "ro")]
    assert nfs.update_access(name, str(directory), rules) == {}


def test_all_may_be_repeated(ganesha: Ganesha, nfs, name, directory, location):
    nfs.update_access(name, str(directory), [ip(HERE)])
    assert nfs.ensure(name, str(directory))[0]["path"] == location
    assert ganesha.ls(location) == ["old"], "ensure without rules keeps them"
    nfs.ensure(name, str(directory), [])
    assert "NFS4ERR_NOENT" in ganesha.ls(location), "ensure with rules sets them"

    nfs.remove(name)
    nfs.remove(name)
    assert sorted(path.name for path in ganesha.export_dir.glob("[!.]*")) == ["INDEX.conf"]
    assert (directory / "old").exists()


def test_every_share_has_its_own_export(ganesha: Ganesha, nfs, tmp_path):
    for number in range(3):
        path = tmp_path / "data" / f"share-{number}"
        path.mkdir(parents=True)
        (path / f"in-{number}").touch()
        nfs.ensure(path.name, str(path), [ip(ADDRESSES[number])])
    for number, address in enumerate(ADDRESSES):
        seen = [ganesha.ls(f"x:{tmp_path}/data/share-{share}", address) for share in range(3)]
        assert seen.pop(number) == [f"in-{number}"]
        assert all("NFS4ERR_NOENT" in answer for answer in seen)


def test_exports_are_back_when_ganesha_starts_again(
    ganesha: Ganesha, nfs, name, directory, location
):
    nfs.update_access(name, str(directory), [ip(HERE)])
    ganesha.stop_ganesha()
    with pytest.raises(exception.BackendBusy, match="not on the bus"):
        nfs.update_access(name, str(directory), [ip(NEIGHBOUR)])
    ganesha.start_ganesha()
    # Nobody has asked again: it reads its own configuration.
    assert ganesha.ls(location, HERE) == ["old"]
    assert "NFS4ERR_NOENT" in ganesha.ls(location, NEIGHBOUR), "nothing was done meanwhile"


def test_exports_come_back_where_ganesha_forgot_them(
    ganesha: Ganesha, nfs, name, directory, location
):
    nfs.update_access(name, str(directory), [ip(HERE)])
    assert nfs.restore() == []
    ganesha.stop_ganesha()
    (ganesha.export_dir / "INDEX.conf").write_text("")
    ganesha.start_ganesha()
    assert "NFS4ERR_NOENT" in ganesha.ls(location)

    assert nfs.restore() == [name]
    assert ganesha.ls(location) == ["old"]
    assert nfs.restore() == [], "it was done"


def test_a_share_whose_directory_is_gone_does_not_stop_the_others(
    ganesha: Ganesha, nfs, name, directory, location, tmp_path
):
    other = tmp_path / "share-gone"
    other.mkdir()
    nfs.ensure(other.name, str(other), [ip(HERE)])
    nfs.update_access(name, str(directory), [ip(HERE)])
    ganesha.stop_ganesha()
    other.rmdir()
    ganesha.start_ganesha()
    assert ganesha.ls(location) == ["old"]
    assert nfs_helper(ganesha).restore() == []


def test_a_directory_in_place_of_the_exported_one_is_seen_after_refresh(
    ganesha: Ganesha, nfs, name, directory, location
):
    nfs.update_access(name, str(directory), [ip(HERE)])
    directory.rename(directory.with_name("before"))
    directory.mkdir()
    (directory / "new").touch()
    nfs.refresh(name, str(directory))
    assert ganesha.ls(location) == ["new"]


def test_an_id_of_the_administrator_is_left_alone(ganesha: Ganesha, nfs, tmp_path, name, directory):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    block = f'Export_Id = 101; Path = "{theirs}"; Pseudo = "/theirs"; FSAL {{ Name = VFS; }}'
    (tmp_path / "theirs.conf").write_text(f"EXPORT {{ {block} }}")
    nfs._bus.put(str(tmp_path / "theirs.conf"), 101)

    nfs.ensure(name, str(directory), [ip(HERE)])
    assert nfs._bus.paths().items() >= {101: str(theirs), 102: str(directory)}.items()


def test_what_ganesha_refuses_says_why(ganesha: Ganesha, nfs, name, tmp_path):
    file = tmp_path / "file"
    file.write_text("no directory")
    with pytest.raises(exception.ShareBackendException, match="nfs-ganesha refused UpdateExport"):
        nfs.ensure(name, str(file))


def test_without_a_bus_nothing_is_done(ganesha: Ganesha, nfs, name, directory):
    ganesha.stop()
    ganesha._short.mkdir()
    with pytest.raises(exception.BackendBusy, match="cannot be reached"):
        nfs.ensure(name, str(directory))


@pytest.fixture
def subvolume(tmp_path: Path, name: str):
    """A subvolume of a btrfs that is mounted elsewhere."""
    image, mount = tmp_path / "btrfs.img", tmp_path / "btrfs"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(128 << 20)
    subprocess.run(["mkfs.btrfs", "-q", image], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    path = mount / name
    try:
        subprocess.run(["btrfs", "-q", "subvolume", "create", path], check=True)
        (path / "old").touch()
        yield path
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def test_a_subvolume_is_exported_through_a_mount(ganesha: Ganesha, nfs, name, subvolume):
    location = nfs.ensure(name, str(subvolume), [ip(HERE)])[0]["path"]
    assert location == f"files.example:{ganesha.mount_dir}/{name}"
    assert ganesha.ls(location) == ["old"]
    assert nfs.ensure(name, str(subvolume))[0]["path"] == location
    assert nfs.source_of(location) == str(subvolume)

    snapshot = subvolume.with_name("snapshot")
    subprocess.run(["btrfs", "-q", "subvolume", "snapshot", subvolume, snapshot], check=True)
    (snapshot / "new").touch()
    subvolume.rename(subvolume.with_name("before"))
    snapshot.rename(subvolume)
    nfs.refresh(name, str(subvolume))
    assert ganesha.ls(location) == ["new", "old"]

    nfs.remove(name)
    assert not (ganesha.mount_dir / name).exists()
    subprocess.run(["btrfs", "-q", "subvolume", "delete", subvolume], check=True)


def test_a_mounted_export_is_not_shown_without_its_mount(ganesha: Ganesha, nfs, name, subvolume):
    location = nfs.ensure(name, str(subvolume), [ip(HERE)])[0]["path"]
    # As after a restart of the machine: neither server nor mount is there.
    ganesha.stop_ganesha()
    subprocess.run(["umount", "-l", ganesha.mount_dir / name], check=True)
    ganesha.start_ganesha()
    assert "NFS4ERR_NOENT" in ganesha.ls(location)
    assert nfs.restore() == [name]
    assert ganesha.ls(location) == ["old"]
