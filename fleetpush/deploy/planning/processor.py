"""What one agent's processor can move, measured here: the very steps that a block takes through an agent.

Processor time is counted, not the clock: what else this machine does at the moment does not matter. The
agent's own Python between the steps is not in it, so this is what an agent can do at best.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import ssl
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.deploy.identity import RunIdentity
from fleetpush.net.tls import Contexts
from fleetpush.swarm.manifest import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

AMOUNT = 96 * 1024 * 1024
"""Bytes for each step: a twentieth of a second and more."""


class Processor(NamedTuple):
    """Seconds of one core for each byte, step by step. An agent's data plane is one thread."""

    receive: float
    hash: float
    write: float
    read: float
    send: float

    @property
    def rate(self) -> float:
        """Bytes a second that one agent can receive, check and store while it passes on as much."""
        return 1.0 / (self.receive + self.hash + self.write + self.read + self.send)


def measure(*, encrypted: bool) -> Processor:
    """Takes part of a second where a core is free. Writes and removes a temporary file; raises OSError."""
    block = secrets.token_bytes(BLOCK)
    hashing = _cost(lambda: hashlib.sha256(block).digest())
    receive, send = _over_a_socket(block, encrypted=encrypted)
    write, read = _on_disk(block)
    return Processor(receive, hashing, write, read, send)


def _cost(step: Callable[[], object]) -> float:
    began = time.thread_time()
    for _ in range(AMOUNT // BLOCK):
        step()
    return (time.thread_time() - began) / AMOUNT


def _on_disk(block: bytes) -> tuple[float, float]:
    """Into fresh pages of the page cache, and out again."""
    with tempfile.TemporaryFile(buffering=0) as file:
        fd = file.fileno()
        write = _cost(lambda: os.write(fd, block))
        os.lseek(fd, 0, os.SEEK_SET)
        read = _cost(lambda: os.read(fd, BLOCK))
    return write, read


def _over_a_socket(block: bytes, *, encrypted: bool) -> tuple[float, float]:
    """Out of a socket and into it, by turns: both ends in one thread."""
    near, far = socket.socketpair()
    with near, far:
        for end in (near, far):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * BLOCK)
            end.setblocking(False)
        if not encrypted:
            return _pass(near, far, block)
        here, there = _tls(near, far)
        with here, there:
            return _pass(here, there, block)


def _tls(near: socket.socket, far: socket.socket) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Both ends of an encrypted link as peers have it, its handshake done."""
    identity = RunIdentity("measure")
    ends = []
    for sock, name in ((near, "a"), (far, "b")):
        certificate, key = identity.issue(name)
        contexts = Contexts(identity.ca_pem.decode(), certificate.decode(), key.decode())
        ends.append(contexts.wrap(sock, server=sock is far))
    waiting = list(ends)
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue  # the other end's turn
    return ends[0], ends[1]


def _pass(sender: socket.socket, receiver: socket.socket, block: bytes) -> tuple[float, float]:
    """Seconds a byte to receive and to send."""
    source, room = memoryview(block), memoryview(bytearray(BLOCK))
    sending = receiving = 0.0
    for _ in range(AMOUNT // BLOCK):
        sent = got = 0
        while got < BLOCK:
            began = time.thread_time()
            sent += _moved(sender.send, source[sent:])
            between = time.thread_time()
            got += _moved(receiver.recv_into, room[got:])
            sending += between - began
            receiving += time.thread_time() - between
    return receiving / AMOUNT, sending / AMOUNT


def _moved(step: Callable[[memoryview], int], data: memoryview) -> int:
    try:
        return step(data) if data else 0
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
        return 0
