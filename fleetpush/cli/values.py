"""The values that flags take: sizes, rates, durations, modes, port ranges, percentages.

Every function raises ValueError with a sentence that names the value and an example that would do.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fleetpush.deploy.amounts import link_rate, rate, size
from fleetpush.swarm.manifest import BLOCK, MAX_CHUNK_SIZE

__all__ = [
    "DEFAULT_PORTS",
    "Ports",
    "chunk_size",
    "duration",
    "link_rate",
    "mode",
    "percentage",
    "port_range",
    "positive_duration",
    "rate",
    "size",
]

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Ports(NamedTuple):
    """A range of ports, both ends included."""

    first: int
    last: int


DEFAULT_PORTS = Ports(47600, 47699)


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


def port_range(text: str) -> Ports:
    """``47600-47699``, both ends included; a single port stands for itself."""
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a port range; write 47600-47699")
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last <= 65535:
        raise ValueError(f"{text!r} is not a range of ports from 1 to 65535, the lower one first")
    return Ports(first, last)


def percentage(text: str) -> float:
    """0 to 100, with or without the sign: ``99.5%``."""
    number = text.strip().removesuffix("%")
    if not re.fullmatch(r"\d+(?:\.\d+)?", number) or not 0 <= float(number) <= 100:
        raise ValueError(f"{text!r} is not a percentage; write 99.5%")
    return float(number)
