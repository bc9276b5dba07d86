"""paramiko's transport with what it leaves out: signals, in both directions, and why a server hung up."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, ClassVar

import paramiko
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
    cMSG_CHANNEL_REQUEST,
)
from paramiko.message import Message

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

# Without a handler Python prints paramiko's tracebacks to stderr, over the live view.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_HANDSHAKE_SECONDS = 3600.0
"""paramiko's own clocks never strike first: the caller's do, which know what to say."""

_PROHIBITED = 1
"""What a server says (RFC 4254, 5.1) when it may not open a channel, rather than could not."""

_OF_A_CHANNEL = (
    MSG_CHANNEL_WINDOW_ADJUST,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_REQUEST,
)
"""What we send about one channel: its number at the server follows at once."""

_IDLE_CHECK = 1.0
"""Seconds between two looks of a transport's thread at whether it should end; paramiko's own is 0.1."""


class Refused(paramiko.SSHException):
    """The server opens no channel, in its own words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.prohibited = code == _PROHIBITED


def _request(channel: paramiko.Channel, message: Message) -> None:
    at = message.packet.tell()
    if message.get_text() == "exit-signal":
        message.get_boolean()
        transport = channel.get_transport()
        assert isinstance(transport, Transport)
        transport.signals[channel.chanid] = message.get_text()
    message.packet.seek(at)
    channel._handle_request(message)  # type: ignore[attr-defined]  # noqa: SLF001 (what the table had)


class Transport(paramiko.Transport):
    """``key_types`` are the host key algorithms to ask for, best first."""

    _channel_handler_table: ClassVar[dict[int, Callable[[paramiko.Channel, Message], None]]] = {
        # The one place where a request that paramiko does not know can be seen before it is dropped.
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]  # noqa: SLF001 (private, and the only way)
        MSG_CHANNEL_REQUEST: _request,
    }

    def __init__(self, sock: socket.socket | paramiko.Channel, key_types: list[str]) -> None:
        super().__init__(sock)
        self.signals: dict[int, str] = {}
        self.banner_timeout = self.handshake_timeout = self.auth_timeout = _HANDSHAKE_SECONDS
        self._goodbye = ""
        self._refusals: dict[int, Refused] = {}
        self._of_thread = threading.local()
        self._order = threading.Lock()
        self._closed_channels: set[int] = set()
        sock.settimeout(_IDLE_CHECK)
        options = self.get_security_options()
        options.key_types = [kind for kind in key_types if kind in options.key_types]
        fast = [kind for kind in options.ciphers if "-gcm@" in kind]
        options.ciphers = [*fast, *(kind for kind in options.ciphers if kind not in fast)]

    def signal_of(self, channel: paramiko.Channel) -> str | None:
        """The name of the signal that ended the command, without SIG."""
        return self.signals.get(channel.chanid)

    def send_signal(self, channel: paramiko.Channel, name: str) -> None:
        """Asks the server to send the command a signal; blocks as a write does."""
        message = Message()
        message.add_byte(cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("signal")
        message.add_boolean(False)
        message.add_string(name)
        self._send_user_message(message)  # type: ignore[attr-defined]  # not in the stubs

    def dial(self, address: str, port: int) -> paramiko.Channel:
        """A TCP connection from the server's side. Raises Refused; SSHException for a lost connection."""
        self._of_thread.chanid = -1  # stays so if the connection is lost before there is a number
        try:
            return self.open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0))
        except paramiko.SSHException as error:
            # paramiko keeps one error for a whole transport: it may be another channel's.
            refusal = self._refusals.pop(self._of_thread.chanid, None)
            if refusal is None:
                raise
            raise refusal from error

    def farewell(self) -> str:
        """Why the connection ended, as far as anybody said."""
        error = self.saved_exception
        return self._goodbye or (str(error) if error is not None else "")

    def _send_message(self, message: Message) -> None:
        """Drops what a thread had ready for a channel that another thread, or the server, has closed since.

        paramiko lets the two overtake each other, and OpenSSH answers data on a closed channel by closing
        the connection: that of every host behind it, where this is a jump host's.
        """
        head = message.asbytes()[:5]
        with self._order:
            if head[0] in _OF_A_CHANNEL:
                number = int.from_bytes(head[1:], "big")
                if number in self._closed_channels:
                    return
                if head[0] == MSG_CHANNEL_CLOSE:
                    self._closed_channels.add(number)
            super()._send_message(message)  # type: ignore[misc]  # not in the stubs

    def _parse_channel_open_success(self, message: Message) -> None:
        at = message.packet.tell()
        message.get_int()
        self._closed_channels.discard(message.get_int())  # the server gives its numbers out again
        message.packet.seek(at)
        super()._parse_channel_open_success(message)  # type: ignore[misc]  # not in the stubs

    def _next_channel(self) -> int:
        self._of_thread.chanid = super()._next_channel()  # type: ignore[misc]  # not in the stubs
        return int(self._of_thread.chanid)

    def _parse_channel_open_failure(self, message: Message) -> None:
        at = message.packet.tell()
        number, code, text = message.get_int(), message.get_int(), message.get_text()
        self._refusals[number] = Refused(code, text)
        message.packet.seek(at)
        super()._parse_channel_open_failure(message)  # type: ignore[misc]  # not in the stubs

    def _parse_disconnect(self, message: Message) -> None:
        message.get_int()
        self._goodbye = message.get_text()
