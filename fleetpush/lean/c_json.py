"""JSON by the C code of the public module, which is imported only to say what is wrong."""

from __future__ import annotations

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Rules:
    """What ``json.loads`` reads by unless told otherwise."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _refuse(value: object) -> None:
    raise TypeError(f"no JSON for {type(value).__name__}")


_rules: Any = _Rules
_scan = _json.make_scanner(_rules)


def dumps(value: Any, *, sort_keys: bool = False) -> bytes:  # noqa: ANN401 - as json's own
    """As ``public_json.dumps``."""
    escape = _json.encode_basestring_ascii
    encode: Any = _json.make_encoder({}, _refuse, escape, None, ":", ",", sort_keys, False, True)
    return "".join(encode(value, 0)).encode()


def loads(data: bytes) -> Any:  # noqa: ANN401 - as json's own
    """As ``public_json.loads``."""
    text = data.decode()
    try:
        value, end = _scan(text, 0)
    except (StopIteration, SystemError, ValueError):
        end = -1
    if end == len(text):
        return value
    # White space around it, or a mistake: that module knows the words for it.
    from fleetpush.lean import public_json

    return public_json.loads(data)
