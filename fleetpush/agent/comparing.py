"""Which chunks a stream holds."""

from __future__ import annotations

from fleetpush.swarm.manifest import chunk_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fleetpush.agent.files import Reading, Stream
    from fleetpush.swarm.manifest import Manifest


def compare(
    manifest: Manifest,
    stream: Stream,
    chunks: Iterable[int],
    reading: Reading,
    *,
    holes: bool,
    differs: Callable[[int, bytes], bool],
) -> dict[int, bytes]:
    """The leaves of those ``chunks`` that ``stream`` holds whole.

    ``holes``: also looks where nothing was ever written. ``differs`` gets each that it holds something else
    of, and the leaves of that; False ends it. Raises OSError.
    """
    whole = {}
    for chunk in chunks:
        if reading.stop():
            break
        if stream.readable(chunk) and (holes or stream.written(chunk)):
            leaves = stream.leaves(chunk, reading.buffer)
            if chunk_digest(leaves) == manifest.chunk_digests[chunk]:
                whole[chunk] = leaves
            elif not differs(chunk, leaves):
                break
        reading.add(manifest.chunk_length(chunk))
    return whole
