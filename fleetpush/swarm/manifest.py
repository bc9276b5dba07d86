"""What is deployed: files, sizes and chunk digests; its own digest names the run's content.

The files lie end to end in one stream, in the manifest's order. The stream is cut into chunks of
``chunk_size`` bytes (the last one shorter), a chunk into blocks of 64 KiB (its last one shorter).
A block's digest is its SHA-256 (a *leaf*); a chunk's digest is the SHA-256 over the list of its leaves.
So a receiver that has checked the list against the chunk's digest can verify, keep and pass on every
block before the chunk is whole.

Encoded form: ``MAGIC``, a 4-byte length, a JSON head ``{"chunk_size", "files": [{"path", "size"}]}``
with sorted keys and no spaces, then 32 bytes a chunk. The manifest's digest is the SHA-256 of all that.
Where a source is a directory, its files also have ``"mode"`` (permission bits) and ``"mtime"``
(nanoseconds since 1970), and the head has a ``"tree"`` (``tree``); then there may be no file at all.
Where the files lie on several machines the head has ``"apart": true``: each begins a chunk of its own, so
that no chunk needs two machines. Then every file's last chunk may be shorter, and the stream has gaps.
"""

from __future__ import annotations

from fleetpush.errors import ManifestError
from fleetpush.lean.compiled import sha256
from fleetpush.lean.json import dumps, loads
from fleetpush.record import Record
from fleetpush.swarm import bitfield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from fleetpush.swarm.tree import Tree

BLOCK = 64 * 1024
"""Bytes in a block: the unit that is verified and forwarded."""

DIGEST = 32
"""Bytes in a SHA-256 digest."""

MAGIC = b"FPM1"
MAX_HEAD = 64 * 1024 * 1024
MAX_CHUNKS = 1 << 20
MAX_CHUNK_SIZE = 1 << 30
MAX_PATH = 4095
"""Characters in a path: what Linux takes of ASCII."""


class File(Record):
    """One file: ``path`` relative and normalised, ``size`` in bytes.

    ``mode`` (permission bits) and ``mtime`` (nanoseconds since 1970) are None where it carries none.
    """

    __slots__ = ("path", "size", "mode", "mtime")

    def __init__(
        self, path: str, size: int, mode: int | None = None, mtime: int | None = None
    ) -> None:
        self.path = path
        self.size = size
        self.mode = mode
        self.mtime = mtime

    def as_json(self) -> dict[str, Any]:
        """What it carries, and no more."""
        found: dict[str, Any] = {"path": self.path, "size": self.size}
        if self.mode is not None:
            found["mode"] = self.mode
        if self.mtime is not None:
            found["mtime"] = self.mtime
        return found


class Extent(Record):
    """``length`` bytes at ``offset`` of file number ``file``."""

    __slots__ = ("file", "offset", "length")

    def __init__(self, file: int, offset: int, length: int) -> None:
        self.file = file
        self.offset = offset
        self.length = length


