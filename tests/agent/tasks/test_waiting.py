"""Waiting for a port or a web server on a host."""

from __future__ import annotations

import http.server
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from fleetpush.agent.tasks.waiting import wait_for
from fleetpush.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator


def ask(**arguments: Any) -> dict[str, Any]:
    usual = {"host": "127.0.0.1", "timeout": 10.0, "sleep": 0.05}
    return wait_for({**usual, **arguments}, threading.Event())


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Web(http.server.BaseHTTPRequestHandler):
    refusals = 0

    def do_GET(self) -> None:
        busy = type(self).refusals > 0
        type(self).refusals -= busy
        self.send_response(503 if busy else 200 if self.path == "/health?deep=1" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def web() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), _Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_port_that_opens_late(free_port: int) -> None:
    def open_late() -> None:
        with socket.create_server(("127.0.0.1", free_port)) as server:
            server.accept()[0].close()

    late = threading.Timer(0.3, open_late)
    late.start()
    assert ask(port=free_port)["attempts"] > 1
    late.join()


def test_a_port_that_stays_shut_is_reported_with_the_reason(free_port: int) -> None:
    with pytest.raises(HostError, match=f"port {free_port}: not as wanted.*refused") as raised:
        ask(port=free_port, timeout=0.3)
    assert raised.value.slug == "wait_timeout"


def test_until_it_has_stopped(free_port: int) -> None:
    assert ask(port=free_port, state="stopped")["attempts"] == 1
    with socket.create_server(("127.0.0.1", free_port)), pytest.raises(HostError):
        ask(port=free_port, state="stopped", timeout=0.3)


def test_a_server_that_warms_up(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Web, "refusals", 2)
    assert ask(url=f"{web}/health?deep=1", status=[200]) == {
        "attempts": 3,
        "answer": "status 200",
        "seconds": pytest.approx(0.1, abs=5),
    }


def test_another_status_than_wanted(web: str) -> None:
    with pytest.raises(HostError, match="status 404"):
        ask(url=f"{web}/missing", status=[200, 204], timeout=0.2)
    assert ask(url=f"{web}/missing", status=[404])["attempts"] == 1


def test_what_speaks_no_http_is_no_web_server(free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)) as server:

        def babble() -> None:
            for _ in range(2):
                with server.accept()[0] as client:
                    client.sendall(b"220 mail\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        with pytest.raises(HostError, match="220 mail"):
            ask(url=f"http://127.0.0.1:{free_port}/", status=[200], timeout=0.2, sleep=1.0)
        thread.join()


def test_the_end_of_the_run_ends_the_wait(free_port: int) -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(HostError) as raised:
        wait_for({"host": "127.0.0.1", "port": free_port, "timeout": 600.0, "sleep": 600.0}, stop)
    assert raised.value.slug == "wait_interrupted"
