"""Anchors: by which a host finds where in an older version the parts of the new one lie."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

from fleetpush.deploy.hashing import OpenSources
from fleetpush.errors import FleetpushError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.fingerprint import FileIdentity
    from fleetpush.swarm.manifest import Manifest

NEEDLE, CHECK, SPAN = 32, 8, 4096
"""As the hosts have it (``fleetpush/agent/reuse/anchors.py``, which nobody here may import)."""

MOST = 64
"""Anchors at most: each host is sent all of them."""

APART = 256 * 1024
"""Bytes between two of them at least: less is told from the digests alone."""

DISTINCT = 12
"""Different bytes that a needle has at least: one of zeros lies everywhere."""


def take_anchors(manifest: Manifest, files: Sequence[FileIdentity]) -> bytes:
    """Anchors evenly spread over the stream, packed; fewer where the content says nothing, none where it
    cannot be read: the exchange will say why."""
    count = min(MOST, manifest.size // APART)
    fds = OpenSources(files)
    try:
        return b"".join(
            _anchor(manifest, fds, (2 * number + 1) * manifest.size // (2 * count))
            for number in range(count)
        )
    except (FleetpushError, OSError):
        return b""
    finally:
        fds.close()


def _anchor(manifest: Manifest, fds: OpenSources, at: int) -> bytes:
    """The anchor at ``at`` or shortly behind it in the same file; nothing if there is none."""
    (extent,) = manifest.extents(at, 1)
    data = os.pread(fds[extent.file], 2 * SPAN, extent.offset)
    for start in range(0, min(SPAN, len(data) - NEEDLE), NEEDLE):
        needle = data[start : start + NEEDLE]
        if len(set(needle)) >= DISTINCT:
            check = sha256(data[start : start + SPAN]).digest()[:CHECK]
            return (at + start).to_bytes(8, "big") + needle + check
    return b""
