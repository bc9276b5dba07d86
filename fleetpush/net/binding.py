"""A socket that listens."""

from __future__ import annotations

import errno

from fleetpush.lean.sockets import socket


def family_of(address: str) -> int:
    """Of a numeric address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bound(address: str, port: int) -> socket.socket:
    """Listening there; "" is every address, of IPv4 and IPv6. Raises OSError."""
    if not address:
        try:
            return _open(socket.AF_INET6, "::", port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise
            # A kernel without IPv6.
    return _open(family_of(address), address, port)


def _open(family: int, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Both kinds of callers come in by "::", whatever the system's default is.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((address, port))
        sock.listen(256)
    except OSError:
        sock.close()
        raise
    return sock
