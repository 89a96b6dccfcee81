# SPDX-License-Identifier: Apache-2.0
"""The part of Nova's API that a volume service uses, over HTTP on the loopback address.

Routes, answers and the schema of the bodies are those of Nova 34's os-assisted-volume-snapshots.
"""

import http.server
import json
import re
import socket
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any

_ROUTE = re.compile(r"/v2\.1(?:/[0-9a-z-]+)?/os-assisted-volume-snapshots(?:/([0-9a-f-]{36}))?")
_VERSION = {
    "id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1",
    "updated": "2013-07-23T11:33:21Z",
}  # fmt: skip
_CREATE_INFO = {"snapshot_id": str, "type": str, "new_file": str}

Create = Callable[[str, dict[str, Any]], None]
Delete = Callable[[str, dict[str, Any]], None]


class Refused(Exception):
    """Answered as 400, with this text."""


class ComputeApi:
    """Listens until it is closed. create(volume id, create_info) and delete(snapshot id,
    delete_info) queue the work, or raise Refused."""

    def __init__(self, create: Create, delete: Delete) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.create, self._server.delete = create, delete
        self.url = f"http://127.0.0.1:{self._server.server_port}/v2.1"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @staticmethod
    def break_off(url: str, body: bytes, token: str | None) -> None:
        """Begin a POST of the body, and close the connection in the middle of it."""
        parts = urllib.parse.urlsplit(url)
        assert parts.hostname is not None
        head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        head += f"X-Auth-Token: {token}\r\n" if token is not None else ""
        with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
            connection.sendall(head.encode() + b"\r\n" + body[: len(body) // 2])


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    create: Create
    delete: Delete


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *_: Any) -> None:
        """Tests say themselves what went wrong."""

    def do_GET(self) -> None:
        """What a client asks first to learn the versions."""
        links = [{"rel": "self", "href": f"http://{self.headers['Host']}/v2.1/"}]
        version = {**_VERSION, "links": links}
        if self.path.rstrip("/") == "":
            self._answer(300, {"versions": [version]})
        elif self.path.rstrip("/") == "/v2.1":
            self._answer(200, {"version": version})
        else:
            self._fail(404, "itemNotFound", "The resource could not be found.")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        route = _ROUTE.fullmatch(self.path)
        if route is None or route[1] is not None:
            self._fail(404, "itemNotFound", "The resource could not be found.")
            return
        try:
            volume_id, info = _new_snapshot(body)
            self.server.create(volume_id, info)
        except Refused as refusal:
            self._fail(400, "badRequest", str(refusal))
            return
        self._answer(200, {"snapshot": {"id": info.get("id"), "volumeId": volume_id}})

    def do_DELETE(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        route = _ROUTE.fullmatch(parts.path)
        if route is None or route[1] is None:
            self._fail(404, "itemNotFound", "The resource could not be found.")
            return
        try:
            self.server.delete(route[1], _delete_info(parts.query))
        except Refused as refusal:
            self._fail(400, "badRequest", str(refusal))
            return
        self._answer(204, None)

    def _fail(self, code: int, kind: str, message: str) -> None:
        self._answer(code, {kind: {"code": code, "message": message}})

    def _answer(self, code: int, body: Any) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("OpenStack-API-Version", "compute 2.1")
        if body is not None:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _new_snapshot(body: bytes) -> tuple[str, dict[str, Any]]:
    """(volume id, create_info) of a body that has exactly what Nova's schema asks for."""
    try:
        found = json.loads(body)
        (snapshot,) = _only(found, "snapshot")
        volume_id, info = _only(snapshot, "volume_id", "create_info")
        unknown = set(info) - {*_CREATE_INFO, "id"}
        texts = [volume_id, *(info[name] for name in _CREATE_INFO)]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"Invalid input: {error!r}") from None
    if unknown or info["type"] != "qcow2" or not all(t and isinstance(t, str) for t in texts):
        raise Refused(f"Invalid input for field/attribute create_info: {info}")
    return volume_id, info


def _only(found: Any, *names: str) -> list[Any]:
    if not isinstance(found, dict) or set(found) != set(names):
        raise ValueError(f"not exactly {', '.join(names)}")
    return [found[name] for name in names]


def _delete_info(query: str) -> dict[str, Any]:
    try:
        info = json.loads(urllib.parse.parse_qs(query, strict_parsing=True)["delete_info"][0])
        info["volume_id"], info["file_to_merge"], info["merge_target_file"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"Invalid delete_info: {error!r}") from None
    result: dict[str, Any] = info
    return result
