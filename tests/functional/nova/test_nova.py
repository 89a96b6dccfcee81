# SPDX-License-Identifier: Apache-2.0
"""The stand-in speaks as Nova does: routes, refusals, callbacks and faults."""

import json
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest

from tests.fixtures.daemon import poll
from tests.functional.nova.listener import VolumeApi
from tests.functional.nova.nova import CREATE, DELETE, Trouble

VOLUME, SNAPSHOT = str(uuid.uuid4()), str(uuid.uuid4())
ROUTE = "os-assisted-volume-snapshots"
NEW = {"snapshot_id": SNAPSHOT, "type": "qcow2", "new_file": "overlay"}
COMMIT = {"type": "qcow2", "volume_id": VOLUME, "file_to_merge": "b", "merge_target_file": "a"}
PULL = {**COMMIT, "merge_target_file": None}


class Recording:
    """A hypervisor that remembers what it was told to do."""

    def __init__(self):
        self.done = []

    def snapshot(self, new_file, snapshot_id):
        self.done.append(("snapshot", new_file, snapshot_id))

    def pull(self, base_file):
        self.done.append(("pull", base_file))

    def commit(self, top_file, base_file):
        self.done.append(("commit", top_file, base_file))


@pytest.fixture
def guest(nova):
    made = Recording()
    nova.attach(VOLUME, made)
    return made


@pytest.fixture
def listener(nova):
    with VolumeApi() as made:
        nova.volume_api = made.url
        yield made


def ask(method, url, body=None):
    request = urllib.request.Request(
        url, method=method, data=None if body is None else json.dumps(body).encode()
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def create(nova, info=NEW, volume_id=VOLUME, **more):
    body = {"snapshot": {"volume_id": volume_id, "create_info": info, **more}}
    return ask("POST", f"{nova.url}/{ROUTE}", body)


def delete(nova, info):
    query = urllib.parse.urlencode({"delete_info": json.dumps(info)})
    return ask("DELETE", f"{nova.url}/{ROUTE}/{SNAPSHOT}?{query}")


def said(status):
    return [("POST", SNAPSHOT, {"status": status, "progress": "90%"})]


def test_a_create_is_answered_at_once_and_called_back_when_done(nova, guest, listener):
    assert create(nova) == (200, {"snapshot": {"id": None, "volumeId": VOLUME}})
    nova.wait_idle()
    assert guest.done == [("snapshot", "overlay", SNAPSHOT)]
    assert listener.posts() == said("creating")


@pytest.mark.parametrize(("info", "done"), [(COMMIT, ("commit", "b", "a")), (PULL, ("pull", "b"))])
def test_a_delete_commits_or_pulls(nova, guest, listener, info, done):
    assert delete(nova, info) == (204, None)
    nova.wait_idle()
    assert guest.done == [done]
    assert listener.posts() == said("deleting")


def test_after_a_create_nova_asks_until_the_snapshot_is_no_longer_being_created(
    nova, guest, listener
):
    listener.statuses[SNAPSHOT] = "creating"
    create(nova)
    poll(lambda: len(listener.gets()) >= 2, "questions of Nova")
    assert nova.still_polls(SNAPSHOT)
    listener.statuses[SNAPSHOT] = "available"
    poll(lambda: not nova.still_polls(SNAPSHOT), "the end of the questions")


@pytest.mark.parametrize(
    "info",
    [
        {**NEW, "type": "raw"},
        {**NEW, "new_file": ""},
        {**NEW, "new_file": None},
        {**NEW, "more": 1},
        {"snapshot_id": SNAPSHOT, "type": "qcow2"},
        "text",
    ],
)
def test_a_create_that_does_not_fit_the_schema_is_refused(nova, guest, info):
    code, answer = create(nova, info)
    assert (code, answer["badRequest"]["code"]) == (400, 400)
    assert guest.done == []


def test_what_stands_beside_the_create_info_is_refused(nova, guest):
    assert create(nova, more=1)[0] == 400


def test_a_delete_without_its_information_is_refused(nova, guest):
    assert ask("DELETE", f"{nova.url}/{ROUTE}/{SNAPSHOT}")[0] == 400
    assert delete(nova, {"type": "qcow2"})[0] == 400


def test_a_volume_that_no_instance_has_is_refused(nova):
    code, answer = create(nova)
    assert code == 400
    assert VOLUME in answer["badRequest"]["message"]
    assert nova.requests == []


def test_other_routes_are_not_found(nova):
    assert ask("GET", f"{nova.url}/servers")[0] == 404
    assert ask("POST", f"{nova.url}/{ROUTE}/{SNAPSHOT}", {})[0] == 404


def test_work_that_fails_is_called_back_as_failed_with_the_same_progress(nova, guest, listener):
    nova.troubles = lambda kind, snapshot_id: Trouble(fails=True)
    create(nova)
    nova.wait_idle()
    delete(nova, COMMIT)
    nova.wait_idle()
    assert listener.posts() == said("error") + said("error_deleting")
    assert guest.done == []
    assert [request.kind for request, _ in nova.failures] == [CREATE, DELETE]


@pytest.mark.parametrize(
    ("trouble", "count", "done"),
    [
        (Trouble(callbacks=()), 0, True),
        (Trouble(callbacks=(0, 0)), 2, True),
        (Trouble(callbacks=(0.05,)), 1, True),
        (Trouble(broken=True), 0, True),
        (Trouble(idle=True), 0, False),
    ],
)
def test_callbacks_are_lost_doubled_late_or_broken_as_wished(
    nova, guest, listener, trouble, count, done
):
    nova.troubles = lambda kind, snapshot_id: trouble
    assert delete(nova, COMMIT)[0] == 204
    nova.wait_idle()
    assert listener.posts() == said("deleting") * count
    assert bool(guest.done) is done


def test_a_refusal_as_wished_does_nothing(nova, guest):
    nova.troubles = lambda kind, snapshot_id: Trouble(refusal="the guest is paused")
    code, answer = delete(nova, COMMIT)
    assert (code, answer["badRequest"]["message"]) == (400, "the guest is paused")
    assert guest.done == []


def test_a_callback_that_nobody_takes_is_forgotten(nova, guest):
    nova.volume_api = "http://127.0.0.1:9"
    delete(nova, COMMIT)
    nova.wait_idle()
    assert [callback.answer for callback in nova.callbacks] == [None]
