"""Content to store, and ways to put it into a store."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.agent.place import Place
from fleetpush.agent.store import CORRUPT, DUPLICATE, WHOLE, HostStore
from fleetpush.swarm.manifest import BLOCK, DIGEST, File, Manifest, chunk_digest, leaves_of

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 2 * BLOCK


class Content(NamedTuple):
    """A manifest and the bytes that it describes."""

    manifest: Manifest
    stream: bytes
    leaves: list[bytes]

    def block(self, chunk: int, block: int) -> memoryview:
        start = chunk * self.manifest.chunk_size + block * BLOCK
        length = self.manifest.block_length(chunk, block)
        return memoryview(self.stream)[start : start + length]

    def file(self, index: int) -> bytes:
        start = sum(f.size for f in self.manifest.files[:index])
        return self.stream[start : start + self.manifest.files[index].size]

    def give(self, store: HostStore, chunk: int) -> None:
        """Puts the rest of ``chunk`` into ``store``."""
        assert store.put_leaves(chunk, self.leaves[chunk])
        result = WHOLE if store.have >> chunk & 1 else None
        for block in range(store.progress(chunk), self.manifest.blocks_in(chunk)):
            result = store.put_block(chunk, block, self.block(chunk, block))
            assert result not in (CORRUPT, DUPLICATE)
        assert result == WHOLE

    def deploy(self, store: HostStore) -> str:
        """The whole way of a host that gets everything from its peers."""
        state = store.open()
        scan(store)
        self.complete(store)
        return state

    def complete(self, store: HostStore) -> None:
        """The way from the scan to the end."""
        for chunk in range(self.manifest.chunks):
            self.give(store, chunk)
        store.finish()
        store.activate()


def make_content(sizes: dict[str, int], chunk_size: int = CHUNK, seed: int = 1) -> Content:
    stream = random.Random(seed).randbytes(sum(sizes.values()))
    cut = [stream[at : at + chunk_size] for at in range(0, len(stream), chunk_size)]
    leaves = [b"".join(leaves_of(memoryview(part))) for part in cut]
    files = [File(path, size) for path, size in sizes.items()]
    manifest = Manifest(files, chunk_size, [chunk_digest(each) for each in leaves])
    assert all(len(each) % DIGEST == 0 for each in leaves)
    return Content(manifest, stream, leaves)


def scan(store: HostStore) -> None:
    store.scan(lambda done: None, lambda: False)


def place(dest: str | Path, home: str | Path = "/nonexistent", **options: object) -> Place:
    wanted: dict[str, object] = {"mode": None, "owner": None, "group": None, **options}
    return Place(str(dest), home=str(home), **wanted)  # type: ignore[arg-type]
