"""Stand-ins for ``socket`` and ``ssl``: the same names and behaviour, over the C modules beneath.

Only for the Pythons of ``KNOWN_PYTHON``; ``sockets`` decides. What is not here an agent does not use.
"""

from __future__ import annotations

import _socket
import _ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Socket(_socket.socket):
    """As ``socket.socket``."""

    __slots__ = ("__weakref__",)

    def __enter__(self) -> _Socket:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def accept(self) -> tuple[_Socket, Any]:
        fd, address = self._accept()  # type: ignore[attr-defined]  # private, not in the stubs
        return _Socket(fileno=fd), address


class _TlsSocket(_Socket):
    """As a non-blocking ``ssl.SSLSocket``: takes the descriptor over from ``sock``.

    ``take`` is ``recv_into`` for the hottest place: it is told the size first, and raises SSLEOFError where
    the other side went without saying so.
    """

    __slots__ = ("_tls", "do_handshake", "pending", "send", "take")

    def __init__(self, context: _Context, sock: _Socket, *, server_side: bool) -> None:
        super().__init__(fileno=sock.detach())
        self.setblocking(False)
        self._tls = tls = context.tls(self, server_side)
        # The C functions themselves: a call less for every record.
        self.do_handshake = tls.do_handshake
        self.pending = tls.pending
        self.send = tls.write  # type: ignore[method-assign]  # that one would send in clear
        self.take = tls.read

    @property
    def context(self) -> _Context:
        found: _Context = self._tls.context
        return found

    @context.setter
    def context(self, context: _Context) -> None:
        self._tls.context = context

    def recv_into(self, buffer: memoryview) -> int:  # type: ignore[override]  # narrower: all we call it with
        try:
            count: int = self._tls.read(len(buffer), buffer)
        except _ssl.SSLEOFError:
            return 0
        return count

    def getpeercert(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._tls.getpeercert(False)
        return found


class _Context(_ssl._SSLContext):  # noqa: SLF001 - what ssl itself builds on
    """As ``ssl.SSLContext``."""

    def tls(self, sock: _TlsSocket, server: bool) -> Any:  # noqa: ANN401 - a private type
        """OpenSSL's end of the connection; it holds ``sock`` weakly."""
        return self._wrap_socket(sock, server, None)  # type: ignore[attr-defined]  # private, not in the stubs

    def wrap_socket(
        self, sock: _Socket, *, server_side: bool, do_handshake_on_connect: bool
    ) -> _TlsSocket:
        assert not do_handshake_on_connect
        return _TlsSocket(self, sock, server_side=server_side)


class _Names:
    """A module's names: those given, else those of the C module."""

    def __init__(self, module: Any, **given: Any) -> None:  # noqa: ANN401 - whatever the module holds
        self.__dict__.update(given)
        self._module = module

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the module holds
        value = getattr(self._module, name)
        setattr(self, name, value)
        return value


class _TlsVersion:
    TLSv1_3 = _ssl.PROTO_TLSv1_3


socket = _Names(_socket, socket=_Socket)
ssl = _Names(_ssl, SSLContext=_Context, SSLSocket=_TlsSocket, TLSVersion=_TlsVersion)
