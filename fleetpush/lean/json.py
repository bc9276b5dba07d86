"""JSON on one line: ``dumps`` to bytes, ``loads`` from bytes."""

from __future__ import annotations

from fleetpush.lean import KNOWN_PYTHON

if KNOWN_PYTHON:
    from fleetpush.lean.c_json import dumps, loads
else:
    from fleetpush.lean.public_json import dumps, loads

__all__ = ["dumps", "loads"]
