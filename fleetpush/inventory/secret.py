"""Which variables are nobody's business: told by their names, at any depth, and by passwords in URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_WORDS = (
    *("password", "passwd", "passphrase", "_pass", "pwd", "secret", "token"),
    *("credential", "api_key", "apikey", "access_key"),
)
_IN_URL = re.compile(r"://[^/\s:@]*:[^/\s@]+@")


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret, going by its name: ``db_password``."""
    lowered = name.lower().replace("-", "_")
    return lowered == "pass" or any(word in lowered for word in _WORDS)


def holds_secret(name: str, value: object) -> bool:
    """Whether the variable, or anything in its value, looks like a secret."""
    if is_secret_name(name):
        return True
    if isinstance(value, str):
        return bool(_IN_URL.search(value))
    if isinstance(value, Mapping):
        return any(holds_secret(str(key), inner) for key, inner in value.items())
    if isinstance(value, Sequence):
        return any(holds_secret("", inner) for inner in value)
    return False
