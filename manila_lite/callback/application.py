# SPDX-License-Identifier: Apache-2.0
"""The WSGI application: one action, one resource, and the documents that lead a client there.

A callback is recorded before it is answered 202, and carried out later: the snapshot shows the new
status a moment after the answer. Sent twice, it is recorded twice, which does no harm: the second
finds done what it asks for.
"""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import webob
from oslo_log import log
from oslo_utils import uuidutils

from manila_lite.callback import bodies, views
from manila_lite.callback.faults import Fault
from manila_lite.context import RequestContext

LOG = log.getLogger(__name__)

METHOD = "update_snapshot_status"
IDENTITY = "manila_lite.identity"

_SNAPSHOT = re.compile(
    r"/v3(?:/[\w.:-]{1,255})?/snapshots/(?P<id>[\w.-]{1,64})(?P<action>/action)?/?", re.ASCII
)

StartResponse = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Journal(Protocol):
    """Records an operation; see recorder.Recorder.journal."""

    def __call__(
        self,
        method: str,
        arguments: Mapping[str, Any],
        context: Mapping[str, Any],
        message_id: str,
    ) -> Any:
        """Return when it is committed. Raises faults.Unavailable when it cannot be just now."""


class FindSnapshot(Protocol):
    """Looks a snapshot up; see recorder.Recorder.snapshot."""

    def __call__(self, snapshot_id: str) -> Mapping[str, Any] | None:
        """Return the row, None for one that does not exist. Raises faults.Unavailable."""


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, as far as a journal may know it: no token."""

    user_id: str | None = None
    project_id: str | None = None
    roles: tuple[str, ...] = ()


class Application:
    """Serves callers whom somebody before it has let in (environ[IDENTITY])."""

    def __init__(
        self, journal: Journal, snapshot: FindSnapshot, *, max_body_bytes: int = 16 * 1024
    ) -> None:
        self._journal = journal
        self._snapshot = snapshot
        self._max_body_bytes = max_body_bytes

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        return answer(webob.Request(environ), self._respond)(environ, start_response)

    def _respond(self, request: webob.Request) -> webob.Response:
        identity = request.environ.get(IDENTITY)
        if identity is None:
            raise Fault(401, "This request requires authentication.")
        found = _SNAPSHOT.fullmatch(_path(request))
        if found is None:
            raise Fault(404, "The resource could not be found.")
        row = self._find(found["id"])
        if found["action"]:
            _need(request, "POST")
            return self._update(request, row, identity)
        _need(request, "GET", "HEAD")
        return webob.Response(json_body={"snapshot": views.snapshot(row)})

    def _find(self, snapshot_id: str) -> Mapping[str, Any]:
        known = uuidutils.is_uuid_like(snapshot_id)
        row = self._snapshot(str(uuid.UUID(snapshot_id))) if known else None
        if row is None:
            raise Fault(404, f"Snapshot {snapshot_id} could not be found.")
        return row

    def _update(
        self, request: webob.Request, row: Mapping[str, Any], identity: Identity
    ) -> webob.Response:
        update = bodies.parse(self._body(request))
        bodies.check_transition(row["status"], update)
        arguments = {
            "snapshot_id": row["id"], "status": update.status, "progress": update.progress,
        }  # fmt: skip
        context = _context(request, identity)
        self._journal(METHOD, arguments, context.to_journal(), uuid.uuid4().hex)
        LOG.info(
            "Nova says of snapshot %s, which is %s: %s, %s",
            row["id"], row["status"], update.status, update.progress,
        )  # fmt: skip
        return webob.Response(status=202)

    def _body(self, request: webob.Request) -> bytes:
        # A page in a browser can send a form to this machine, but not JSON without being asked.
        if request.content_type != "application/json":
            raise Fault(415, "The content type must be application/json.")
        most = self._max_body_bytes
        if (request.content_length or 0) > most:
            raise Fault(413, f"The body has more than {most} bytes.")
        body = request.body_file.read(most + 1)
        if len(body) > most:
            raise Fault(413, f"The body has more than {most} bytes.")
        return body


class Discovery:
    """Answers which versions are spoken, to anybody; hands all else to the application."""

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = webob.Request(environ)
        if _path(request).rstrip("/") in ("", "/v3"):
            return answer(request, _show_versions)(environ, start_response)
        return self._application(environ, start_response)


def answer(
    request: webob.Request, respond: Callable[[webob.Request], webob.Response]
) -> webob.Response:
    """Have the request answered; an error becomes an answer too, and never a traceback."""
    version = views.MIN_VERSION
    try:
        version = views.microversion(request.headers.get(views.VERSION_HEADER))
        response = respond(request)
    except Fault as fault:
        LOG.info("%s: %d, %s", _shown(request), fault.status, fault.text)
        response = fault.response()
    except Exception:
        # A bug of ours: the caller learns that it was one, and the log which.
        LOG.exception("%s could not be answered", _shown(request))
        response = Fault(500, "The request could not be answered.").response()
    response.headers[views.VERSION_HEADER] = f"volume {version}"
    response.headers["Vary"] = views.VERSION_HEADER
    return response


def _show_versions(request: webob.Request) -> webob.Response:
    _need(request, "GET", "HEAD")
    # 300 where the client may choose a version, as in every OpenStack API.
    status = 200 if _path(request).startswith("/v3") else 300
    return webob.Response(status=status, json_body=views.versions(f"{request.application_url}/"))


def _path(request: webob.Request) -> str:
    """The path as the server gave it; WebOb's own raises for one that is no UTF-8."""
    return request.environ.get("PATH_INFO", "")


def _shown(request: webob.Request) -> str:
    """The request in a log, where it cannot begin a line of its own."""
    return ascii(f"{request.method} {_path(request)}"[:200])[1:-1]


def _need(request: webob.Request, *methods: str) -> None:
    if request.method not in methods:
        allowed = ", ".join(methods)
        raise Fault(405, f"Only {allowed} is possible here.", {"Allow": allowed})


def _context(request: webob.Request, identity: Identity) -> RequestContext:
    """The context of the operation. The caller's request id leads from its log to ours."""
    wanted = request.headers.get("X-OpenStack-Request-ID", "")
    return RequestContext(
        user_id=identity.user_id,
        project_id=identity.project_id,
        roles=list(identity.roles),
        global_request_id=wanted if _is_request_id(wanted) else None,
        overwrite=False,
    )


def _is_request_id(text: str) -> bool:
    return text.startswith("req-") and uuidutils.is_uuid_like(text[4:])
