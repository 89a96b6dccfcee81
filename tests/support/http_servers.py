# SPDX-License-Identifier: Apache-2.0
"""HTTP servers on loopback: one that follows a script of faults, and a small Keystone."""

import contextlib
import dataclasses
import http.server
import json
import socket
import struct
import threading

FAR_AWAY = "2099-01-01T00:00:00.000000Z"


@dataclasses.dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict
    body: bytes
    port: int  # of the one who asks: each connection has its own

    @property
    def json(self):
        return json.loads(self.body)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def _any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        port = self.client_address[1]
        asked = Asked(self.command, self.path, dict(self.headers), body, port)
        self.server.owner.take(asked, self)

    do_GET = do_POST = do_DELETE = do_HEAD = _any

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=None):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that hangs up in the middle is what these servers are for."""


class LoopbackServer:
    """An HTTP server on a free port; subclasses say what it does in take()."""

    def __init__(self):
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self.closing = threading.Event()
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self, asked, handler):
        raise NotImplementedError

    @contextlib.contextmanager
    def running(self):
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join(10)


class ScriptedServer(LoopbackServer):
    """Does with each request what the next entry of the script says."""

    def __init__(self, *script):
        super().__init__()
        self.script = list(script)

    def take(self, asked, handler):
        self.asked.append(asked)
        self.script.pop(0)(self, handler)


def reply(status, body=b"", headers=None):
    return lambda server, handler: handler.answer(status, body, headers)


def hang(server, handler):
    """Read the request and never answer."""
    server.closing.wait(30)
    handler.close_connection = True


def hang_up(server, handler):
    """Read the request and close the connection without a word."""
    handler.close_connection = True


def reset(server, handler):
    """Read the request and break the connection off."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()
    handler.close_connection = True


def cut_off(server, handler):
    """Begin a good answer and close the connection in the middle of it."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    handler.close_connection = True


def free_port():
    """A port on which nobody listens at this moment."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Keystone(LoopbackServer):
    """Hands out tokens for a password, and says what a token is worth.

    users: {name: (password, roles)}. catalog: {service type: url}.
    """

    def __init__(self, users, catalog):
        super().__init__()
        self.users = users
        self.catalog = dict(catalog)
        self.tokens = {}
        self.refuse = None

    def take(self, asked, handler):
        self.asked.append(asked)
        if self.refuse is not None:
            return handler.answer(self.refuse, {"error": {"code": self.refuse, "message": "no"}})
        if asked.path == "/v3/auth/tokens" and asked.method == "POST":
            return self._hand_out(asked, handler)
        if asked.path.startswith("/v3/auth/tokens"):
            return self._validate(asked, handler)
        return handler.answer(300 if asked.path == "/" else 200, self._versions(asked.path))

    def _hand_out(self, asked, handler):
        user = asked.json["auth"]["identity"]["password"]["user"]
        password, roles = self.users.get(user["name"], (None, []))
        if password is None or password != user["password"]:
            return handler.answer(401, {"error": {"code": 401, "message": "not let in"}})
        name = f"token-{len(self.tokens)}-of-{user['name']}"
        self.tokens[name] = self._token(user["name"], roles)
        return handler.answer(201, self.tokens[name], {"X-Subject-Token": name})

    def _validate(self, asked, handler):
        if asked.headers.get("X-Auth-Token") not in self.tokens:
            return handler.answer(401, {"error": {"code": 401, "message": "who asks?"}})
        found = self.tokens.get(asked.headers.get("X-Subject-Token"))
        if found is None:
            return handler.answer(404, {"error": {"code": 404, "message": "no such token"}})
        return handler.answer(200, found, {"X-Subject-Token": asked.headers["X-Subject-Token"]})

    def _token(self, name, roles):
        domain = {"id": "default", "name": "Default"}
        return {
            "token": {
                "methods": ["password"],
                "user": {"id": f"id-of-{name}", "name": name, "domain": domain},
                "project": {"id": "service-project", "name": "service", "domain": domain},
                "roles": [{"id": role, "name": role} for role in roles],
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "expires_at": FAR_AWAY,
                "audit_ids": ["a"],
                "is_domain": False,
                "catalog": [self._service(kind, url) for kind, url in self._services().items()],
            }
        }

    def _services(self):
        return {"identity": f"{self.url}/v3", **self.catalog}

    @staticmethod
    def _service(kind, url):
        ends = [
            {"id": f"{kind}-{side}", "interface": side, "region": "here", "region_id": "here",
             "url": url}
            for side in ("public", "internal", "admin")
        ]  # fmt: skip
        return {"id": kind, "type": kind, "name": kind, "endpoints": ends}

    def _versions(self, path):
        version = {
            "id": "v3.14",
            "status": "stable",
            "links": [{"rel": "self", "href": f"{self.url}/v3/"}],
        }
        return (
            {"version": version} if path.startswith("/v3") else {"versions": {"values": [version]}}
        )
