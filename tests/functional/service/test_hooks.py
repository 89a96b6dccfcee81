# SPDX-License-Identifier: Apache-2.0
"""Hooks in the daemon: around casts from the broker, and periodically."""

import json
from pathlib import Path

import pytest

from manila_lite import states
from tests.fixtures.daemon import poll
from tests.functional.service.conftest import ALPHA, HOST

CREATE = "create_share_instance"


@pytest.fixture(scope="module")
def service(services, rabbitmq):
    made = services(
        "sqlite",
        rabbitmq,
        default={"enabled_share_backends": "alpha"},
        alpha={
            "hook_drivers": "tests.support.hooks.FileHook",
            "enable_pre_hooks": True,
            "enable_post_hooks": True,
            "enable_periodic_hooks": True,
            "periodic_hooks_interval": 1,
        },
    )
    made.start(f"{HOST}@alpha")
    queue = f"manila-share.{HOST}@alpha"
    poll(lambda: made.broker.depth(queue) is not None, f"queue {queue}")
    made.sender = made.raw()
    return made


def told(service, when=None, instance=None):
    path = Path(f"{service.calls.path}.hooks")
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        line for line in lines if when in (None, line[0]) and instance in (None, line[2], *line[4])
    ]


def test_hooks_are_called_around_a_cast(service):
    share = service.rows.share(ALPHA)
    operation = service.ended(service.sender.cast(CREATE, share))
    assert operation["state"] == "succeeded"
    around = [line for line in told(service, instance=share.instance_id) if line[1] is not None]
    assert around == [
        ["before", CREATE, share.instance_id, None, []],
        ["after", CREATE, share.instance_id, f"seen {share.instance_id}", []],
    ]


@pytest.mark.parametrize(("when", "calls"), [("before", 0), ("after", 1)])
def test_hook_that_fails_ends_the_operation(service, when, calls):
    share = service.rows.share(ALPHA)
    request = service.sender.cast(CREATE, share, filter_properties={"hook": when})
    operation = service.ended(request)
    assert operation["state"] == "failed"
    assert f"the hook does not want it {when}" in operation["error"]
    assert service.rows.status(share) == states.ERROR
    assert service.called("create_share", share.instance_id) == calls


def test_periodic_hooks_see_the_shares_of_the_back_end(service):
    share = service.rows.share(ALPHA, states.AVAILABLE)
    seen = poll(lambda: told(service, "periodically", share.instance_id), "a periodic hook")
    assert seen[0][1:4] == [None, None, None]
