"""From the operator's sources to a manifest: checked, hashed on all cores, remembered for the next run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from fleetpush.deploy.anchors import take_anchors
from fleetpush.deploy.cache import CHECKSUM, Cache
from fleetpush.deploy.hashing import changed_source, hash_chunks
from fleetpush.deploy.sums import Sums
from fleetpush.deploy.walk import find_sources
from fleetpush.errors import InputError, ManifestError
from fleetpush.swarm.manifest import (
    BLOCK,
    DIGEST,
    MAX_CHUNK_SIZE,
    MAX_CHUNKS,
    Manifest,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fleetpush.deploy.fingerprint import FileIdentity
    from fleetpush.deploy.walk import Found

OPEN_AT_ONCE = 64
"""Files of which an origin holds all open at once, and can tell that they are as they were."""

LARGEST_CHUNK = 16 * 1024 * 1024
"""What is chosen at most where the operator does not say: larger ones make peers wait for each other."""


class SumsOfFiles(Protocol):
    """The plain SHA-256 of each file, which takes its time."""

    @property
    def known(self) -> Sequence[str | None]:
        """In hex, in the files' order; None where it is not known."""

    def start(self) -> None:
        """Begins to compute them."""

    @property
    def over(self) -> bool:
        """Nothing is computed any more: what is not known by now will not be."""

    def wait(self, timeout: float | None = None) -> bool:
        """At most so many seconds, in a thread of its own. Whether all are known."""

    def stop(self) -> None:
        """What is not known by now stays unknown."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is deployed. ``name``: the sources as the operator would call them; ``paths``: of the files,
    absolute, in the manifest's order; ``notes`` are for the operator."""

    manifest: Manifest
    name: str
    paths: tuple[Path, ...]
    sums: SumsOfFiles
    notes: tuple[str, ...] = ()
    anchors: bytes = b""
    """By which hosts find the place of older content in this (``anchors.take_anchors``)."""
    leaves: dict[str, Any] | None = None
    """What an origin needs so as not to hash it all again (``agent.leaves.KnownLeaves``); None if it must."""


def make_manifest(
    sources: Sequence[str | os.PathLike[str]],
    chunk_size: int | None,
    hosts: int,
    cache_dir: Path,
    progress: Callable[[int, int], None],
    *,
    exclude: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Source:
    """Reads ``sources`` and says what they are; ``chunk_size`` in bytes, None to choose one for ``hosts``.

    Takes as long as hashing does: call it in a thread. ``progress`` gets the bytes hashed and the bytes in
    all, from several threads but never at once. Raises InputError for sources that cannot be deployed,
    SourceChangedError, and HashingStoppedError once ``stop`` says so.
    """
    found = find_sources(sources, exclude)
    layout, notes = _lay_out(found, chunk_size, hosts)
    cache = Cache(cache_dir)
    manifest = _remembered(cache, found, layout)
    if manifest is None:
        digests, leaves = hash_chunks(layout, found.identities, progress, stop)
        _check_unchanged(found.identities)
        manifest = Manifest(layout.files, layout.chunk_size, digests, layout.tree)
        if all(file.settled for file in found.identities):
            cache.put(manifest.encode(), "manifest", found.identities, layout.chunk_size)
            if leaves and len(found.identities) <= OPEN_AT_ONCE:
                cache.put(leaves, "leaves", found.identities, layout.chunk_size)
    progress(layout.size, layout.size)
    sums = Sums(found.paths, found.identities, cache)
    anchors = take_anchors(manifest, found.identities)
    leaves_at = _leaves_at(cache, found, layout.chunk_size)
    return Source(manifest, found.name, found.paths, sums, notes, anchors, leaves_at)


def layout_of(
    sources: Sequence[str | os.PathLike[str]],
    chunk_size: int | None,
    hosts: int,
    exclude: Sequence[str] = (),
) -> tuple[Manifest, tuple[str, ...]]:
    """The files, sizes and chunks that ``make_manifest`` would find, and its notes; nothing is read.

    The digests are blank. Raises InputError as ``make_manifest`` does.
    """
    return _lay_out(find_sources(sources, exclude), chunk_size, hosts)


def _lay_out(found: Found, chunk_size: int | None, hosts: int) -> tuple[Manifest, tuple[str, ...]]:
    total = found.size
    chosen, notes = choose_chunk_size(total, hosts, chunk_size)
    blank = [bytes(DIGEST)] * -(-total // chosen)
    return Manifest(found.files, chosen, blank, found.tree), notes


def choose_chunk_size(size: int, hosts: int, wanted: int | None) -> tuple[int, tuple[str, ...]]:
    """Bytes in a chunk, and what the operator should know about it. Raises InputError.

    The more hosts, the more chunks: a chunk's time is paid about once a doubling. Each chunk costs every
    host its messages.
    """
    if wanted is None:
        chunks = min(max(110 * math.log2(hosts + 1), 250), 4000)
        chosen = min(_whole_blocks(math.ceil(size / chunks)), LARGEST_CHUNK)
        return max(chosen, _whole_blocks(-(-size // MAX_CHUNKS))), ()
    if not 0 < wanted <= MAX_CHUNK_SIZE:
        raise InputError(f"a chunk size of {wanted} bytes: give 64K to 1G, or leave it out")
    chosen = _whole_blocks(wanted)
    if -(-size // chosen) > MAX_CHUNKS:
        least = _whole_blocks(-(-size // MAX_CHUNKS)) // 1024
        raise InputError(f"chunks of {wanted} bytes would be too many: give at least {least}K")
    if chosen == wanted:
        return chosen, ()
    return chosen, (f"chunk size rounded up to {chosen // 1024}K: a whole number of 64K blocks",)


def _whole_blocks(size: int) -> int:
    return max(-(-size // BLOCK), 1) * BLOCK


def _check_unchanged(files: Sequence[FileIdentity]) -> None:
    for file in files:
        if not file.is_still_there:
            raise changed_source(file)


def _leaves_at(cache: Cache, found: Found, chunk_size: int) -> dict[str, Any] | None:
    path = cache.find("leaves", found.identities, chunk_size)
    if path is None:
        return None
    files = [identity[1:] for identity in found.identities]
    return {"path": str(path), "offset": CHECKSUM, "files": files}


def _remembered(cache: Cache, found: Found, layout: Manifest) -> Manifest | None:
    entry = cache.get("manifest", found.identities, layout.chunk_size)
    if entry is None:
        return None
    try:
        manifest = Manifest.decode(entry)
    except ManifestError:
        return None
    # The same files may be deployed as a tree or one by one, and links have no part in their identities.
    alike = manifest.files == layout.files and manifest.tree == layout.tree
    return manifest if alike else None
