# SPDX-License-Identifier: Apache-2.0
"""Share drivers without storage: one for benchmarks, two for tests that kill the service.

All are real ShareDrivers, chosen like any other with ``share_driver = manila_lite.testing.drivers.
NullDriver`` (or ScriptedDriver, SlowDriver) in a back end's section.
"""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from oslo_config import cfg

from manila_lite import exception
from manila_lite.clock import Clock, SystemClock
from manila_lite.share.driver import ShareDriver
from manila_lite.share.driver.base import Model, Rules, ShareServer

OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "scripted_journal",
        help="File to which each call adds a line when it begins and when it ends.",
    ),
    cfg.FloatOpt(
        "scripted_delay", default=0.0, min=0.0, help="Seconds that each listed call takes."
    ),
    cfg.DictOpt(
        "scripted_delays",
        default={},
        help="Seconds by method, such as create_share:2,delete_share:0.5; before scripted_delay.",
    ),
    cfg.DictOpt(
        "scripted_failures",
        default={},
        help="Exceptions by method, such as create_share:BackendBusy*2,delete_share:InvalidShare. "
        "*2 lets two calls fail; without a number all fail. Counted over all processes by the "
        "journal, where there is one.",
    ),
]


class NullDriver(ShareDriver):
    """Does nothing, at once, and says that it went well. Knows nothing of earlier calls."""

    #: Which modes of driver_handles_share_servers it supports.
    MODES: ClassVar[Any] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(self.MODES, *args, **kwargs)

    def create_share(
        self, context: Any, share: Model, share_server: ShareServer = None
    ) -> list[dict[str, Any]]:
        return self._exports(share)

    def create_share_from_snapshot(
        self, context: Any, share: Model, snapshot: Model, share_server: ShareServer = None
    ) -> list[dict[str, Any]]:
        return self._exports(share)

    def delete_share(self, context: Any, share: Model, share_server: ShareServer = None) -> None:
        """Nothing was made."""

    def ensure_share(
        self, context: Any, share: Model, share_server: ShareServer = None
    ) -> list[dict[str, Any]]:
        return self._exports(share)

    def ensure_shares(self, context: Any, shares: Sequence[Model]) -> dict[str, dict[str, Any]]:
        return {share["id"]: {"export_locations": self._exports(share)} for share in shares}

    def get_backend_info(self, context: Any) -> dict[str, Any]:
        return {"version": "1.0"}

    def extend_share(self, share: Model, new_size: int, share_server: ShareServer = None) -> None:
        """Sizes are the service's business."""

    def shrink_share(self, share: Model, new_size: int, share_server: ShareServer = None) -> None:
        """Nothing is ever used."""

    def create_snapshot(
        self, context: Any, snapshot: Model, share_server: ShareServer = None
    ) -> dict[str, Any]:
        return {"provider_location": snapshot["name"]}

    def delete_snapshot(
        self, context: Any, snapshot: Model, share_server: ShareServer = None
    ) -> None:
        """Nothing was made."""

    def revert_to_snapshot(
        self,
        context: Any,
        snapshot: Model,
        share_access_rules: Rules,
        snapshot_access_rules: Rules,
        share_server: ShareServer = None,
    ) -> None:
        """Every share is like every other."""

    def manage_existing(self, share: Model, driver_options: Mapping[str, Any]) -> dict[str, Any]:
        size = int(driver_options.get("size") or 1)
        return {"size": size, "export_locations": self._exports(share)}

    def manage_existing_snapshot(
        self, snapshot: Model, driver_options: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {"size": int(driver_options.get("size") or 1)}

    def update_access(
        self,
        context: Any,
        share: Model,
        access_rules: Rules,
        add_rules: Rules,
        delete_rules: Rules,
        share_server: ShareServer = None,
    ) -> None:
        """Everybody may do nothing."""

    def get_pool(self, share: Model) -> str:
        return str(share.get("host") or "").partition("#")[2] or "null"

    def _exports(self, share: Model) -> list[dict[str, Any]]:
        return [{"path": f"null:/{share['name']}", "is_admin_only": False, "metadata": {}}]

    def _update_share_stats(self, data: dict[str, Any] | None = None) -> None:
        """One pool that is never full."""
        pool = {
            "pool_name": "null",
            "total_capacity_gb": "infinite",
            "free_capacity_gb": "infinite",
            "reserved_percentage": 0,
        }
        stats = {"storage_protocol": "NFS", "pools": [pool], "revert_to_snapshot_support": True}
        super()._update_share_stats({**stats, **(data or {})})


class CallJournal:
    """Lines in a file, each written at once: they outlive the process, and processes share them."""

    def __init__(self, path: str) -> None:
        self.path = path

    def add(self, **entry: Any) -> None:
        """Add a line; processes may do so at the same time."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o644)
        try:
            os.write(descriptor, json.dumps({**entry, "pid": os.getpid()}).encode() + b"\n")
        finally:
            os.close(descriptor)

    def entries(self, **wanted: Any) -> list[dict[str, Any]]:
        """The lines with these values, in the order of writing; none before the first call."""
        try:
            with open(self.path, encoding="utf-8") as lines:
                entries = [json.loads(line) for line in lines]
        except FileNotFoundError:
            return []
        return [entry for entry in entries if wanted.items() <= entry.items()]


def _scripted(name: str) -> Callable[..., Any]:
    """A method that writes down, waits and may fail before it does what NullDriver does."""
    inherited = getattr(NullDriver, name)

    @functools.wraps(inherited)
    def method(self: ScriptedDriver, *args: Any, **kwargs: Any) -> Any:
        identity = _identity([*args, *kwargs.values()])
        self.journal_call(name, identity, "begin")
        self.wait_as_told(name)
        self.fail_as_told(name)
        result = inherited(self, *args, **kwargs)
        self.journal_call(name, identity, "end")
        return result

    return method


def _identity(args: Sequence[Any]) -> str | None:
    """The id of the share or snapshot that a call is about: its first model."""
    return next((str(arg["id"]) for arg in args if isinstance(arg, Mapping)), None)


class ScriptedDriver(NullDriver):
    """Takes as long as it is told, fails as it is told, and keeps a journal of its calls.

    A line of the journal is a JSON object: method, id (of the share or snapshot), phase (begin or
    end), at (UTC) and pid. A call that was killed, or that failed, has no end. See OPTS for the
    options.
    """

    METHODS: ClassVar[tuple[str, ...]] = (
        "create_share", "create_share_from_snapshot", "delete_share", "ensure_share",
        "extend_share", "shrink_share", "create_snapshot", "delete_snapshot",
        "revert_to_snapshot", "manage_existing", "manage_existing_snapshot", "update_access",
    )  # fmt: skip

    def __init__(self, *args: Any, clock: Clock | None = None, **kwargs: Any) -> None:
        """``clock`` measures the delays; the machine's by default."""
        opts = [*kwargs.pop("config_opts", []), OPTS]
        super().__init__(*args, config_opts=opts, **kwargs)
        self._clock = clock or SystemClock()
        self._failed: dict[str, int] = {}
        path = self.configuration.safe_get("scripted_journal")
        self.calls = CallJournal(path) if path else None

    def journal_call(self, method: str, identity: str | None, phase: str) -> None:
        if self.calls is not None:
            moment = self._clock.now().isoformat()
            self.calls.add(method=method, id=identity, phase=phase, at=moment)

    def wait_as_told(self, method: str) -> None:
        delays = self.configuration.safe_get("scripted_delays")
        delay = float(delays.get(method, self.configuration.safe_get("scripted_delay")))
        if delay:
            self._clock.wait(threading.Event(), delay)

    def fail_as_told(self, method: str) -> None:
        told = self.configuration.safe_get("scripted_failures").get(method)
        if not told:
            return
        name, _, times = told.partition("*")
        if times and self._failures(method) >= int(times):
            return
        self._failed[method] = self._failed.get(method, 0) + 1
        self.journal_call(method, None, "fail")
        raise getattr(exception, name)(f"{method} fails as it was told to")

    def _failures(self, method: str) -> int:
        if self.calls is None:
            return self._failed.get(method, 0)
        return len(self.calls.entries(method=method, phase="fail"))


for _name in ScriptedDriver.METHODS:
    setattr(ScriptedDriver, _name, _scripted(_name))


class SlowDriver(ScriptedDriver):
    """As ScriptedDriver; each call takes half a second unless an option says otherwise."""

    def wait_as_told(self, method: str) -> None:
        configured = self.configuration
        if configured.safe_get("scripted_delay") or configured.safe_get("scripted_delays"):
            super().wait_as_told(method)
        else:
            self._clock.wait(threading.Event(), 0.5)
