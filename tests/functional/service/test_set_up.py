# SPDX-License-Identifier: Apache-2.0
"""A driver that is not ready when the daemon starts: casts are taken in, and carried out later."""

import os

import pytest

from manila_lite import states
from manila_lite.db import models
from tests.fixtures.daemon import poll
from tests.functional.service.conftest import ALPHA, BETA, HOST, ROOT
from tests.functional.service.drivers import SECRET


@pytest.fixture(scope="module")
def service(services, rabbitmq):
    """alpha's storage is off, and beta's directory is not mounted yet."""
    made = services("sqlite", rabbitmq)
    made.root.rmdir()
    made.off = made.daemon.directory / "calls.off"
    made.off.touch()
    made.daemon.start(PYTHONPATH=os.fspath(ROOT))
    for host in (f"{HOST}@alpha", f"{HOST}@beta"):
        poll(lambda host=host: f"{host} cannot work yet" in made.log, f"the trouble of {host}")
    return made


@pytest.fixture(scope="module")
def sender(service):
    sender = service.raw()
    for name in ("alpha", "beta"):
        queue = f"manila-share.{HOST}@{name}"
        poll(lambda queue=queue: service.broker.depth(queue) is not None, f"queue {queue}")
    return sender


def journaled(service, request):
    return poll(lambda: service.rows.operations(request_id=request), "the journal's row")[0]


def test_casts_are_in_the_journal_before_the_driver_is_ready_and_run_when_it_is(service, sender):
    rows = service.rows
    early, root = rows.share(ALPHA), rows.share(BETA)
    requests = [sender.cast("create_share_instance", share) for share in (early, root)]
    for request, share in zip(requests, (early, root), strict=True):
        assert journaled(service, request)["state"] == "queued"
        assert rows.status(share) == states.CREATING
    queue = f"manila-share.{HOST}@alpha"
    poll(lambda: service.broker.depth(queue) == 0, "an empty queue")
    assert rows.all(models.services) == []
    service.off.unlink()
    service.root.mkdir()
    for request in requests:
        assert service.ended(request, timeout=60)["state"] == "succeeded"
    assert rows.status(early) == states.AVAILABLE
    (location,) = rows.exports(root)
    assert os.path.isdir(location.partition(":")[2])
    poll(lambda: len(rows.all(models.services, state="up")) == 2, "both back ends up")


def test_the_log_says_why_without_secrets(service, sender):
    assert "the storage is off" in service.log
    assert f"directory_root = {service.root}: there is no such directory" in service.log
    assert SECRET not in service.log


def test_a_stop_while_the_driver_is_not_ready_gives_nothing_up(service, sender):
    rows = service.rows
    assert service.daemon.terminate() == 0
    service.off.touch()
    service.daemon.start(PYTHONPATH=os.fspath(ROOT))
    share = rows.share(ALPHA)
    request = sender.cast("create_share_instance", share)
    journaled(service, request)
    assert service.daemon.terminate() == 0
    assert rows.operations(request_id=request)[0]["state"] == "queued"
    service.off.unlink()
    service.start()
    assert service.ended(request)["state"] == "succeeded"
    assert rows.status(share) == states.AVAILABLE
