"""A TCP connection to a host, with name resolution that cannot hold up anything else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor

CUT_AFTER = 25.0
"""Seconds for which what was sent may stay unacknowledged until the connection counts as cut: by the other
machine, however slow the process there is. Longer than an agent may be silent, for that says more."""

_Address = tuple[int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


class Dialler:
    """Resolves names in threads of its own: a slow DNS server must not stall the event loop's executor."""

    def __init__(self, threads: int = 32) -> None:
        self._resolvers = ThreadPoolExecutor(threads, thread_name_prefix="resolve")

    async def dial(self, host: str, port: int) -> socket.socket:
        """A connected non-blocking socket. Raises OSError (gaierror for a name that does not resolve)."""
        error: OSError | None = None
        for family, address in await self._addresses(host, port):
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, address)
            except OSError as failure:
                error = failure
                sock.close()
            except BaseException:
                sock.close()
                raise
            else:
                _notice_cuts(sock)
                return sock
        raise error or OSError(f"{host} has no address")

    def close(self) -> None:
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def _addresses(self, host: str, port: int) -> list[_Address]:
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):
                socket.inet_pton(family, host)
                return [(family, (host, port))]
        try:
            found = await asyncio.get_running_loop().run_in_executor(
                self._resolvers, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
        except UnicodeError as error:  # an empty label, or one of more than 63 characters
            raise socket.gaierror(socket.EAI_NONAME, "not a host name") from error
        return [(family, address) for family, _, _, _, address in found]


def _notice_cuts(sock: socket.socket) -> None:
    """Without this a connection whose packets vanish breaks after a quarter of an hour (Linux only)."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(CUT_AFTER * 1000))
