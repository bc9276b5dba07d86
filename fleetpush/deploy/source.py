"""From the operator's files to a manifest: checked, hashed on all cores, remembered for the next run."""

from __future__ import annotations

import math
import os
import stat
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleetpush.deploy.cache import Cache
from fleetpush.deploy.fingerprint import FileIdentity
from fleetpush.deploy.hashing import hash_chunks
from fleetpush.deploy.sums import Sums
from fleetpush.errors import InputError, ManifestError, SourceChangedError
from fleetpush.swarm.manifest import (
    BLOCK,
    DIGEST,
    MAX_CHUNK_SIZE,
    MAX_CHUNKS,
    File,
    Manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

LARGEST_CHUNK = 16 * 1024 * 1024
"""What is chosen at most where the operator does not say: larger ones make peers wait for each other."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is deployed. ``paths`` are absolute, in the manifest's order; ``notes`` are for the operator."""

    manifest: Manifest
    paths: tuple[Path, ...]
    sums: Sums
    notes: tuple[str, ...] = ()


def make_manifest(
    sources: Sequence[Path],
    chunk_size: int | None,
    hosts: int,
    cache_dir: Path,
    progress: Callable[[int, int], None],
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Source:
    """Reads ``sources`` and says what they are; ``chunk_size`` in bytes, None to choose one for ``hosts``.

    Takes as long as hashing does: call it in a thread. ``progress`` gets the bytes hashed and the bytes in
    all, from several threads but never at once. Raises InputError for sources that cannot be deployed,
    SourceChangedError, and HashingStoppedError once ``stop`` says so.
    """
    paths = tuple(path.absolute() for path in sources)
    with ExitStack() as opened:
        fds = [_open(path, opened) for path in paths]
        files = [FileIdentity.of(path, os.fstat(fd)) for path, fd in zip(paths, fds, strict=True)]
        layout, notes = _lay_out(paths, [file.size for file in files], chunk_size, hosts)
        cache = Cache(cache_dir)
        manifest = _remembered(cache, files, layout.chunk_size)
        if manifest is None:
            digests = hash_chunks(layout, fds, progress, stop)
            _check_unchanged(files, fds)
            manifest = Manifest(layout.files, layout.chunk_size, digests)
            if all(file.settled for file in files):
                cache.put(manifest.encode(), "manifest", files, layout.chunk_size)
        progress(layout.size, layout.size)
    return Source(manifest, paths, Sums(paths, files, cache), notes)


def layout_of(
    sources: Sequence[Path], chunk_size: int | None, hosts: int
) -> tuple[Manifest, tuple[str, ...]]:
    """The files, sizes and chunks that ``make_manifest`` would find, and its notes; nothing is read.

    The digests are blank. Raises InputError as ``make_manifest`` does.
    """
    paths = [path.absolute() for path in sources]
    with ExitStack() as opened:
        sizes = [os.fstat(_open(path, opened)).st_size for path in paths]
    return _lay_out(paths, sizes, chunk_size, hosts)


def _lay_out(
    paths: Sequence[Path], sizes: Sequence[int], chunk_size: int | None, hosts: int
) -> tuple[Manifest, tuple[str, ...]]:
    _check_names(paths)
    total = sum(sizes)
    chosen, notes = choose_chunk_size(total, hosts, chunk_size)
    files = [File(path.name, size) for path, size in zip(paths, sizes, strict=True)]
    return Manifest(files, chosen, [bytes(DIGEST)] * -(-total // chosen)), notes


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


def _open(path: Path, opened: ExitStack) -> int:
    try:
        # Never waits for a pipe's other end.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot read the source {path}: {reason}") from error
    opened.callback(os.close, fd)
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode):
        raise InputError(
            f"{path} is a directory: only files are deployed so far; pack it into one (tar)"
        )
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is a device, pipe or socket: copy it to a file first")
    return fd


def _check_names(paths: Sequence[Path]) -> None:
    if not paths:
        raise InputError("nothing to deploy: name at least one file")
    seen: dict[str, Path] = {}
    for path in paths:
        if path.name in seen:
            raise InputError(
                f"{seen[path.name]} and {path} would become one file on the hosts: rename one of them"
            )
        seen[path.name] = path


def _check_unchanged(files: Sequence[FileIdentity], fds: Sequence[int]) -> None:
    for file, fd in zip(files, fds, strict=True):
        if not file.still_is(fd):
            raise SourceChangedError(
                f"{file.path} changed while it was read: deploy again when nothing writes it any more"
            )


def _remembered(cache: Cache, files: Sequence[FileIdentity], chunk_size: int) -> Manifest | None:
    entry = cache.get("manifest", files, chunk_size)
    if entry is None:
        return None
    try:
        return Manifest.decode(entry)
    except ManifestError:
        return None
