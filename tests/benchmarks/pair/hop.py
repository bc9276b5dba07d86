"""One process of the bare transfer, run by any Python: tight loops, and nothing a deploy does besides.

    hop.py send SOURCE HOST PORT PAPERS|- TAKE
    hop.py receive PATH SIZE PAPERS|- TAKE
    hop.py relay PATH SIZE HOST PORT PAPERS|- TAKE

Every 64 KiB is hashed and written when it has come; the file's room is reserved beforehand and fsync ends the
work. PAPERS is a PEM file with a certificate, its key and the run's authority: then the link is TLS 1.3, both
sides shown. TAKE is how much the sender reads, sends and (``relay``) passes on at once. Prints the port it
listens on, then one line of JSON: when it began and ended on the machine's clock, and its processor time.
"""

import json
import os
import socket
import ssl
import sys
import time
from hashlib import sha256

BLOCK = 64 * 1024


def send(source: str, host: str, port: int, papers: str, take: int) -> None:
    link = _dial(host, port, papers)
    fd = os.open(source, os.O_RDONLY)
    room = memoryview(bytearray(take))
    spent = Spent()
    at = 0
    while count := os.preadv(fd, [room], at):
        at += count
        link.sendall(room[:count])
    spent.show()
    _outwait(link)


def receive(path: str, size: int, host: str, port: int, papers: str, take: int) -> None:
    """Passes on to ``host``, unless that is ""."""
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    link, _ = server.accept()
    link = _wrapped(link, papers, server=True)
    onward = _dial(host, port, papers) if host else None
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.posix_fallocate(fd, 0, size)
    room = memoryview(bytearray(take))
    spent = Spent()
    at = kept = 0
    while at < size:
        filled, start = 0, at
        while filled < take and at < size:
            count = link.recv_into(room[filled:])
            if not count:
                sys.exit("the sender went away")
            filled += count
            at += count
        for begin in range(0, filled, BLOCK):
            block = room[begin : min(begin + BLOCK, filled)]
            sha256(block).digest()
            kept += os.pwrite(fd, block, start + begin)
        if onward is not None:
            onward.sendall(room[:filled])
    spent.moved()
    os.fsync(fd)
    spent.show()
    assert kept == size
    link.close()
    if onward is not None:
        _outwait(onward)


class Spent:
    """Time and processor time since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = os.times()
        self._moved = 0.0

    def moved(self) -> None:
        """All bytes are written; what follows is the disk's."""
        self._moved = time.monotonic()

    def show(self) -> None:
        after = os.times()
        figures = {
            "began": self._began,
            "moved": self._moved,
            "ended": time.monotonic(),
            "user": after.user - self._before.user,
            "system": after.system - self._before.system,
        }
        print(json.dumps(figures), flush=True)


def _dial(host: str, port: int, papers: str) -> socket.socket:
    return _wrapped(socket.create_connection((host, port)), papers, server=False)


def _wrapped(sock: socket.socket, papers: str, *, server: bool) -> socket.socket:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if papers == "-":
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(papers)
    context.load_cert_chain(papers)
    return context.wrap_socket(sock, server_side=server)


def _outwait(link: socket.socket) -> None:
    """Closed at once, the link could take what the other side has not read yet along."""
    link.recv(1)
    link.close()


def main(verb: str, *words: str) -> None:
    if verb == "send":
        source, host, port, papers, take = words
        send(source, host, int(port), papers, int(take))
    elif verb == "receive":
        path, size, papers, take = words
        receive(path, int(size), "", 0, papers, int(take))
    else:
        path, size, host, port, papers, take = words
        receive(path, int(size), host, int(port), papers, int(take))


if __name__ == "__main__":
    main(*sys.argv[1:])
