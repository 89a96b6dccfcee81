# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Nova: it queues what it is asked for, has a guest do it, and calls back.

Its guests are real; what it does not have is a database, a scheduler and Keystone. Faults are
told to it beforehand, one Trouble for each request.
"""

import contextlib
import dataclasses
import http.client
import json
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Protocol

from tests.functional.nova.compute_api import ComputeApi, Refused

LOG = logging.getLogger(__name__)

CREATE, DELETE = "create", "delete"
_DONE = {CREATE: "creating", DELETE: "deleting"}
_FAILED = {CREATE: "error", DELETE: "error_deleting"}
_CALLBACK_SECONDS = 10
_NO_ANSWER = (OSError, http.client.HTTPException, ValueError)
_POLL_SECONDS = 0.5
_HOLD_SECONDS = 60


class Hypervisor(Protocol):
    """What Nova needs of the guest that has a volume."""

    def snapshot(self, new_file: str, snapshot_id: str) -> None: ...
    def pull(self, base_file: str | None) -> None: ...
    def commit(self, top_file: str, base_file: str) -> None: ...


@dataclasses.dataclass(frozen=True)
class Request:
    """One that Nova accepted."""

    kind: str
    snapshot_id: str
    volume_id: str
    info: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Trouble:
    """What goes wrong with one request; as it stands here, nothing.

    refusal: text of a 400, and nothing is done. idle: accepted, never carried out, never called
    back. fails: the hypervisor's work fails; claims: Nova takes no notice of that, as it does not
    when a block job fails. callbacks: seconds after the work at which Nova calls back; none when
    the callback is lost. broken: the callback's connection breaks off before it is answered.
    hold: the work begins when this is set. again: Nova calls back once more when this is set.
    blind: Nova loses sight of the work, as when libvirt is restarted: it reports a failure before
    the work begins, and says nothing at its end.
    """

    refusal: str | None = None
    idle: bool = False
    fails: bool = False
    claims: bool = False
    callbacks: tuple[float, ...] = (0.0,)
    broken: bool = False
    hold: threading.Event | None = None
    again: threading.Event | None = None
    blind: bool = False


NONE = Trouble()


@dataclasses.dataclass(frozen=True)
class Callback:
    """One that was sent: what it said, and what the volume service answered (None: nothing)."""

    snapshot_id: str
    status: str
    answer: int | None


class HypervisorFailed(Exception):
    """As a Trouble had it."""


class Nova:
    """Answers on url; the instances of a site and what became of their requests.

    requests: all that were accepted, in order. troubles: asked for each request that comes.
    failures: what the hypervisor raised, by the request.
    """

    def __init__(self, *, token: str | None = None, project_id: str = "project") -> None:
        self.volume_api: str | None = None
        self.token = token
        self.project_id = project_id
        self.troubles: Callable[[str, str], Trouble] = lambda kind, snapshot_id: NONE
        self.requests: list[Request] = []
        self.callbacks: list[Callback] = []
        self.failures: list[tuple[Request, BaseException]] = []
        self._guests: dict[str, Hypervisor] = {}
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._busy = 0
        self._polling: set[str] = set()
        self._api = ComputeApi(self._create, self._delete)
        self.url = self._api.url

    def close(self) -> None:
        self._closing.set()
        self._api.close()
        self.wait_idle()

    # -- the site ------------------------------------------------------------------------------

    def attach(self, volume_id: str, guest: Hypervisor) -> None:
        self._guests[volume_id] = guest

    def detach(self, volume_id: str) -> None:
        del self._guests[volume_id]

    def wait_idle(self, timeout: float = 60) -> None:
        """Wait until no work is under way and no callback will come any more."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._busy, timeout), "Nova is busy"

    @property
    def busy(self) -> bool:
        """Whether work is under way, or a callback to come."""
        return self._busy > 0

    def wait_asked(self, kind: str, snapshot_id: str, times: int = 1, timeout: float = 30) -> None:
        """Wait until so many requests of this kind for a snapshot were accepted."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: len(self.asked(kind, snapshot_id)) >= times, timeout
            )
        assert found, f"Nova was not asked to {kind} {snapshot_id}"

    def asked(self, kind: str, snapshot_id: str) -> list[Request]:
        """The requests of this kind for a snapshot that were accepted."""
        return [r for r in self.requests if (r.kind, r.snapshot_id) == (kind, snapshot_id)]

    def still_polls(self, snapshot_id: str) -> bool:
        """Whether Nova goes on asking after a snapshot that it made."""
        return snapshot_id in self._polling

    # -- requests, from the server's threads ---------------------------------------------------

    def _create(self, volume_id: str, info: dict[str, Any]) -> None:
        self._accept(Request(CREATE, info["snapshot_id"], volume_id, info))

    def _delete(self, snapshot_id: str, info: dict[str, Any]) -> None:
        self._accept(Request(DELETE, snapshot_id, info["volume_id"], info))

    def _accept(self, request: Request) -> None:
        trouble = self.troubles(request.kind, request.snapshot_id)
        if trouble.refusal is not None:
            raise Refused(trouble.refusal)
        guest = self._guests.get(request.volume_id)
        if guest is None:
            raise Refused(f"No volume Block Device Mapping with id {request.volume_id}.")
        with self._changed:
            self.requests.append(request)
            self._busy += 1
            self._changed.notify_all()
        work = threading.Thread(target=self._run, args=(request, guest, trouble), daemon=True)
        work.start()

    # -- work ----------------------------------------------------------------------------------

    def _run(self, request: Request, guest: Hypervisor, trouble: Trouble) -> None:
        try:
            if trouble.blind:
                self._call_back(request.snapshot_id, _FAILED[request.kind], broken=False)
                self._carry_out(request, guest, trouble)
            elif not trouble.idle:
                status = self._carry_out(request, guest, trouble)
                for delay in trouble.callbacks:
                    self._closing.wait(delay)
                    self._call_back(request.snapshot_id, status, broken=trouble.broken)
                if trouble.again is not None:
                    trouble.again.wait(_HOLD_SECONDS)
                    self._call_back(request.snapshot_id, status, broken=False)
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()
        if trouble.blind or trouble.idle:
            return
        if request.kind == CREATE and status == _DONE[CREATE]:
            self._watch(request.snapshot_id)

    def _carry_out(self, request: Request, guest: Hypervisor, trouble: Trouble) -> str:
        if trouble.hold is not None:
            trouble.hold.wait(_HOLD_SECONDS)
        try:
            if trouble.fails:
                raise HypervisorFailed()
            self._do(request, guest)
        except Exception as error:
            LOG.warning("%s of snapshot %s failed: %r", request.kind, request.snapshot_id, error)
            self.failures.append((request, error))
            return (_DONE if trouble.claims else _FAILED)[request.kind]
        return _DONE[request.kind]

    @staticmethod
    def _do(request: Request, guest: Hypervisor) -> None:
        info = request.info
        if request.kind == CREATE:
            guest.snapshot(info["new_file"], request.snapshot_id)
        elif info["merge_target_file"] is None:
            guest.pull(info["file_to_merge"])
        else:
            guest.commit(info["file_to_merge"], info["merge_target_file"])

    # -- the volume service --------------------------------------------------------------------

    def _call_back(self, snapshot_id: str, status: str, *, broken: bool) -> None:
        """Progress is 90% whatever the status. Nova does nothing about a callback that fails."""
        body = {"os-update_snapshot_status": {"status": status, "progress": "90%"}}
        path = f"snapshots/{snapshot_id}/action"
        answer = None
        with contextlib.suppress(*_NO_ANSWER):
            if broken:
                self._api.break_off(self._address(path), json.dumps(body).encode(), self.token)
            else:
                answer, _ = self._ask("POST", path, body)
        self.callbacks.append(Callback(snapshot_id, status, answer))

    def _watch(self, snapshot_id: str) -> None:
        """After a create Nova asks until the snapshot is no longer being created."""
        self._polling.add(snapshot_id)
        while not self._closing.wait(_POLL_SECONDS):
            # An error ends Nova's loop; here it would only hide whether the status is served.
            with contextlib.suppress(*_NO_ANSWER):
                code, found = self._ask("GET", f"snapshots/{snapshot_id}")
                if code == 404 or found["snapshot"]["status"] != "creating":
                    break
        self._polling.discard(snapshot_id)

    def _address(self, path: str) -> str:
        assert self.volume_api is not None, "nobody said where the volume service answers"
        return f"{self.volume_api}/v3/{self.project_id}/{path}"

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.token is not None:
            headers["X-Auth-Token"] = self.token
        request = urllib.request.Request(
            self._address(path), method=method, headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=_CALLBACK_SECONDS) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            error.close()
            return error.code, None
