"""Waits until something on this host answers: a port, or a web server with a status."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from urllib.parse import urlsplit

from fleetpush.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any

ASK_WITHIN = 5.0
"""Seconds that one attempt may take."""


def wait_for(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    """Asks until the answer is right: ``url`` with one of ``status``, or ``port`` of ``host`` accepting
    (``state`` started) or not (stopped). ``delay`` before the first attempt, ``sleep`` between them and
    ``timeout`` in seconds. Raises HostError: wait_timeout, wait_interrupted.
    """
    began = time.monotonic()
    give_up = began + arguments["timeout"]
    pause = arguments.get("delay", 0.0)
    attempts, said = 0, "never asked"
    while True:
        if stop.wait(max(0.0, min(pause, give_up - time.monotonic()))):
            raise HostError("wait_interrupted", "the run ended while this host was waited for")
        attempts += 1
        ready, said = _ask(arguments, max(0.1, min(ASK_WITHIN, give_up - time.monotonic())))
        seconds = round(time.monotonic() - began, 3)
        if ready:
            return {"attempts": attempts, "answer": said, "seconds": seconds}
        if time.monotonic() >= give_up:
            what = arguments.get("url") or f"{arguments['host']} port {arguments['port']}"
            raise HostError(
                "wait_timeout", f"{what}: not as wanted within {arguments['timeout']:g} s: {said}"
            )
        pause = arguments.get("sleep", 1.0)


def _ask(arguments: dict[str, Any], within: float) -> tuple[bool, str]:
    """Whether the answer is as wanted, and what it was."""
    if arguments.get("url"):
        return _get(arguments["url"], arguments["status"], within, arguments.get("verify", True))
    stopped = arguments.get("state") == "stopped"
    try:
        with socket.create_connection((arguments["host"], arguments["port"]), within):
            return not stopped, "it accepts connections"
    except OSError as error:
        return stopped, error.strerror or str(error)


def _get(url: str, wanted: list[int], within: float, verify: bool) -> tuple[bool, str]:
    parts = urlsplit(url)
    try:
        connection = _connection(parts.scheme, parts.netloc, within, verify)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"Connection": "close"})
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return False, getattr(error, "strerror", None) or str(error) or type(error).__name__
    return status in wanted, f"status {status}"


def _connection(scheme: str, place: str, within: float, verify: bool) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(place, timeout=within)
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(place, timeout=within, context=context)
