"""What is C code of ``collections``, ``hashlib``, ``heapq`` and ``struct``, without the Python around it."""

from __future__ import annotations

from fleetpush.lean import KNOWN_PYTHON

TYPE_CHECKING = False
if TYPE_CHECKING or not KNOWN_PYTHON:
    from collections import deque
    from hashlib import sha256
    from heapq import heappop, heappush
    from struct import Struct
    from struct import error as StructError  # noqa: N812 - its module has it in lower case
else:
    from _collections import deque
    from _heapq import heappop, heappush
    from _struct import Struct
    from _struct import error as StructError  # noqa: N812 - as above

    try:
        from _hashlib import openssl_sha256 as sha256
    except ImportError:  # a Python without OpenSSL has slower code of its own
        from hashlib import sha256

__all__ = ["Struct", "StructError", "deque", "heappop", "heappush", "sha256"]
