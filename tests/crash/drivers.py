# SPDX-License-Identifier: Apache-2.0
"""A driver whose storage is the journal of its calls: it outlives the process and can be asked."""

import datetime
import os
import signal
from pathlib import Path

from manila_lite import exception, states
from manila_lite.testing.drivers import ScriptedDriver

COPY_SECONDS = 0.3
# What the name of the journal is followed by to name a file with the id of a share that no
# process survives making.
POISON = ".poison"


class RememberingDriver(ScriptedDriver):
    """As ScriptedDriver; says of a share that it is there when a call that made it came to an end.

    A share that is made from a snapshot is filled in the background afterwards, for COPY_SECONDS.
    """

    def create_share(self, context, share, share_server=None):
        poison = Path(self.calls.path + POISON)
        if poison.exists() and poison.read_text() == share["id"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().create_share(context, share, share_server)

    def create_share_from_snapshot(self, context, share, snapshot, share_server=None):
        exports = super().create_share_from_snapshot(context, share, snapshot, share_server)
        return {"status": states.CREATING_FROM_SNAPSHOT, "export_locations": exports}

    def get_share_status(self, share, share_server=None):
        made = self._made(share)
        if made["method"] == "create_share":
            raise NotImplementedError
        since = self._clock.now() - datetime.datetime.fromisoformat(made["at"])
        if since.total_seconds() < COPY_SECONDS:
            return {"status": states.CREATING_FROM_SNAPSHOT, "progress": "50%"}
        return {"status": states.AVAILABLE, "export_locations": self._exports(share)}

    def ensure_share(self, context, share, share_server=None):
        self._made(share)
        return super().ensure_share(context, share, share_server)

    def update_share_from_metadata(self, context, share, metadata, share_server=None):
        self.journal_call("update_share_from_metadata", share["id"], "begin")

    def _made(self, share):
        """The end of the call that made the share; of two, the first."""
        for entry in self.calls.entries(id=share["id"], phase="end"):
            if entry["method"] in ("create_share", "create_share_from_snapshot"):
                return entry
        raise exception.ShareResourceNotFound(share_id=share["id"])
