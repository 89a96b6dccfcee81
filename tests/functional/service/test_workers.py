# SPDX-License-Identifier: Apache-2.0
"""Several processes: two back ends under one parent, and two workers of one back end."""

import os
import signal

import pytest

from manila_lite import states
from tests.fixtures.daemon import poll
from tests.fixtures.databases import fresh_url
from tests.functional.service.conftest import ALPHA, BETA, HOST
from tests.functional.service.rows import SIZE

SLOW = 0.2  # seconds that each call of the driver takes


def test_each_back_end_has_a_process_of_its_own_and_its_own_casts(service, senders):
    pids = service.processes()
    assert set(pids) == {f"{HOST}@alpha", f"{HOST}@beta"}
    assert len({*pids.values(), service.daemon.pid}) == 3
    rows = service.rows
    shares = [rows.share(ALPHA), rows.share(BETA)]
    requests = [senders["recorded"].cast("create_share_instance", share) for share in shares]
    hosts = [service.ended(request)["host"] for request in requests]
    assert hosts == [f"{HOST}@alpha", f"{HOST}@beta"]
    assert [rows.exports(share)[0].split(":")[0] for share in shares] == [
        "null",
        "files.example.org",
    ]


def test_a_back_end_whose_process_dies_is_started_again_and_the_other_one_is_not(service, senders):
    before = service.processes()
    os.kill(before[f"{HOST}@alpha"], signal.SIGKILL)

    def replaced():
        now = service.processes()
        return now.get(f"{HOST}@alpha") not in (None, before[f"{HOST}@alpha"]) and now

    after = poll(replaced, "another process of alpha")
    assert after[f"{HOST}@beta"] == before[f"{HOST}@beta"]
    share = service.rows.share(ALPHA)
    service.ended(senders["recorded"].cast("create_share_instance", share), timeout=30)
    assert service.rows.status(share) == states.AVAILABLE


# -- two workers -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with fresh_url("postgresql", tmp_path_factory.mktemp("workers")) as found:
        yield found


@pytest.fixture(scope="module")
def pair(services, rabbitmq, url, tmp_path_factory):
    """Two daemons of one host and one database, whose driver takes its time."""
    calls = tmp_path_factory.mktemp("calls") / "calls"
    made = [
        services(
            url=url,
            broker=rabbitmq,
            default={"enabled_share_backends": "alpha"},
            ours={"operation_threads": 2},
            alpha={"scripted_delay": SLOW, "scripted_journal": calls},
        )
        for _ in range(2)
    ]
    for number, service in enumerate(made, 1):
        service.calls.path = str(calls)
        service.start(f"{HOST}@alpha")
        poll(lambda service=service, number=number: len(service.workers()) == number, "a worker")
    return made


@pytest.fixture(scope="module")
def sender(pair):
    return pair[0].raw()


def test_the_load_of_one_queue_is_shared(pair, sender):
    rows = pair[0].rows
    shares = [rows.share(ALPHA) for _ in range(24)]
    for share in shares:
        sender.cast("create_share_instance", share)
    poll(lambda: {rows.status(share) for share in shares} == {states.AVAILABLE}, "all shares")
    ids = {share.instance_id for share in shares}
    begun = pair[0].calls.entries(method="create_share", phase="begin")
    calls = [entry for entry in begun if entry["id"] in ids]
    assert len(calls) == len(shares)
    by_process = [sum(c["pid"] == pid for c in calls) for pid in {c["pid"] for c in calls}]
    assert len(by_process) == 2
    assert min(by_process) >= 4


def test_casts_of_one_share_are_carried_out_one_at_a_time_and_in_order(pair, sender):
    rows, calls = pair[0].rows, pair[0].calls
    shares = [rows.share(ALPHA) for _ in range(4)]
    for share in shares:
        sender.cast("create_share_instance", share)
    snapshots = {share: [rows.snapshot(share) for _ in range(4)] for share in shares}
    for number in range(4):
        for share in shares:
            sender.cast("create_snapshot", snapshots[share][number])
    for share in shares:
        request = sender.cast("extend_share", share, new_size=SIZE + 1, reservations=[])
    pair[0].ended(request, timeout=60)
    poll(lambda: {rows.of_share(s)["size"] for s in shares} == {SIZE + 1}, "all extensions")
    for share in shares:
        ids = {share.instance_id, *(x.instance_id for x in snapshots[share])}
        seen = [e for e in calls.entries() if e["id"] in ids]
        begun = [e["id"] for e in seen if e["phase"] == "begin"]
        in_order = [share.instance_id, *(x.instance_id for x in snapshots[share])]
        assert begun == [*in_order, share.instance_id]
        assert [e["phase"] for e in seen] == ["begin", "end"] * 6


def test_a_worker_that_stops_hands_its_work_over(pair, sender):
    rows = pair[0].rows
    shares = [rows.share(ALPHA) for _ in range(12)]
    for share in shares:
        sender.cast("create_share_instance", share)
    assert pair[0].daemon.terminate() == 0
    poll(lambda: {rows.status(share) for share in shares} == {states.AVAILABLE}, "all shares")
    for share in shares:
        assert pair[1].called("create_share", share.instance_id) == 1
