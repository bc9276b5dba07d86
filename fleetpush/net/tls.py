"""The run's TLS: version 1.3 only, both sides show a certificate of the run's own CA."""

from __future__ import annotations

from fleetpush.lean.sockets import ssl
from fleetpush.lean.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any


class Contexts:
    """Both ends' contexts for one peer, from PEM text."""

    def __init__(self, ca_pem: str, cert_pem: str, key_pem: str) -> None:
        self._full = _context(ssl.PROTOCOL_TLS_SERVER)
        # Tickets would cost each side memory and two messages a link, and no link is ever resumed.
        self._full.num_tickets = 0
        self._full.load_verify_locations(cadata=ca_pem)
        path, close = _unnamed_file((key_pem + cert_pem).encode())
        try:
            self._full.load_cert_chain(path)
        finally:
            close()
        self._client = _context(ssl.PROTOCOL_TLS_CLIENT)
        """Trusts nobody and shows nothing: see ``wrap``."""

    def wrap(self, sock: socket.socket, *, server: bool) -> ssl.SSLSocket:
        """``sock`` (non-blocking, connected) as TLS, its handshake still to be done."""
        context = self._full if server else self._client
        wrapped = context.wrap_socket(sock, server_side=server, do_handshake_on_connect=False)
        # Before a byte has moved a connection can be given another context: it takes its CA and certificate,
        # and keeps its side and what it demands. To load those twice would be half as long as a handshake.
        if not server:
            wrapped.context = self._full
        return wrapped


def subject_of(sock: ssl.SSLSocket) -> tuple[str, str]:
    """Peer id and run id that the other side's verified certificate names ("" where it does not)."""
    certificate: dict[str, Any] = sock.getpeercert() or {}
    names = {key: value for rdn in certificate.get("subject", ()) for key, value in rdn}
    return names.get("commonName", ""), names.get("organizationName", "")


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = (
        False  # the certificate names a peer of the run, checked by us, not a host
    )
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _unnamed_file(data: bytes) -> tuple[str, Any]:
    """A path that ``load_cert_chain`` can open though no name leads there, and how to close it."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("fleetpush", os.MFD_CLOEXEC)
        os.write(fd, data)
        return f"/proc/self/fd/{fd}", lambda: os.close(fd)
    import tempfile  # costs a tenth of an agent's start-up, and Linux does without

    fd, path = tempfile.mkstemp()  # 0600 by contract
    os.write(fd, data)
    os.close(fd)
    return path, lambda: os.unlink(path)
