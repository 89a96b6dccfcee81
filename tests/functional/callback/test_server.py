# SPDX-License-Identifier: Apache-2.0
"""The server: ports, limits, clients that do not behave, and how it stops."""

import contextlib
import http.client
import json
import socket
import threading

import pytest
import requests

from manila_lite.callback.server import CallbackServer
from manila_lite.clock import SystemClock
from tests.functional.callback.conftest import SNAPSHOT, TOKEN, WAIT

PATH = f"/v3/demo/snapshots/{SNAPSHOT}"
BODY = {"os-update_snapshot_status": {"status": "creating", "progress": "90%"}}


class QuickClock(SystemClock):
    """The machine's clock, but no wait takes longer than a moment."""

    def wait(self, event, timeout):
        return super().wait(event, min(timeout or 0.02, 0.02))


def url(server, path=PATH):
    return f"http://127.0.0.1:{server.port}{path}"


def update(server, body=BODY, token=TOKEN):
    return requests.post(
        url(server, f"{PATH}/action"), json=body, headers={"X-Auth-Token": token}, timeout=WAIT
    )


def test_body_that_is_too_large_is_refused_before_it_is_read(serve, site):
    server = serve(max_body_bytes=1024)
    assert update(server, {"x": "y" * 20000}).status_code == 413
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT)
    with contextlib.closing(connection):
        connection.putrequest("POST", f"{PATH}/action")
        connection.putheader("Content-Length", str(10**12))
        connection.endheaders()
        assert connection.getresponse().status == 413
    assert update(server).status_code == 202


def test_body_in_chunks_is_read(serve, site):
    server = serve()
    answer = requests.post(
        url(server, f"{PATH}/action"),
        data=iter([json.dumps(BODY).encode()]),
        headers={"X-Auth-Token": TOKEN, "Content-Type": "application/json"},
        timeout=WAIT,
    )
    assert answer.status_code == 202


def test_clients_that_stop_in_the_middle_hold_nobody_up(serve, site):
    server = serve(threads=2)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            slow.sendall(f"POST {PATH}/action HTTP/1.1\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert update(server).status_code == 202


def test_rubbish_is_answered_and_the_server_lives_on(serve, site):
    server = serve()
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as rude:
        rude.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert rude.recv(100).startswith(b"HTTP/1")
    assert update(server).status_code == 202


def test_many_callbacks_at_once_are_all_recorded(serve, site):
    server = serve()
    codes = []
    threads = [
        threading.Thread(target=lambda: codes.append(update(server).status_code)) for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert codes == [202] * 40
    assert len({message_id for *_, message_id in site.recorded}) == 40


def test_stop_lets_a_callback_finish_that_is_being_recorded(serve, site):
    server = serve()
    site.hold.clear()
    codes = []
    caller = threading.Thread(target=lambda: codes.append(update(server).status_code))
    caller.start()
    assert site.entered.wait(WAIT)
    stopper = threading.Thread(target=server.stop, args=(WAIT,))
    stopper.start()
    site.hold.set()
    caller.join(WAIT)
    stopper.join(WAIT)
    assert codes == [202]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port))


def test_stop_does_not_wait_for_ever(serve, site):
    server = serve()
    site.hold.clear()
    ends = []
    caller = threading.Thread(target=lambda: ends.append(_end_of(server)))
    caller.start()
    assert site.entered.wait(WAIT)
    server.stop(timeout=0.2)
    site.hold.set()
    caller.join(WAIT)
    assert ends == ["hung up"]


def _end_of(server):
    try:
        return update(server).status_code
    except requests.ConnectionError:
        return "hung up"


def test_stop_may_come_before_the_start_and_twice(serve):
    CallbackServer(lambda *_: [], "127.0.0.1", 0).stop()
    server = serve()
    server.stop()
    server.stop()
    assert not server.listening.is_set()


def test_processes_of_several_back_ends_share_a_port(serve, site):
    first = serve()
    second = serve(port=first.port)
    assert first.port == second.port
    first.stop()
    assert update(second).status_code == 202


def test_port_that_is_taken_is_had_when_it_is_free(site, caplog):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = CallbackServer(
            lambda *_: [], "127.0.0.1", taken.getsockname()[1], clock=QuickClock()
        )
        server.start()
        assert not server.listening.wait(0.2)
    try:
        assert server.listening.wait(WAIT)
    finally:
        server.stop()
    assert sum("not to be had" in record.getMessage() for record in caplog.records) == 1
