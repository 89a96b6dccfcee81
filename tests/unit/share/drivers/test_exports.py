# SPDX-License-Identifier: Apache-2.0
"""Export helpers: rules as Ganesha and Samba are told them, and which helper serves which share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manila_lite import exception
from manila_lite.share.drivers.directory import access
from manila_lite.share.drivers.exports import ExportHelper, Helpers
from manila_lite.share.drivers.exports.ganesha import _clients
from manila_lite.share.drivers.exports.ganesha_files import checked_path
from manila_lite.share.drivers.exports.samba_access import takes_away, user_values

CLOSED = {"available": "no"}
EVERYBODY = {"read only": "no"}


def ip(to, level="rw"):
    return {"access_id": to, "access_type": "ip", "access_to": to, "access_level": level}


@pytest.mark.parametrize(
    ("to", "written"),
    [
        ("10.0.0.1", ["10.0.0.1"]),
        ("10.0.0.1/32", ["10.0.0.1"]),
        ("10.0.0.7/8", ["10.0.0.0/8"]),
        ("0.0.0.0/0", ["0.0.0.0/1", "128.0.0.0/1"]),
        ("2001:db8::1", ["2001:db8::1"]),
        ("2001:DB8::/32", ["2001:db8::/32"]),
        ("::/0", ["::/1", "8000::/1"]),
    ],
)
def test_addresses_are_written_as_ganesha_reads_them(to, written):
    clients, refusals = _clients([ip(to)])
    assert (clients, refusals) == (tuple((who, "RW") for who in written), [])


@given(st.permutations(["10.0.0.0/8", "10.1.0.0/16", "10.1.0.1", "0.0.0.0/0"]))
def test_narrow_networks_stand_before_wide_ones(order):
    clients, _ = _clients([ip(to) for to in order])
    found = [who for who, _ in clients]
    assert found == ["10.1.0.1", "10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/1", "128.0.0.0/1"]


@pytest.mark.parametrize("to", ["", "host.example", "10.0.0.1; }", "10.0.0.0/33", "*", None])
def test_what_is_no_address_is_no_client(to):
    clients, (refusal,) = _clients([ip(to)])
    assert clients == ()
    assert "is no address and no network" in refusal.reason


@pytest.mark.parametrize("path", ["relative", '/a"b', "/a\nb", "/a\\b", "/\x7f"])
def test_paths_that_would_end_a_quotation_are_refused(path):
    with pytest.raises(exception.PathRefused):
        checked_path(path)


def test_users_are_listed_by_level():
    assert user_values([("alice", "rw"), ("bob", "ro")]) == {
        "read only": "yes",
        "valid users": "alice bob",
        "write list": "alice",
        "read list": "bob",
    }


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (CLOSED, EVERYBODY, False),
        (EVERYBODY, CLOSED, True),
        (EVERYBODY, user_values([("alice", "rw")]), True),
        (user_values([("alice", "rw")]), EVERYBODY, False),
        (user_values([("alice", "rw")]), user_values([("alice", "ro")]), True),
        (user_values([("alice", "ro")]), user_values([("alice", "rw")]), False),
        (user_values([("alice", "ro")]), user_values([("bob", "rw")]), True),
        (EVERYBODY, {**EVERYBODY, "hosts allow": "10.0.0.1"}, True),
        ({**EVERYBODY, "hosts allow": "10.0.0.1"}, EVERYBODY, False),
        (
            {**EVERYBODY, "hosts allow": "10.0.0.1"},
            {**EVERYBODY, "hosts allow": "10.0.0.1 10.0.0.2"},
            False,
        ),
    ],
)
def test_access_that_is_taken_away_is_noticed(before, after, expected):
    assert takes_away(before, after) is expected


def test_rules_that_were_kept_are_rules_again():
    rules = [ip("10.0.0.1", "ro"), {**ip("alice"), "access_type": "user"}]
    again = access.rules(access.kept(rules))
    assert access.kept(again) == access.kept(rules)
    assert len({rule["access_id"] for rule in again}) == 2


class _Helper(ExportHelper):
    """Remembers what it was asked for. error: raised by `restore`."""

    def __init__(self, protocol, error=None):
        self.protocol, self.error = protocol, error
        self.asked = []

    def check(self):
        self.asked.append("check")

    def ensure(self, name, path, rules=None):
        raise AssertionError("nobody asks for it here")

    update_access = refresh = source_of = ensure

    def remove(self, name):
        self.asked.append(("remove", name))

    def restore(self):
        self.asked.append("restore")
        if self.error:
            raise self.error
        return []


def test_shares_go_to_the_helper_of_their_protocol():
    nfs, cifs = _Helper("NFS"), _Helper("CIFS")
    helpers = Helpers([nfs, cifs])
    assert helpers.of({"share_proto": "cifs"}) is cifs
    assert helpers.of({"share_proto": "NFS"}) is nfs
    assert helpers.storage_protocol == "NFS_CIFS"
    with pytest.raises(exception.InvalidShare, match="share_proto HDFS is not exported"):
        helpers.of({"share_proto": "HDFS"})


def test_a_server_that_is_away_does_not_keep_others_from_being_looked_at(caplog):
    away, there = _Helper("NFS", exception.BackendBusy(reason="it is away")), _Helper("CIFS")
    Helpers([away, there]).restore()
    assert there.asked == ["restore"]
    assert "it is away" in caplog.text


def test_an_export_is_removed_by_every_helper():
    helpers = [_Helper("NFS"), _Helper("CIFS")]
    Helpers(helpers).remove("share-1")
    assert [helper.asked for helper in helpers] == [[("remove", "share-1")]] * 2


def test_without_helpers_there_is_nothing_to_export_with():
    assert not Helpers()
    assert Helpers().storage_protocol == ""
