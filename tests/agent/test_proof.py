"""``--verify full`` reads what the disk holds, not what memory has of it; and every proof says what it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from fleetpush.agent.kept import note_of
from fleetpush.agent.store import HostStore, StoreError
from fleetpush.swarm.manifest import BLOCK
from tests.agent.content import CHUNK, Content, make_content, scan
from tests.agent.test_tree import bring

if TYPE_CHECKING:
    from pathlib import Path

NewStore = Callable[..., HostStore]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a filesystem: needs root")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A mounted filesystem and the file that is its disk: what changes there the system does not know of."""
    image, mount = tmp_path / "image", tmp_path / "mount"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    words = ["mkfs.ext4", "-q", "-F", "-O", "^has_journal", str(image)]
    made = subprocess.run(words, capture_output=True, check=False)
    done = (
        made.returncode
        or subprocess.run(
            ["mount", "-o", "loop", str(image), str(mount)], capture_output=True, check=False
        ).returncode
    )
    if done:
        pytest.skip("no filesystem can be mounted from a file here")
    yield mount, image
    subprocess.run(["umount", "-l", str(mount)], check=True)


def flip_on_disk(image: Path, block: bytes) -> None:
    """Turns one bit of ``block`` where the disk has it."""
    at = image.read_bytes().find(block)
    assert at > 0, "the disk does not hold it"
    with image.open("r+b") as file:
        file.seek(at + 100)
        file.write(bytes([block[100] ^ 1]))


@needs_root
@pytest.mark.parametrize("full", [True, False])
def test_a_bit_that_flips_on_the_disk_is_found_where_the_disk_is_read(
    new_store: NewStore, disk: tuple[Path, Path], full: bool
) -> None:
    mount, image = disk
    content = make_content({"f": 6 * CHUNK + 5})
    store = new_store(content, mount / "f", verify_full=full)
    store.open()
    scan(store)
    for chunk in range(content.manifest.chunks):
        content.give(store, chunk)
    store.flush()
    flip_on_disk(image, bytes(content.block(3, 1)))
    if not full:
        store.finish()  # what it was proved by was in memory: that is what `chunks` promises, and no more
        return
    with pytest.raises(StoreError) as failure:
        store.finish()
    assert failure.value.slug == "verify_failed"
    assert str(failure.value).startswith(f"{mount}/f: 1 of 7 chunks read back differently")
    assert not (mount / "f").exists()
    assert store.have == 0b1110111
    store.close()
    assert sorted(os.listdir(mount)) == [f".f.fleetpush-{content.manifest.name}", "lost+found"]


def test_each_proof_says_what_it_is(content: Content, new_store: NewStore, tmp_path: Path) -> None:
    path = tmp_path / "f"
    store = new_store(content, path)
    content.deploy(store)
    assert store.proof == "chunks"
    store.close()
    with path.open("rb") as file:
        known = {0: note_of(file.fileno())}
    for more, proof in (
        ({}, "chunks"),
        ({"known": known}, "known"),
        ({"known": known, "verify_full": True}, "full"),
        ({"known": {0: [0, 0, 0, 0, 0]}}, "chunks"),
    ):
        again = new_store(content, path, **more)
        again.open()
        scan(again)
        again.finish()
        assert (again.present, again.proof) == (True, proof)
        again.close()


def test_a_file_that_looks_untouched_and_is_not_is_found_by_full(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    path = tmp_path / "f"
    path.write_bytes(content.stream[:-1] + bytes([content.stream[-1] ^ 1]))
    with path.open("rb") as file:
        known = {0: note_of(file.fileno())}
    store = new_store(content, path, known=known, verify_full=True)
    store.open()
    scan(store)
    with pytest.raises(StoreError) as failure:
        store.finish()
    assert failure.value.slug == "verify_failed"


@needs_root
def test_so_are_files_of_a_tree_that_were_there_already(
    disk: tuple[Path, Path], tmp_path: Path
) -> None:
    mount, image = disk
    source = tmp_path / "source"
    source.mkdir()
    for name in "ab":
        (source / name).write_bytes(os.urandom(BLOCK))
    bring(f"{source}/", mount / "dest", verify_full=True)
    flip_on_disk(image, (source / "b").read_bytes())
    assert bring(f"{source}/", mount / "dest"), "memory still has it"
    with pytest.raises(StoreError) as failure:
        bring(f"{source}/", mount / "dest", verify_full=True)
    assert failure.value.slug == "verify_failed"
    assert str(failure.value).startswith(f"{mount}/dest/: 1 of 2 chunks")
