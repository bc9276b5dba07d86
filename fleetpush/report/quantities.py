"""Sizes, rates, times and counts as people read them. Powers of 1000, as disks and links are sold."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(amount: float) -> str:
    """``5.0 GB``; ``amount`` in bytes."""
    value, unit = float(amount), 0
    # 999.95 would be rounded up to four digits.
    while value >= 999.95 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def rate(amount: float) -> str:
    """``1.2 GB/s``; ``amount`` in bytes a second."""
    return f"{size(amount)}/s"


def duration(seconds: float) -> str:
    """``0.82s``, ``12.3s``, ``3m05s``, ``1h02m``."""
    if seconds < 9.995:
        return f"{max(0.0, seconds):.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def age(seconds: float) -> str:
    """As people say it: ``12s``, ``5m``, ``3h``, ``4d``."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length or (length == 60 and seconds >= length):
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def clock(seconds: float) -> str:
    """A running time without jumping digits: ``0:07``, ``12:34``, ``1:02:03``."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{second:02d}" if hours else f"{minutes}:{second:02d}"


def percent(part: float, whole: float) -> str:
    """``42%``; never ``100%`` before it is true."""
    if whole <= 0:
        return "0%"
    return "100%" if part >= whole else f"{min(99, int(100 * part / whole))}%"


def share(part: int, whole: int) -> str:
    """``99.75%``, cut and not rounded: enough is never claimed before it is true."""
    return f"{part * 10_000 // whole / 100:g}%" if whole else "0%"


def hosts(count: int) -> str:
    """``1,000 hosts``, ``1 host``."""
    return f"{count:,} host{'' if count == 1 else 's'}"
