# SPDX-License-Identifier: Apache-2.0
"""The callback server on a free port, with one snapshot and a list for a journal."""

import contextlib
import threading

import pytest

from manila_lite.callback.application import Application
from manila_lite.callback.authentication import guarded
from manila_lite.callback.server import CallbackServer
from manila_lite.conf.load import load

SNAPSHOT = "6c1ad4e2-0000-4000-8000-000000000002"
VOLUME = "6c1ad4e2-0000-4000-8000-000000000001"
TOKEN = "a-shared-token-of-some-length"
WAIT = 20.0


class Site:
    """What the application is given: a snapshot, and a place for what is recorded."""

    def __init__(self):
        self.row = {
            "id": SNAPSHOT,
            "volume_id": VOLUME,
            "status": "creating",
            "progress": "0%",
            "volume_size": 1,
            "display_name": "monday",
            "display_description": "by hand",
            "project_id": "demo",
        }
        self.recorded = []
        self.hold = threading.Event()
        self.hold.set()
        self.entered = threading.Event()

    def snapshot(self, snapshot_id):
        return self.row if snapshot_id == SNAPSHOT else None

    def journal(self, method, arguments, context, message_id):
        self.entered.set()
        assert self.hold.wait(WAIT)
        self.recorded.append((method, arguments, context, message_id))


def written(tmp_path, text):
    path = tmp_path / "callback.conf"
    path.write_text(text)
    return load([], [str(path)])


@contextlib.contextmanager
def served(application, port=0, **options):
    server = CallbackServer(application, "127.0.0.1", port, **options)
    server.start()
    try:
        assert server.listening.wait(WAIT)
        yield server
    finally:
        server.stop(timeout=1.0)


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def serve(site, tmp_path):
    """serve(text of the configuration) -> a running server of the site."""
    with contextlib.ExitStack() as stack:

        def start(text=f"[callback]\ntoken = {TOKEN}\n", **options):
            application = guarded(Application(site.journal, site.snapshot), written(tmp_path, text))
            return stack.enter_context(served(application, **options))

        yield start
