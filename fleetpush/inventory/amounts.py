"""Sizes, rates, times and the like as people write them: in flags, inventories and playbooks.

Every function raises ValueError with a sentence that names the value and an example that would do.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from fleetpush.swarm.manifest import BLOCK, MAX_CHUNK_SIZE

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_AMOUNT = re.compile(r"(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<unit>[KMGTP]?)(?P<base>I?B)?")
_BITS = re.compile(
    r"(?P<number>\d+(?:\.\d*)?|\.\d+) ?(?P<unit>[kmgtp]?)(?:bits?(?:/s)?|bps)", re.IGNORECASE
)
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EXAMPLES = "10Gbit or 1.25GB/s"
LEAST_RATE = 1024
"""Bytes a second: below that a unit was forgotten."""


class Ports(NamedTuple):
    """A range of ports, both ends included."""

    first: int
    last: int


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


def chunk_size(text: str) -> int:
    """A size that chunks can have: whole blocks of 64 KiB, at most 1 GiB."""
    value = size(text)
    if not BLOCK <= value <= MAX_CHUNK_SIZE:
        raise ValueError(f"{text!r} is not between 64K and 1G")
    if value % BLOCK:
        below = value // BLOCK * (BLOCK // 1024)
        raise ValueError(
            f"{text!r} is not a multiple of 64K; {below}K or {below + BLOCK // 1024}K is"
        )
    return value


def duration(text: str) -> float:
    """Seconds: ``60s``, ``10m``, ``1h30m``, ``500ms``, ``2d``; a bare number is in seconds."""
    lowered = text.strip().lower()
    if re.fullmatch(r"\d+(?:\.\d+)?", lowered):
        return float(lowered)
    if not _DURATION.fullmatch(lowered):
        raise ValueError(f"{text!r} is not a duration; write 60s, 10m or 1h30m")
    return sum(float(n) * _SECONDS[unit] for n, unit in _DURATION_PART.findall(lowered))


def positive_duration(text: str) -> float:
    """As ``duration``, but not 0."""
    seconds = duration(text)
    if seconds <= 0:
        raise ValueError(f"{text!r} leaves no time at all; write 60s, 10m or 1h30m")
    return seconds


def mode(text: str) -> int:
    """File permissions in octal: ``0644``, ``755``."""
    if not re.fullmatch(r"(?:0o?)?[0-7]{3,4}", text):
        raise ValueError(f"{text!r} is not a mode in octal; write 0644")
    return int(text.replace("o", ""), 8)


def percentage(text: str) -> float:
    """0 to 100, with or without the sign: ``99.5%``."""
    number = text.strip().removesuffix("%")
    if not re.fullmatch(r"\d+(?:\.\d+)?", number) or not 0 <= float(number) <= 100:
        raise ValueError(f"{text!r} is not a percentage; write 99.5%")
    return float(number)


def port_range(text: str) -> Ports:
    """``47600-47699``, both ends included; a single port stands for itself."""
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a port range; write 47600-47699")
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last <= 65535:
        raise ValueError(f"{text!r} is not a range of ports from 1 to 65535, the lower one first")
    return Ports(first, last)
