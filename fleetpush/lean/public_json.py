"""JSON by the public module."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def dumps(value: Any, *, sort_keys: bool = False) -> bytes:  # noqa: ANN401 - as json's own
    """``value`` without spaces, in ASCII. Raises TypeError and ValueError as ``json.dumps`` does."""
    return json.dumps(value, separators=(",", ":"), sort_keys=sort_keys).encode()


def loads(data: bytes) -> Any:  # noqa: ANN401 - as json's own
    """Takes hostile bytes. Raises ValueError for what is no JSON in UTF-8, RecursionError as json does."""
    return json.loads(data.decode())
