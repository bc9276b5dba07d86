"""What a host holds of older content, as it would lie in the new: read, hashed, and copied where it fits.

Nothing here is believed: where old content may fit is a guess, and each block is hashed as it is copied.
"""

from __future__ import annotations

from fleetpush.agent.reuse.reuse import Reuse

__all__ = ["Reuse"]
