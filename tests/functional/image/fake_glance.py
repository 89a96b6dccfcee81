# SPDX-License-Identifier: Apache-2.0
"""Glance's v2 routes, and as much of Keystone as gives tokens, over real HTTP on loopback.

Images are kept in memory. Faults are set by the test: a queue of statuses to answer with first, a
download that stops in the middle, an upload that is cut, data that are damaged.
"""

import contextlib
import hashlib
import http.server
import json
import re
import socket
import threading
import uuid

CHUNK = 64 * 1024
USER = {"name": "cinder", "password": "geheim-und-lang"}
IMAGE = re.compile(r"^/v2/images/([\w.-]+)(/file)?$")


class Glance:
    """The server's state: images (metadata and data), tokens, what was asked, and its faults."""

    def __init__(self):
        self.images = {}
        self.data = {}
        self.requests = []
        self.tokens = set()
        self.with_tokens = False
        self.answers = []  # statuses that come before the real answers
        self.cut_download_at = None
        self.cut_upload_at = None
        self.damage_uploads = False
        self.uploading = threading.Event()  # set when the first data of one are there
        self.may_upload = threading.Event()  # more than these are read when it is set
        self.may_upload.set()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.glance = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *details):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, data=None, disk_format="raw", **meta):
        """Put an image there, active if it has data; return its id."""
        image_id = str(uuid.uuid4())
        self.images[image_id] = {
            "id": image_id, "name": "an image", "status": "queued", "size": None,
            "checksum": None, "os_hash_algo": None, "os_hash_value": None, "min_disk": 0,
            "min_ram": 0, "disk_format": disk_format, "container_format": "bare",
            "visibility": "private", "owner": "someone", "protected": False, "tags": [],
            "virtual_size": None, "os_hidden": False, "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z", "self": f"/v2/images/{image_id}",
            "file": f"/v2/images/{image_id}/file", "schema": "/v2/schemas/image",
        }  # fmt: skip
        if data is not None:
            self.store(image_id, data)
        self.images[image_id].update(meta)
        return image_id

    def store(self, image_id, data):
        self.data[image_id] = data
        self.images[image_id].update(
            status="active", size=len(data), checksum=hashlib.md5(data).hexdigest(),
            os_hash_algo="sha512", os_hash_value=hashlib.sha512(data).hexdigest(),
        )  # fmt: skip

    def asked(self, method, ending=""):
        """How many requests of that method had a path that ends like this."""
        return sum(m == method and p.endswith(ending) for m, p in self.requests)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that hang up are what some tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def glance(self):
        return self.server.glance

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self._handle(self._get)

    def do_POST(self):
        self._handle(self._post)

    def do_PATCH(self):
        self._handle(self._patch)

    def do_PUT(self):
        self._handle(self._put)

    def do_DELETE(self):
        self._handle(self._delete)

    def _handle(self, answer):
        self.glance.requests.append((self.command, self.path))
        if self.path.startswith("/identity"):
            self._identity()
        elif self.path.rstrip("/") == "":
            self._versions()
        elif self.glance.answers and self.command != "PUT":
            self._read_body()
            self._reply(self.glance.answers.pop(0), {"message": "a fault of the test"})
        elif self.glance.with_tokens and not self._is_known():
            self._read_body()
            self._reply(401, {"message": "who are you?"})
        else:
            answer()

    def _is_known(self):
        return self.headers.get("X-Auth-Token") in self.glance.tokens

    # -- Keystone ------------------------------------------------------------------------------

    def _identity(self):
        body = self._read_body()
        if self.command == "GET":
            self._reply(200, {"version": {"id": "v3.14", "status": "stable", "links": [
                {"rel": "self", "href": f"{self.glance.url}/identity/v3/"}]}})  # fmt: skip
            return
        given = json.loads(body)["auth"]["identity"]["password"]["user"]
        if (given["name"], given["password"]) != (USER["name"], USER["password"]):
            self._reply(401, {"error": {"message": "wrong password", "code": 401}})
            return
        token = uuid.uuid4().hex
        self.glance.tokens.add(token)
        endpoint = {"interface": "public", "region": "here", "region_id": "here",
                    "url": self.glance.url, "id": "e"}  # fmt: skip
        catalog = [{"type": "image", "name": "glance", "id": "g", "endpoints": [endpoint]}]
        self._reply(
            201,
            {"token": {"methods": ["password"], "expires_at": "2099-01-01T00:00:00.000000Z",
                       "issued_at": "2026-01-01T00:00:00.000000Z", "user": {"id": "u", "name": "c",
                       "domain": {"id": "d", "name": "d"}}, "catalog": catalog,
                       "project": {"id": "p", "name": "service",
                                   "domain": {"id": "d", "name": "d"}}}},
            {"X-Subject-Token": token},
        )  # fmt: skip

    def _versions(self):
        self._read_body()
        links = [{"rel": "self", "href": f"{self.glance.url}/v2/"}]
        self._reply(300, {"versions": [{"id": "v2.16", "status": "CURRENT", "links": links}]})

    # -- images --------------------------------------------------------------------------------

    def _get(self):
        if self.path == "/v2/images" or self.path.startswith("/v2/images?"):
            self._list()
            return
        image_id, of_data = self._image()
        if image_id is None:
            self._reply(404, {"message": "no such image"})
        elif of_data:
            self._send_data(image_id)
        else:
            self._reply(200, self.glance.images[image_id])

    def _list(self):
        """Pages of two, as a server with many images would have them of 25."""
        ids = sorted(self.glance.images)
        marker = re.search(r"marker=([\w-]+)", self.path)
        start = ids.index(marker.group(1)) + 1 if marker else 0
        page = ids[start : start + 2]
        body = {"images": [self.glance.images[key] for key in page], "first": "/v2/images"}
        if start + 2 < len(ids):
            body["next"] = f"/v2/images?marker={page[-1]}"
        self._reply(200, body)

    def _send_data(self, image_id):
        data = self.glance.data.get(image_id)
        if data is None:
            self._reply(204, None)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        cut = self.glance.cut_download_at
        with contextlib.suppress(OSError):
            self.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            self._hang_up()

    def _post(self):
        given = json.loads(self._read_body())
        image_id = self.glance.add()
        if "id" in given:
            self.glance.images[given["id"]] = self.glance.images.pop(image_id)
            image_id = given["id"]
        self.glance.images[image_id].update(given, id=image_id)
        self._reply(201, self.glance.images[image_id])

    def _patch(self):
        changes = json.loads(self._read_body())
        image_id, _ = self._image()
        if image_id is None:
            self._reply(404, {"message": "no such image"})
            return
        for change in changes:
            key = change["path"].removeprefix("/").replace("~1", "/").replace("~0", "~")
            self.glance.images[image_id][key] = change["value"]
        self._reply(200, self.glance.images[image_id])

    def _put(self):
        image_id, _ = self._image()
        if image_id is None or self.glance.images[image_id]["status"] != "queued":
            self._read_body()
            self._reply(409 if image_id else 404, {"message": "not now"})
            return
        self.glance.images[image_id]["status"] = "saving"
        length = int(self.headers["Content-Length"])
        data = self.rfile.read(min(length, self.glance.cut_upload_at or length, CHUNK))
        self.glance.uploading.set()
        assert self.glance.may_upload.wait(60), "the test has forgotten to let it go on"
        data += self.rfile.read(min(length, self.glance.cut_upload_at or length) - len(data))
        if len(data) < length:
            self.glance.images[image_id]["status"] = "queued"
            self._hang_up()
        elif self.glance.answers:
            self.glance.images[image_id]["status"] = "queued"
            self._reply(self.glance.answers.pop(0), {"message": "a fault of the test"})
        else:
            self.glance.store(image_id, data[:-1] if self.glance.damage_uploads else data)
            self._reply(204, None)

    def _delete(self):
        image_id, _ = self._image()
        if image_id is None:
            self._reply(404, {"message": "no such image"})
            return
        del self.glance.images[image_id]
        self.glance.data.pop(image_id, None)
        self._reply(204, None)

    # -- HTTP ----------------------------------------------------------------------------------

    def _image(self):
        found = IMAGE.match(self.path)
        if found is None or found.group(1) not in self.glance.images:
            return None, False
        return found.group(1), found.group(2) is not None

    def _read_body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _reply(self, status, body, headers=None):
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _hang_up(self):
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True
