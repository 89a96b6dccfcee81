# SPDX-License-Identifier: Apache-2.0
"""A volume API that only remembers what it was told: for tests without the service."""

import http.server
import json
import threading
from typing import Any, Self


class VolumeApi:
    """Accepts every callback. statuses: what it answers about snapshots, by their id."""

    def __init__(self) -> None:
        self.statuses: dict[str, str] = {}
        self.heard: list[tuple[str, str, Any]] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def posts(self) -> list[tuple[str, str, Any]]:
        return [entry for entry in self.heard if entry[0] == "POST"]

    def gets(self) -> list[tuple[str, str, Any]]:
        return [entry for entry in self.heard if entry[0] == "GET"]


def _handler(api: VolumeApi) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            text = self.rfile.read(length)
            if len(text) < length:
                return  # the caller broke off
            snapshot_id = self.path.split("/")[-2]
            said = json.loads(text)["os-update_snapshot_status"]
            api.heard.append(("POST", snapshot_id, said))
            self.send_response(202)
            self.end_headers()

        def do_GET(self) -> None:
            snapshot_id = self.path.rpartition("/")[2]
            api.heard.append(("GET", snapshot_id, None))
            status = api.statuses.get(snapshot_id)
            self.send_response(404 if status is None else 200)
            self.end_headers()
            found = {"snapshot": {"id": snapshot_id, "status": status}}
            self.wfile.write(json.dumps(found).encode())

    return Handler
