# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.rpc.share_objects import reduced

ROW = {"id": "server", "backend_details": {"password": "secret"}, "status": "active"}

BACKUP = {"id": "backup", "backup_options": {"password": "secret"}, "status": "creating"}


@pytest.mark.parametrize(
    ("arguments", "plain"),
    [
        ({}, {}),
        ({"share_id": "s"}, {"share_id": "s"}),
        ({"share_server": ROW}, {"share_server_id": "server"}),
        ({"share_server": "server"}, {"share_server_id": "server"}),
        ({"share_server": ROW, "share_server_id": "server"}, {"share_server_id": "server"}),
        ({"backup": BACKUP}, {"backup_id": "backup"}),
        ({"backup": BACKUP, "share_id": "s"}, {"backup_id": "backup", "share_id": "s"}),
        ({"share_server": ROW, "odd": 1}, {"odd": 1, "share_server_id": "server"}),
    ],
)
def test_a_row_becomes_its_id(arguments, plain):
    assert reduced(arguments) == plain


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"share_server": {}}, "without an id"),
        ({"share_server": None}, "without an id"),
        ({"share_server": {"id": 5}}, "without an id"),
        ({"backup": {"status": "creating"}}, "backup is a row without an id"),
        ({"share_server": ROW, "share_server_id": "other"}, "not the same"),
    ],
)
def test_a_row_without_an_id_is_refused(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        reduced(arguments)
