# SPDX-License-Identifier: Apache-2.0
"""CIFS, as its clients see it: registry shares of a real Samba."""

import contextlib
import dataclasses
import shutil
from pathlib import Path

import pytest

from manila_lite import exception, process
from manila_lite.share.drivers.exports.samba import SambaHelper
from tests.fixtures.daemon import poll
from tests.fixtures.export_servers import ADDRESSES, Samba
from tests.functional.exports.rules import ip, rule, user

HERE, NEIGHBOUR, STRANGER = ADDRESSES


@pytest.fixture(autouse=True)
def made(cifs, name, directory):
    cifs.ensure(name, str(directory))
    yield
    cifs.remove(name)


def reads(samba: Samba, name: str, who: str, address: str = HERE) -> bool:
    return " old " in samba.client(name, who, "ls", address=address)


def writes(samba: Samba, name: str, who: str, directory: Path) -> bool:
    source = samba.directory / "source"
    source.write_text("from a client")
    said = samba.client(name, who, f"put {source} new")
    with contextlib.suppress(FileNotFoundError):
        (directory / "new").unlink()
        return True
    assert "NT_STATUS" in said, said
    return False


def test_locations_name_every_host(cifs, name, directory):
    assert [found["path"] for found in cifs.ensure(name, str(directory))] == [
        rf"\\files.example\{name}",
        rf"\\2001-db8--7.ipv6-literal.net\{name}",
    ]


def test_a_location_leads_back_to_its_directory(cifs, name, directory):
    assert cifs.source_of(rf"\\files.example\{name}") == str(directory)
    for other in (r"\\files.example\unknown", f"files.example:{directory}", r"\\host\a b"):
        assert cifs.source_of(other) is None


def test_nobody_reaches_a_new_share(samba: Samba, name):
    assert "NT_STATUS" in samba.client(name, samba.alice, "ls")


def test_users_read_and_write_as_their_rules_say(samba: Samba, cifs, name, directory):
    rules = [user(samba.alice), user(samba.bob, "ro")]
    assert cifs.update_access(name, str(directory), rules) == {}
    assert writes(samba, name, samba.alice, directory)
    assert reads(samba, name, samba.bob)
    assert not writes(samba, name, samba.bob, directory)
    assert "NT_STATUS_ACCESS_DENIED" in samba.client(name, samba.carol, "ls")


def test_a_user_who_is_removed_gets_in_no_longer(samba: Samba, cifs, name, directory):
    cifs.update_access(name, str(directory), [user(samba.alice), user(samba.bob)])
    cifs.update_access(name, str(directory), [user(samba.bob)])
    assert "NT_STATUS_ACCESS_DENIED" in samba.client(name, samba.alice, "ls")
    assert reads(samba, name, samba.bob)
    cifs.update_access(name, str(directory), [])
    assert not reads(samba, name, samba.bob)


@pytest.mark.parametrize("left", [None, "ro"])
def test_who_is_connected_is_cut_off(samba: Samba, cifs, name, directory, left):
    cifs.update_access(name, str(directory), [user(samba.alice), user(samba.bob)])
    session = samba.session(name, samba.alice)
    with session:
        # smbclient answers in one piece at its end; what it wrote shows that it is connected.
        session.stdin.write(f"put {directory}/old first\n")
        session.stdin.flush()
        poll((directory / "first").exists, "the first file")
        rest = [user(samba.alice, left)] if left else []
        cifs.update_access(name, str(directory), [user(samba.bob), *rest])
        said, _ = session.communicate(f"put {directory}/old second\n", timeout=30)
    assert "NT_STATUS_NETWORK_NAME_DELETED" in said
    assert not (directory / "second").exists()


def test_a_cut_that_was_interrupted_is_made_up_for(
    samba: Samba, cifs, name, directory, monkeypatch
):
    cifs.update_access(name, str(directory), [user(samba.alice)])
    monkeypatch.setattr(cifs._registry, "close", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cifs.update_access(name, str(directory), [])
    cut = []
    monkeypatch.setattr(cifs._registry, "close", cut.append)
    cifs.update_access(name, str(directory), [])
    assert cut == [name]
    cifs.update_access(name, str(directory), [])
    assert cut == [name], "there was nobody left"


def test_addresses_narrow_down_where_users_come_from(samba: Samba, cifs, name, directory):
    cifs.update_access(name, str(directory), [user(samba.alice), ip("10.99.0.2/32")])
    assert reads(samba, name, samba.alice, NEIGHBOUR)
    assert not reads(samba, name, samba.alice, STRANGER)
    assert not reads(samba, name, samba.bob, NEIGHBOUR)

    cifs.update_access(name, str(directory), [ip("10.99.0.0/24")])
    assert reads(samba, name, samba.bob, NEIGHBOUR)
    assert not reads(samba, name, samba.bob, STRANGER)


def test_rules_that_samba_cannot_follow_are_in_error(samba: Samba, cifs, name, directory, caplog):
    wrong = [
        user("nobody-knows-me"),
        user("%U"),
        user("@users"),
        user(f"{samba.bob} {samba.carol}"),
        ip("no address"),
        ip("10.0.0.1", "ro"),
        rule("cert", "alice"),
    ]
    updates = cifs.update_access(name, str(directory), [user(samba.alice), *wrong])
    assert updates == {bad["access_id"]: {"state": "error"} for bad in wrong}
    assert reads(samba, name, samba.alice)
    assert "access_to nobody-knows-me: Samba knows no such user" in caplog.text


def test_a_rule_in_error_opens_nothing(samba: Samba, cifs, name, directory):
    cifs.update_access(name, str(directory), [user("nobody-knows-me")])
    assert not reads(samba, name, samba.alice)


def test_all_may_be_repeated(samba: Samba, cifs, name, directory):
    cifs.update_access(name, str(directory), [user(samba.alice)])
    cifs.update_access(name, str(directory), [user(samba.alice)])
    cifs.ensure(name, str(directory))
    assert reads(samba, name, samba.alice), "ensure without rules keeps them"
    cifs.ensure(name, str(directory), [])
    assert not reads(samba, name, samba.alice), "ensure with rules sets them"
    cifs.remove(name)
    cifs.remove(name)
    assert cifs._registry.read(name) is None
    assert (directory / "old").exists()


def test_files_belong_to_the_owner_of_the_directory(samba: Samba, cifs, name, directory):
    directory.chmod(0o700)
    shutil.chown(directory, "nobody")
    cifs.update_access(name, str(directory), [user(samba.alice)])
    assert cifs._registry.read(name)["force user"] == "nobody"


def test_a_configuration_without_registry_is_refused(samba: Samba, cifs, tmp_path):
    config = tmp_path / "smb.conf"
    config.write_text(samba.config.read_text().replace("include = registry", ""))
    settings = dataclasses.replace(cifs._settings, config_path=str(config))
    with pytest.raises(exception.ConfigurationError, match="include = registry"):
        SambaHelper(settings, process.execute).check()


@pytest.mark.parametrize("bad", ["global", "a b", "../x", "x]", "-" * 81])
def test_names_that_mean_something_else_are_refused(cifs, directory, bad):
    with pytest.raises(exception.PathRefused):
        cifs.ensure(bad, str(directory))
