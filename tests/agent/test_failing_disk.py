"""A disk that does not take what was written: the content does not count, and no later run finds it whole in
the memory that still shows it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

import pytest

from fleetpush.agent.place import StoreError
from fleetpush.agent.source import SourceStore
from fleetpush.agent.store import WHOLE, HostStore
from fleetpush.agent.tree.store import TreeStore
from fleetpush.deploy.source import make_manifest
from fleetpush.swarm.manifest import BLOCK
from tests.agent.content import place, scan
from tests.e2e.hosts import contents
from tests.fleet import faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A directory on a disk, and a file that takes from that disk the room that it promised."""
    pool, where = tmp_path / "pool", tmp_path / "disk"
    pool.mkdir()
    where.mkdir()
    with ExitStack() as stack:
        try:
            stack.enter_context(faults.small_disk(pool, "4M"))
            stack.enter_context(faults.disk(where, pool / "image", "ext2"))
        except (OSError, CalledProcessError) as error:
            pytest.skip(f"no filesystem can be mounted here: {error}")
        yield where, pool / "other"


@pytest.mark.parametrize("full", [False, True], ids=["chunks", "full"])
@pytest.mark.parametrize("kind", [HostStore, TreeStore])
def test_what_a_disk_did_not_take_is_not_kept(
    tmp_path: Path, disk: tuple[Path, Path], kind: type[HostStore], full: bool
) -> None:
    where, other = disk
    source = tmp_path / "source"
    source.mkdir()
    (source / "model.pt").write_bytes(os.urandom(8 * BLOCK + 5))
    given = f"{source}/" if kind is TreeStore else str(source / "model.pt")
    made = make_manifest([given], BLOCK, 1, tmp_path / "cache", lambda *at: None)
    origin = SourceStore(made.manifest, [str(path) for path in made.paths])
    store = kind(made.manifest, place(f"{where}/"), verify_full=full)
    try:
        store.open()
        scan(store)
        faults.fill(other)
        for chunk in range(made.manifest.chunks):
            assert store.put_leaves(chunk, origin.leaves(chunk))
            assert store.put_block(chunk, 0, memoryview(origin.read_block(chunk, 0))) == WHOLE
        assert [name for name in contents(where) if "fleetpush" in name]
        with pytest.raises(StoreError) as refused:
            store.finish()
    finally:
        store.close()
        origin.close()
    assert refused.value.failure.slug in {"disk_full", "io_error"}
    assert contents(where) == []
