"""``os``: the public module, or the part of it that an agent uses."""

from __future__ import annotations

from fleetpush.lean import KNOWN_PYTHON

TYPE_CHECKING = False
if TYPE_CHECKING or not KNOWN_PYTHON:
    import os
else:
    from fleetpush.lean import c_os as os

__all__ = ["os"]
