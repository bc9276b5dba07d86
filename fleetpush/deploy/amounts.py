"""Sizes and rates as people write them, on the command line and in an inventory.

Every function raises ValueError with a sentence that names the value and an example that would do.
"""

from __future__ import annotations

import math
import re

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_AMOUNT = re.compile(r"(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<unit>[KMGTP]?)(?P<base>I?B)?")
_BITS = re.compile(
    r"(?P<number>\d+(?:\.\d*)?|\.\d+) ?(?P<unit>[kmgtp]?)(?:bits?(?:/s)?|bps)", re.IGNORECASE
)
_EXAMPLES = "10Gbit or 1.25GB/s"
LEAST_RATE = 1024
"""Bytes a second: below that a unit was forgotten."""


def size(text: str, *, unit: str = "") -> int:
    """Bytes, with rsync's suffixes: ``K``/``KiB`` 1024, ``KB`` 1000, so M, G, T, P; ``1.5m``.

    A bare number counts in ``unit`` (bytes).
    """
    found = _AMOUNT.fullmatch(text.strip().upper())
    if found is None:
        raise ValueError(f"{text!r} is not a size; write 64K, 1.5M or 2GB")
    suffix, base = found["unit"], found["base"]
    if not suffix and not base:
        suffix = unit
    if base == "IB" and not suffix:
        raise ValueError(f"{text!r} is not a size; write 64K, 1.5M or 2GB")
    step = 1000.0 if base == "B" else 1024.0
    value = float(found["number"]) * float(step ** _POWERS[suffix])
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a size; write 64K, 1.5M or 2GB")
    return round(value)


def rate(text: str) -> int | None:
    """Bytes a second as rsync's --bwlimit has it: a bare number is in KiB; 0 is no limit (None)."""
    amount = text.strip().removesuffix("/s")
    if re.search(r"bit|bps", amount, re.IGNORECASE):
        raise ValueError(f"{text!r} is in bits; rates are in bytes a second, such as 125M")
    try:
        value = size(amount, unit="K")
    except ValueError:
        raise ValueError(f"{text!r} is not a rate; write 500K, 1.5M or 2GB a second") from None
    if 0 < value < LEAST_RATE:
        raise ValueError(f"{text!r} is less than 1 KiB a second")
    return value or None


def link_rate(text: str) -> int:
    """Bytes a second that a link or a disk can do: as ``rate``, or in bits as links are sold (``10Gbit``).

    Bits count in powers of 1000; 0 is no rate. ``10Gb`` is refused: half of its readers mean bits.
    """
    stripped = text.strip()
    if re.search(r"\d ?[KMGTP]b(?:/s)?$", stripped):
        bits, whole = stripped.replace("b", "bit"), stripped.replace("b", "B")
        raise ValueError(f"{text!r} may be bits or bytes; write {bits} or {whole}")
    if found := _BITS.fullmatch(stripped):
        value = round(float(found["number"]) * 1000.0 ** _POWERS[found["unit"].upper()] / 8)
    else:
        try:
            value = size(stripped.removesuffix("/s"), unit="K")
        except ValueError:
            raise ValueError(f"{text!r} is not a rate; write {_EXAMPLES}") from None
    if value < LEAST_RATE:
        raise ValueError(
            f"{text!r} is less than 1 KiB a second; write {_EXAMPLES}, or leave it out if unknown"
        )
    return value
