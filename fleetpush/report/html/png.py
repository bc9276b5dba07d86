"""Pictures of few colours as PNG, in the standard library's means."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3


def data_uri(rows: Sequence[bytes], colours: Sequence[bytes]) -> str:
    """A picture whose pixels are numbers of ``colours`` (three bytes each), as a ``data:`` URI."""
    width = len(rows[0]) if rows else 0
    header = struct.pack(">IIBBBBB", width, len(rows), 8, _PALETTE, 0, 0, 0)
    lines = b"".join(b"\0" + row for row in rows)
    parts = [
        _chunk(b"IHDR", header),
        _chunk(b"PLTE", b"".join(colours)),
        _chunk(b"IDAT", zlib.compress(lines, 9)),
        _chunk(b"IEND", b""),
    ]
    return "data:image/png;base64," + base64.b64encode(_SIGNATURE + b"".join(parts)).decode()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
