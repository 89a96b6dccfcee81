# SPDX-License-Identifier: Apache-2.0
import json
import pathlib

import pytest

from manila_lite.engine.registry import FlowRegistry
from manila_lite.rpc import share_methods
from manila_lite.rpc.arguments import is_identifier
from manila_lite.rpc.dead_letters import DeadLetter, Reason
from manila_lite.rpc.endpoints import Accepted, Endpoints
from manila_lite.rpc.wire import ParsedMessage

CONTRACT = pathlib.Path(__file__).parents[2] / "data" / "share-rpc-api.json"


@pytest.fixture(scope="module")
def endpoints():
    flows = FlowRegistry()

    @flows.flow("extend_share", version="1.2", lane="{share_id}")
    def extend_share(op, share_id: str, new_size: int, reservations: list[str] | None = None): ...

    @flows.flow("delete_share_instance", version="1.4", lane="{share_instance_id}")
    def delete_share_instance(
        op, share_instance_id: str, force: bool = False, deferred_delete: bool = False
    ): ...

    @flows.flow("update_access_for_instances", version="1.21", lane="x")
    def update_access_for_instances(op, share_instance_ids: list[str], share_server_id=None): ...

    @flows.flow("manage_share", version="1.1", lane="{share_id}")
    def manage_share(op, share_id, driver_options: dict, weight: float | None = None): ...

    @flows.flow("free_form", lane="x")
    def free_form(op, share_id: str, **others): ...

    @flows.flow("get_info", version="1.12", lane="x", kind="call")
    def get_info(op, share_id: str): ...

    @flows.flow("secret_job", lane="x", internal=True)
    def secret_job(op): ...

    return Endpoints(flows.flows)


def ask(endpoints, method, args, version="1.4", msg_id=None, namespace=None):
    return endpoints.accept(
        ParsedMessage(
            method, version, args, {"request_id": "req-1"}, "u1",
            msg_id=msg_id, reply_q=msg_id and "q", namespace=namespace,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("extend_share", {"share_id": "s", "new_size": 1}),
        ("extend_share", {"share_id": "s-1_2.3", "new_size": 2, "reservations": ["r"]}),
        ("extend_share", {"share_id": "s", "new_size": 2, "reservations": None}),
        ("delete_share_instance", {"share_instance_id": "i"}),
        ("delete_share_instance", {"share_instance_id": "i", "force": True}),
        (
            "update_access_for_instances",
            {"share_instance_ids": ["a", "b"], "share_server_id": None},
        ),
        ("manage_share", {"share_id": "s", "driver_options": {"a": 1}, "weight": 1}),
        ("free_form", {"share_id": "s", "anything": [1]}),
    ],
)
def test_arguments_of_the_declared_types_are_accepted(endpoints, method, args):
    accepted = ask(endpoints, method, args)
    assert isinstance(accepted, Accepted), accepted
    assert (accepted.method, accepted.arguments, accepted.unique_id) == (method, args, "u1")


