# SPDX-License-Identifier: Apache-2.0
"""A driver that does for each share what the share's own description says."""

import functools
import os
from collections.abc import Mapping

from manila_lite import exception, states
from manila_lite.testing.drivers import ScriptedDriver

SECRET = "geheim-of-the-driver"


class ObedientDriver(ScriptedDriver):
    """Fails for shares whose description is ``create_share=InvalidShare`` and the like.

    ``create_share=BackendBusy*2`` fails twice; ``copies`` fills a share that is made from a
    snapshot in the background. While there is a file ``<journal>.off``, the storage is off.
    """

    def check_for_setup_error(self):
        super().check_for_setup_error()
        if os.path.exists(f"{self.calls.path}.off"):
            raise exception.ShareBackendException(msg=f"the storage is off, password={SECRET}")

    def create_share_from_snapshot(self, context, share, snapshot, share_server=None):
        exports = super().create_share_from_snapshot(context, share, snapshot, share_server)
        if "copies" not in _told(share):
            return exports
        return {"status": states.CREATING_FROM_SNAPSHOT, "export_locations": exports}

    def get_share_status(self, share, share_server=None):
        """Half way at the first question, done at the second."""
        if not self.calls.entries(method="create_share_from_snapshot", id=share["id"]):
            raise NotImplementedError
        if not self.calls.entries(method="get_share_status", id=share["id"]):
            self.journal_call("get_share_status", share["id"], "begin")
            return {"status": states.CREATING_FROM_SNAPSHOT, "progress": "50%"}
        return {"status": states.AVAILABLE, "export_locations": self._exports(share)}

    def ensure_shares(self, context, shares):
        for share in shares:
            self.journal_call("ensure_shares", share["id"], "begin")
        return super().ensure_shares(context, shares)

    def get_backend_info(self, context):
        """What the file ``<journal>.info`` says: it changes when a test wants it to."""
        try:
            with open(f"{self.calls.path}.info", encoding="utf-8") as file:
                return {"version": file.read()}
        except FileNotFoundError:
            return super().get_backend_info(context)

    def update_share_usage_size(self, context, shares):
        for share in shares:
            self.journal_call("update_share_usage_size", share["id"], "begin")
        return [{"id": share["id"], "used_size": 0.5} for share in shares]


def _told(model):
    return (model.get("share") or model).get("display_description") or ""


def _obedient(name):
    inherited = getattr(ObedientDriver, name)

    @functools.wraps(inherited)
    def method(self, *args, **kwargs):
        model = next(arg for arg in args if isinstance(arg, Mapping))
        for order in _told(model).split(","):
            target, _, failure = order.partition("=")
            if target == name:
                _fail(self, name, model["id"], failure)
        return inherited(self, *args, **kwargs)

    return method


def _fail(driver, method, identity, failure):
    error, _, times = failure.partition("*")
    failed = driver.calls.entries(method=method, id=identity, phase="fail")
    if not times or len(failed) < int(times):
        driver.journal_call(method, identity, "fail")
        raise getattr(exception, error)(f"{method} failed for {identity}, password={SECRET}")


for _name in ScriptedDriver.METHODS:
    setattr(ObedientDriver, _name, _obedient(_name))
