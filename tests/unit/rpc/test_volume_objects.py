# SPDX-License-Identifier: Apache-2.0
"""Arguments as Cinder's clients send them: whole objects, or plain ids."""

import json

import pytest

from manila_lite.rpc import volume_methods
from manila_lite.rpc.dead_letters import DeadLetter, Reason
from manila_lite.rpc.endpoints import Accepted, Endpoints
from manila_lite.rpc.volume_objects import reduced
from manila_lite.rpc.wire import ParsedMessage
from manila_lite.volume import flows

VOLUME_ID = "4f2d1c5e-6d1c-4c37-a6f5-0f2a3b9d7e11"
SNAPSHOT_ID = "9a0b7c66-3a55-4a0f-9d0c-5a6a2f8b1c22"
SECRET = "CHAP geheim geheim"


def serialized(name, **data):
    """As CinderObjectSerializer writes an object."""
    return {
        "versioned_object.name": name,
        "versioned_object.namespace": "cinder",
        "versioned_object.version": "1.8",
        "versioned_object.changes": [],
        "versioned_object.data": data,
    }


VOLUME = serialized(
    "Volume", id=VOLUME_ID, size=5, provider_auth=SECRET, status="creating",
    volume_attachment=serialized("VolumeAttachmentList", objects=[]),
)  # fmt: skip
SNAPSHOT = serialized("Snapshot", id=SNAPSHOT_ID, volume_id=VOLUME_ID, provider_auth=SECRET)
SPECIFICATION = serialized(
    "RequestSpec", volume_id=VOLUME_ID, image_id="an-image", snapshot_id=None,
    volume=VOLUME, volume_properties=serialized("VolumeProperties", size=5),
)  # fmt: skip


@pytest.fixture(scope="module")
def endpoints():
    return Endpoints(flows.registry.flows, volume_methods.RPC_API_VERSION, reduced)


def ask(endpoints, method, args, msg_id=None, version="3.0"):
    context = {"request_id": "req-1"}
    return endpoints.accept(
        ParsedMessage(method, version, args, context, "u1", msg_id=msg_id, reply_q=msg_id and "q")
    )


@pytest.mark.parametrize(
    ("method", "args", "expected"),
    [
        (
            "create_volume",
            {"volume": VOLUME, "request_spec": SPECIFICATION, "allow_reschedule": True,
             "filter_properties": {"request_spec": SPECIFICATION, "retry": {}}},
            {"volume_id": VOLUME_ID, "allow_reschedule": True, "filter_properties": None,
             "request_spec": {"volume_id": VOLUME_ID, "image_id": "an-image"}},
        ),
        ("delete_volume", {"volume": VOLUME, "unmanage_only": False, "cascade": True},
         {"volume_id": VOLUME_ID, "unmanage_only": False, "cascade": True}),
        ("create_snapshot", {"snapshot": SNAPSHOT}, {"snapshot_id": SNAPSHOT_ID}),
        ("delete_snapshot", {"snapshot": SNAPSHOT, "unmanage_only": False},
         {"snapshot_id": SNAPSHOT_ID, "unmanage_only": False}),
        ("revert_to_snapshot", {"volume": VOLUME, "snapshot": SNAPSHOT},
         {"volume_id": VOLUME_ID, "snapshot_id": SNAPSHOT_ID}),
        ("extend_volume", {"volume": VOLUME, "new_size": 7, "reservations": ["r"]},
         {"volume_id": VOLUME_ID, "new_size": 7, "reservations": ["r"]}),
        ("migrate_volume",
         {"volume": VOLUME, "force_host_copy": False,
          "host": {"host": "a@b#c", "cluster_name": None, "capabilities": {"x": [1] * 99}}},
         {"volume_id": VOLUME_ID, "force_host_copy": False, "host": {"host": "a@b#c"}}),
        ("manage_existing", {"volume": VOLUME, "ref": {"source-name": "f"}},
         {"volume_id": VOLUME_ID, "ref": {"source-name": "f"}}),
        ("copy_volume_to_image", {"volume_id": VOLUME_ID, "image_meta": {"id": "i"}},
         {"volume_id": VOLUME_ID, "image_meta": {"id": "i"}}),
        ("remove_export", {"volume_id": VOLUME_ID}, {"volume_id": VOLUME_ID}),
        ("publish_service_capabilities", {}, {}),
    ],
)  # fmt: skip
def test_a_cast_of_cinders_becomes_one_with_ids(endpoints, method, args, expected):
    accepted = ask(endpoints, method, args)

    assert isinstance(accepted, Accepted), accepted
    assert accepted.arguments == expected
    assert SECRET not in json.dumps(accepted.arguments)


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("initialize_connection", {"volume": VOLUME, "connector": {"host": "h"}}),
        ("attach_volume",
         {"volume_id": VOLUME_ID, "volume": VOLUME, "instance_uuid": "4f2d", "host_name": None,
          "mountpoint": "/dev/vdb", "mode": "rw"}),
        ("detach_volume", {"volume_id": VOLUME_ID, "volume": VOLUME, "attachment_id": "a"}),
        ("attachment_update", {"vref": VOLUME, "connector": {}, "attachment_id": "a"}),
        ("attachment_delete", {"vref": VOLUME, "attachment_id": "a"}),
        ("secure_file_operations_enabled", {"volume": VOLUME}),
    ],
)  # fmt: skip
def test_a_call_of_cinders_becomes_one_with_ids(endpoints, method, args):
    accepted = ask(endpoints, method, args, msg_id="m", version="3.9")

    assert isinstance(accepted, Accepted), accepted
    assert accepted.arguments["volume_id"] == VOLUME_ID


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"volume": serialized("Volume", size=1)}, "without an id"),
        ({"volume": serialized("Volume", id=7)}, "without an id"),
        ({"volume": VOLUME, "volume_id": "another"}, "given twice"),
        ({"volume_id": "another", "volume": VOLUME}, "given twice"),
    ],
)
def test_an_object_that_names_nothing_is_refused(endpoints, args, word):
    letter = ask(endpoints, "delete_volume", args)

    assert isinstance(letter, DeadLetter)
    assert (letter.reason, word in letter.detail) == (Reason.WRONG_TYPE, True)


def test_an_id_that_could_be_a_path_is_refused_inside_of_an_object_too(endpoints):
    letter = ask(endpoints, "delete_volume", {"volume": serialized("Volume", id="../etc")})

    assert isinstance(letter, DeadLetter)
    assert letter.reason is Reason.BAD_IDENTIFIER


def test_a_plain_specification_is_reduced_like_an_object():
    plain = {"snapshot_id": SNAPSHOT_ID, "volume_properties": {"provider_auth": SECRET}}

    assert reduced({"request_spec": plain}) == {"request_spec": {"snapshot_id": SNAPSHOT_ID}}


def test_what_the_table_of_our_client_says_is_what_the_service_takes(endpoints):
    for name, method in volume_methods.METHODS.items():
        endpoint = endpoints.methods[name]
        assert set(endpoint.required) <= set(method.args) <= set(endpoint.checks), name
        assert endpoint.is_call == (method.kind == volume_methods.CALL), name


def test_versions_of_another_major_number_are_not_spoken(endpoints):
    letter = ask(endpoints, "remove_export", {"volume_id": VOLUME_ID}, version="2.6")

    assert isinstance(letter, DeadLetter)
    assert letter.reason is Reason.UNSUPPORTED_VERSION


def test_what_the_service_starts_itself_cannot_be_cast(endpoints):
    for method in ("update_snapshot_status", "ensure_volume_exports", "_check_volume"):
        assert method not in endpoints.methods