@pytest.mark.parametrize(
    ("method", "args", "reason", "word"),
    [
        ("extend_share", {"new_size": 1}, Reason.MISSING_ARGUMENT, "share_id"),
        ("extend_share", {"share_id": "s", "new_size": 1, "x": 1}, Reason.UNKNOWN_ARGUMENT, "'x'"),
        ("extend_share", {"share_id": None, "new_size": 1}, Reason.WRONG_TYPE, "share_id is None"),
        ("extend_share", {"share_id": 5, "new_size": 1}, Reason.WRONG_TYPE, "share_id is 5"),
        ("extend_share", {"share_id": "a/b", "new_size": 1}, Reason.BAD_IDENTIFIER, "'a/b'"),
        ("extend_share", {"share_id": "..", "new_size": 1}, Reason.BAD_IDENTIFIER, "'..'"),
        ("extend_share", {"share_id": "", "new_size": 1}, Reason.BAD_IDENTIFIER, "share_id"),
        ("extend_share", {"share_id": "a\n", "new_size": 1}, Reason.BAD_IDENTIFIER, "share_id"),
        ("extend_share", {"share_id": "s" * 256, "new_size": 1}, Reason.BAD_IDENTIFIER, "sss..."),
        ("extend_share", {"share_id": "s", "new_size": True}, Reason.WRONG_TYPE, "is True"),
        ("extend_share", {"share_id": "s", "new_size": "2"}, Reason.WRONG_TYPE, "is '2'"),
        ("extend_share", {"share_id": "s", "new_size": 2.0}, Reason.WRONG_TYPE, "is 2.0"),
        ("extend_share", {"share_id": "s", "new_size": 0}, Reason.WRONG_TYPE, "GiB"),
        ("extend_share", {"share_id": "s", "new_size": 2**31}, Reason.WRONG_TYPE, "GiB"),
        ("extend_share", {"share_id": "s", "new_size": 10**400}, Reason.WRONG_TYPE, "bits"),
        ("extend_share", {"share_id": "s", "new_size": 1, "reservations": "r"}, Reason.WRONG_TYPE,
         "a list of texts"),
        ("extend_share", {"share_id": "s", "new_size": 1, "reservations": [1]}, Reason.WRONG_TYPE,
         "a list of texts"),
        ("delete_share_instance", {"share_instance_id": "i", "force": 1}, Reason.WRONG_TYPE,
         "force is 1 instead of true or false"),
        ("delete_share_instance", {"share_instance_id": "i", "force": None}, Reason.WRONG_TYPE,
         "force is None"),
        ("update_access_for_instances", {"share_instance_ids": "ab"}, Reason.WRONG_TYPE, "'ab'"),
        ("update_access_for_instances", {"share_instance_ids": ["a", "../b"]},
         Reason.BAD_IDENTIFIER, "a list of 2 entries"),
        ("manage_share", {"share_id": {}, "driver_options": {}}, Reason.WRONG_TYPE, "share_id"),
        ("manage_share", {"share_id": "s", "driver_options": []}, Reason.WRONG_TYPE, "an object"),
        ("free_form", {}, Reason.MISSING_ARGUMENT, "share_id"),
        ("secret_job", {}, Reason.UNKNOWN_METHOD, "secret_job"),
        ("__init__", {}, Reason.UNKNOWN_METHOD, "__init__"),
        ("get_info", {"share_id": "s"}, Reason.NEEDS_REPLY, "get_info"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_name_and_value(endpoints, method, args, reason, word):
    letter = ask(endpoints, method, args)
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, word in letter.detail) == (reason, True), letter.detail
    assert len(letter.detail) <= 500
    assert (letter.method, letter.unique_id, letter.request_id) == (method, "u1", "req-1")


@pytest.mark.parametrize("version", ["1.0", "1.4", "1.27", "1.30"])
def test_any_version_up_to_our_own_is_spoken(endpoints, version):
    args = {"share_instance_id": "i", "force": False}
    assert isinstance(ask(endpoints, "delete_share_instance", args, version), Accepted)


@pytest.mark.parametrize("version", ["1.31", "0.9", "2.0", "999999.0"])
def test_other_versions_are_not(endpoints, version):
    letter = ask(endpoints, "delete_share_instance", {"share_instance_id": "i"}, version)
    assert letter.reason is Reason.UNSUPPORTED_VERSION
    assert version in letter.detail
    assert "1.30" in letter.detail


def test_a_call_is_accepted_with_its_reply_address(endpoints):
    accepted = ask(endpoints, "get_info", {"share_id": "s"}, msg_id="m")
    assert (accepted.msg_id, accepted.reply_q) == ("m", "q")


def test_a_call_of_a_cast_is_refused_to_its_caller(endpoints):
    letter = ask(endpoints, "extend_share", {"share_id": "s", "new_size": 1}, msg_id="m")
    assert (letter.reason, letter.msg_id, letter.reply_q) == (Reason.GIVES_NO_REPLY, "m", "q")


def test_there_are_no_namespaces(endpoints):
    letter = ask(endpoints, "extend_share", {}, namespace="admin")
    assert letter.reason is Reason.UNKNOWN_METHOD
    assert "'admin'" in letter.detail


@pytest.mark.parametrize("value", ["..", ".", "...", "a/b", "a b", "", None, 5, "\u00e9", "a\0"])
def test_what_could_be_a_path_is_no_identifier(value):
    assert not is_identifier(value)


def test_the_table_of_share_methods_is_that_of_the_contract():
    expected = {
        entry["method"]: (
            entry["version"],
            share_methods.FANOUT if entry["fanout"] else entry["kind"],
            tuple(entry["args"]),
        )
        for entry in json.loads(CONTRACT.read_text())
    }
    found = {m.name: (m.version, m.kind, m.args) for m in share_methods.METHODS.values()}
    assert found == expected
