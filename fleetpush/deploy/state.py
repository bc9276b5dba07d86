"""Where what outlives a run is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def state_directory(environ: Mapping[str, str]) -> Path:
    """``$XDG_STATE_HOME/fleetpush``, else ``~/.local/state/fleetpush``; it need not exist.

    Raises RuntimeError where nobody knows the user's home.
    """
    base = environ.get("XDG_STATE_HOME", "")
    # The standard wants a relative one ignored.
    return (
        Path(base) if base.startswith("/") else Path("~/.local/state").expanduser()
    ) / "fleetpush"