class Manifest:
    """Immutable once made. ``size`` in bytes, ``chunks`` and ``blocks`` are counts.

    ``tree``: what the sources have beside files, None where none of them is a directory. ``apart``: every
    file begins a chunk. ``starts``: where in the stream the files begin.
    """

    __slots__ = (
        "_alike",
        "apart",
        "chunk_digests",
        "chunk_size",
        "chunks",
        "digest",
        "files",
        "size",
        "starts",
        "tree",
    )

    def __init__(
        self,
        files: Sequence[File],
        chunk_size: int,
        chunk_digests: Sequence[bytes],
        tree: Tree | None = None,
        *,
        apart: bool = False,
    ) -> None:
        """Raises ManifestError for sizes, paths or counts that cannot be."""
        _check_geometry(chunk_size, files, tree)
        if apart and tree is not None:
            raise ManifestError("a tree whose files lie apart")
        self.files = tuple(files)
        self.tree = tree
        self.apart = apart
        self.chunk_size = chunk_size
        self.size = sum(f.size for f in self.files)
        self.starts: list[int] = []
        at = 0
        for f in self.files:
            self.starts.append(at)
            at += f.size
            if apart:
                at = -(-at // chunk_size) * chunk_size
        self.chunks = -(-at // chunk_size)
        self._alike = 0 if apart else self.size // chunk_size
        """So many chunks from the first on have the full length."""
        if self.chunks > MAX_CHUNKS:
            raise ManifestError(f"{self.chunks} chunks, more than {MAX_CHUNKS}: take larger ones")
        self.chunk_digests = tuple(chunk_digests)
        if len(self.chunk_digests) != self.chunks or any(
            len(d) != DIGEST for d in self.chunk_digests
        ):
            raise ManifestError(f"{self.chunks} chunks need as many digests of {DIGEST} bytes")
        self.digest = sha256(self.encode()).digest()

    @property
    def name(self) -> str:
        """The first 12 hex digits of the digest: how partial files are named."""
        return self.digest.hex()[:12]

    def chunk_length(self, chunk: int) -> int:
        """Bytes in ``chunk``."""
        if chunk < self._alike:
            return self.chunk_size
        start, end = chunk * self.chunk_size, self.size
        if self.apart:
            index = self.file_at(start)
            end = self.starts[index] + self.files[index].size
        return min(self.chunk_size, end - start)

    def size_of(self, mask: int) -> int:
        """Bytes in all the chunks of the bitfield ``mask``."""
        if self.apart:
            return sum(map(self.chunk_length, bitfield.chunks(mask)))
        last = self.chunks - 1
        short = self.chunk_size - self.chunk_length(last) if mask >> max(0, last) & 1 else 0
        return bitfield.count(mask) * self.chunk_size - short

    def blocks_in(self, chunk: int) -> int:
        """Blocks in ``chunk``."""
        return -(-self.chunk_length(chunk) // BLOCK)

    def block_length(self, chunk: int, block: int) -> int:
        """Bytes in block number ``block`` of ``chunk``."""
        return min(BLOCK, self.chunk_length(chunk) - block * BLOCK)

    def extents(self, start: int, length: int) -> list[Extent]:
        """Where ``length`` bytes of the stream from ``start`` lie in the files."""
        found = []
        index = self.file_at(start)
        while length:
            f = self.files[index]
            offset = start - self.starts[index]
            part = min(length, f.size - offset)
            if part:
                found.append(Extent(index, offset, part))
                start += part
                length -= part
            index += 1
        return found

    def file_at(self, position: int) -> int:
        """The number of the last file that begins no later than ``position`` of the stream."""
        low, high = 0, len(self.starts) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self.starts[middle] <= position:
                low = middle
            else:
                high = middle - 1
        return low

    def encode(self) -> bytes:
        """The bytes that travel and that the digest is taken of."""
        head: dict[str, Any] = {
            "chunk_size": self.chunk_size,
            "files": [f.as_json() for f in self.files],
        }
        if self.tree is not None:
            head["tree"] = self.tree.as_json()
        if self.apart:
            head["apart"] = True
        packed = dumps(head, sort_keys=True)
        return b"".join((MAGIC, len(packed).to_bytes(4, "big"), packed, *self.chunk_digests))

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Takes hostile bytes. Raises ManifestError for anything that ``encode`` would not write."""
        if len(data) < 8 or data[:4] != MAGIC:
            raise ManifestError("not a manifest")
        head_end = 8 + int.from_bytes(data[4:8], "big")
        if head_end - 8 > MAX_HEAD or head_end > len(data):
            raise ManifestError("a manifest's head is cut off")
        try:
            head = loads(data[8:head_end])
            files = [_file(f) for f in head["files"]]
            chunk_size = _natural(head["chunk_size"])
            tree = _tree(head["tree"]) if "tree" in head else None
            apart = "apart" in head
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ManifestError("a manifest's head is not what it should be") from error
        body = data[head_end:]
        if len(body) % DIGEST or len(body) // DIGEST > MAX_CHUNKS:
            raise ManifestError("a manifest's digests are cut off")
        digests = [body[i : i + DIGEST] for i in range(0, len(body), DIGEST)]
        manifest = cls(files, chunk_size, digests, tree, apart=apart)
        if manifest.encode() != data:
            raise ManifestError("a manifest that is not in canonical form")
        return manifest


def leaves_of(data: memoryview) -> list[bytes]:
    """The block digests of one chunk's ``data``."""
    return [sha256(data[at : at + BLOCK]).digest() for at in range(0, len(data), BLOCK)]


def chunk_digest(leaves: bytes) -> bytes:
    """A chunk's digest from its leaves, joined."""
    return sha256(leaves).digest()


def check_path(path: str) -> None:
    """Raises ManifestError unless ``path`` is relative, normalised and stays below its root."""
    parts = path.split("/")
    if (
        not 0 < len(path) <= MAX_PATH
        or "\0" in path
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise ManifestError(f"a path that leaves its place: {path!r}")
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ManifestError(f"a path that no file can have: {path!r}") from None


def _natural(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return value


def _file(given: dict[str, Any]) -> File:
    return File(str(given["path"]), _natural(given["size"]), given.get("mode"), given.get("mtime"))


def _tree(given: dict[str, Any]) -> Tree:
    from fleetpush.swarm.tree import Tree  # only where there is one: an agent starts without it

    return Tree.of_json(given)


def _check_geometry(chunk_size: int, files: Sequence[File], tree: Tree | None) -> None:
    if chunk_size % BLOCK or not BLOCK <= chunk_size <= MAX_CHUNK_SIZE:
        raise ManifestError(f"a chunk size of {chunk_size} bytes is not a multiple of {BLOCK}")
    if not files and tree is None:
        raise ManifestError("a manifest without files")
    paths: set[str] = set()
    above: set[str] = set()
    for f in files:
        check_path(f.path)
        if f.size < 0 or f.path in paths:
            raise ManifestError(f"{f.path!r} twice, or of a negative size")
        paths.add(f.path)
        parent = f.path.rpartition("/")[0]
        while parent and parent not in above:
            above.add(parent)
            parent = parent.rpartition("/")[0]
    if paths & above:
        raise ManifestError(f"{min(paths & above)!r} is a file and a directory at once")
    _check_tree(files, tree)


def _check_tree(files: Sequence[File], tree: Tree | None) -> None:
    if tree is None:
        if any(f.mode is not None or f.mtime is not None for f in files):
            raise ManifestError("a file's mode or time without a tree")
        return
    from fleetpush.swarm.tree import check_traits, check_tree

    for f in files:
        check_traits(f.mode, f.mtime)
    for path in tree.paths:
        check_path(path)
    check_tree(tree, [f.path for f in files])
