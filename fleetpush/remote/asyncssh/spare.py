"""What asyncssh sends beyond what we need, left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncssh

_IGNORE = 2
"""SSH_MSG_IGNORE (RFC 4253, section 11.2)."""


def spare_ignored(conn: asyncssh.SSHClientConnection) -> None:
    """``conn`` sends no SSH_MSG_IGNORE: asyncssh puts one before every packet once there is a cipher.

    That hides the next packet's initialisation vector from whoever listens to a cipher in CBC mode (RFC 4251,
    section 9.3.1), and no such cipher is offered here (``login``). To the others it is nothing but twice the
    packets, to make here and to read in sshd.
    """
    send: Any = conn.send_packet

    def send_packet(pkttype: int, *args: bytes, **kwargs: Any) -> None:  # noqa: ANN401 (handed on)
        if pkttype != _IGNORE:
            send(pkttype, *args, **kwargs)

    conn.send_packet = send_packet  # type: ignore[method-assign]  # asyncssh has no option for it
