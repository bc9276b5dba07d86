"""The values that flags take: sizes, rates, durations, modes, port ranges, percentages.

Every function raises ValueError with a sentence that names the value and an example that would do.
"""

from __future__ import annotations

from fleetpush.inventory.amounts import (
    Ports,
    chunk_size,
    duration,
    link_rate,
    mode,
    percentage,
    port_range,
    positive_duration,
    rate,
    size,
)

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

DEFAULT_PORTS = Ports(47600, 47699)
