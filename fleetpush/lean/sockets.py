"""``socket`` and ``ssl``: the public modules, or the part of them that an agent uses."""

from __future__ import annotations

from fleetpush.lean import KNOWN_PYTHON

TYPE_CHECKING = False
if TYPE_CHECKING or not KNOWN_PYTHON:
    import socket
    import ssl
else:
    from fleetpush.lean.c_sockets import socket, ssl

__all__ = ["socket", "ssl"]
