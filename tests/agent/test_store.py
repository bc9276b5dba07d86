"""What the store promises of content: exact bytes, nothing unverified, nothing left behind."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.agent.store import ADDED, CORRUPT, DUPLICATE, WHOLE, HostStore, StoreError
from fleetpush.swarm.manifest import BLOCK
from tests.agent.content import CHUNK, Content, make_content, place, scan

NewStore = Callable[..., HostStore]


def listing(directory: Path) -> list[str]:
    return sorted(p.relative_to(directory).as_posix() for p in directory.rglob("*"))


def partial_of(content: Content, dest: Path) -> Path:
    return dest.parent / f".{dest.name}.fleetpush-{content.manifest.name}"


def test_everything_that_arrives_becomes_the_file(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    dest = tmp_path / "model.bin"
    store = new_store(content, dest)
    assert content.deploy(store) == "new"
    assert dest.read_bytes() == content.stream
    store.close()
    assert listing(tmp_path) == ["model.bin"]


def test_what_is_there_already_is_found_present(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    dest = tmp_path / "model.bin"
    dest.write_bytes(content.stream)
    inode = dest.stat().st_ino
    store = new_store(content, dest)
    assert store.open() == "present"
    assert not store.present
    seen: list[int] = []
    store.scan(seen.append, lambda: False)
    assert store.present
    assert store.have == 0b11111
    assert seen[-1] == len(content.stream)
    assert store.read_block(4, 1) == bytes(content.block(4, 1))
    assert store.leaves(2) == content.leaves[2]
    store.finish()
    store.activate()
    store.close()
    assert dest.stat().st_ino == inode
    assert listing(tmp_path) == ["model.bin"]


def test_an_empty_file_is_deployed_and_then_present(new_store: NewStore, tmp_path: Path) -> None:
    empty = make_content({"empty": 0})
    dest = tmp_path / "empty"
    store = new_store(empty, dest)
    assert empty.deploy(store) == "new"
    assert not store.present
    store.close()
    assert dest.read_bytes() == b""
    again = new_store(empty, dest)
    assert again.open() == "present"
    scan(again)
    assert again.present


def test_a_block_is_kept_only_in_turn_and_only_if_it_is_what_it_should_be(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    store = new_store(content, tmp_path / "f")
    store.open()
    scan(store)
    good = content.block(0, 0)
    assert store.put_block(0, 0, good) == CORRUPT  # its leaves are not known
    assert store.leaves(0) is None
    assert not store.put_leaves(0, content.leaves[1])
    assert store.put_leaves(0, content.leaves[0])
    assert store.put_block(0, 1, content.block(0, 1)) == DUPLICATE
    flipped = bytearray(good)
    flipped[77] ^= 1
    assert store.put_block(0, 0, memoryview(flipped)) == CORRUPT
    assert store.put_block(0, 0, good[:-1]) == CORRUPT
    with pytest.raises(IndexError):
        store.read_block(0, 0)
    assert store.put_block(0, 0, good) == ADDED
    assert (store.progress(0), store.have) == (1, 0)
    assert store.read_block(0, 0) == bytes(good)
    assert store.put_block(0, 0, good) == DUPLICATE
    assert store.put_block(0, 1, content.block(0, 1)) == WHOLE
    assert (store.progress(0), store.have) == (2, 1)
    assert store.put_leaves(0, content.leaves[0])
    assert not store.put_leaves(0, content.leaves[1])


def test_blocks_are_served_after_activation(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    dest = tmp_path / "f"
    store = new_store(content, dest)
    content.deploy(store)
    dest.unlink()  # whatever the operator does with it then
    assert store.read_block(3, 1) == bytes(content.block(3, 1))


def test_nothing_is_finished_before_every_chunk_is_there(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    store = new_store(content, tmp_path / "f")
    store.open()
    scan(store)
    for chunk in (0, 1, 2, 4):
        content.give(store, chunk)
    with pytest.raises(StoreError) as failure:
        store.finish()
    assert failure.value.slug == "incomplete"


def test_verified_chunks_survive_a_broken_run_and_a_flipped_byte_does_not(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    dest = tmp_path / "f"
    first = new_store(content, dest)
    assert first.open() == "new"
    scan(first)
    for chunk in (1, 3, 4):
        content.give(first, chunk)
    first.flush()
    first.close()
    partial = partial_of(content, dest)
    assert stat.S_IMODE(partial.stat().st_mode) == 0o600
    with partial.open("r+b") as file:
        file.seek(3 * CHUNK + BLOCK + 5)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0x10]))
    second = new_store(content, dest)
    assert second.open() == "partial"
    scan(second)
    assert second.have == 0b10010
    assert second.put_leaves(3, content.leaves[3])
    assert second.progress(3) == 1  # the block before the flipped byte need not come again
    for chunk in (0, 2, 3):
        content.give(second, chunk)
    second.finish()
    second.activate()
    second.close()
    assert dest.read_bytes() == content.stream
    assert listing(tmp_path) == ["f"]


def test_a_run_that_verified_nothing_leaves_nothing(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    store = new_store(content, tmp_path / "made" / "for it" / "f")
    store.open()
    scan(store)
    store.put_leaves(0, content.leaves[0])
    store.put_block(0, 0, content.block(0, 0))
    store.close()
    store.close()
    assert listing(tmp_path) == []


def test_directories_of_a_resumable_partial_stay(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    store = new_store(content, tmp_path / "made" / "f")
    store.open()
    scan(store)
    content.give(store, 2)
    store.close()
    assert listing(tmp_path) == ["made", f"made/.f.fleetpush-{content.manifest.name}"]


def test_a_partial_that_nobody_looked_at_is_not_thrown_away(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    first = new_store(content, tmp_path / "f")
    first.open()
    scan(first)
    content.give(first, 4)
    first.close()
    second = new_store(content, tmp_path / "f")
    assert second.open() == "partial"
    second.scan(lambda done: None, lambda: True)
    assert second.have == 0
    second.close()
    third = new_store(content, tmp_path / "f")
    assert third.open() == "partial"
    scan(third)
    assert third.have == 0b10000


@pytest.mark.parametrize("size", [3, 5 * CHUNK + 4711])
def test_garbage_in_the_partials_place_is_hashed_not_believed(
    content: Content, new_store: NewStore, tmp_path: Path, size: int
) -> None:
    dest = tmp_path / "f"
    partial_of(content, dest).write_bytes(b"x" * size)
    store = new_store(content, dest)
    assert content.deploy(store) == "partial"
    assert dest.read_bytes() == content.stream


def test_a_destination_of_the_same_size_gives_what_it_has_in_common(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    dest = tmp_path / "f"
    old = bytearray(content.stream)
    old[CHUNK + BLOCK + 3] ^= 1
    dest.write_bytes(old)
    store = new_store(content, dest)
    assert store.open() == "present"
    scan(store)
    assert not store.present
    assert store.have == 0b11101
    assert store.put_leaves(1, content.leaves[1])
    assert store.progress(1) == 1  # the changed block is missing, and no other
    assert store.skips(1) == 0
    assert dest.read_bytes() == bytes(old)
    content.give(store, 1)
    store.finish()
    store.activate()
    assert dest.read_bytes() == content.stream


def test_the_destination_and_a_partial_add_up(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    dest = tmp_path / "f"
    first = new_store(content, dest)
    first.open()
    scan(first)
    content.give(first, 0)
    first.close()
    dest.write_bytes(
        b"\0" * CHUNK + content.stream[CHUNK : 2 * CHUNK] + b"\0" * (2 * CHUNK + BLOCK + 77)
    )
    second = new_store(content, dest)
    second.open()
    scan(second)
    assert second.have == 0b00011


def test_full_verification_reads_the_disk_again(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    dest = tmp_path / "f"
    store = new_store(content, dest, verify_full=True)
    store.open()
    scan(store)
    for chunk in range(5):
        content.give(store, chunk)
    with partial_of(content, dest).open("r+b") as file:
        file.seek(2 * CHUNK)
        file.write(b"rotten")
    with pytest.raises(StoreError, match="1 of 5 chunks") as failure:
        store.finish()
    assert failure.value.slug == "verify_failed"
    assert store.have == 0b11011
    content.give(store, 2)
    read: list[int] = []
    store.finish(read.append)
    assert read == sorted(read)
    assert read[-1] == content.manifest.size, "whoever reads for minutes is not taken for stalled"
    store.activate()
    assert dest.read_bytes() == content.stream


def test_several_files_go_into_a_directory_each_at_its_path(
    new_store: NewStore, tmp_path: Path
) -> None:
    content = make_content({"a": CHUNK + 5, "empty": 0, "sub/b": 3, "c": 2 * CHUNK, "last": 0})
    store = new_store(content, tmp_path / "release")
    assert content.deploy(store) == "new"
    store.close()
    for index, file in enumerate(content.manifest.files):
        assert (tmp_path / "release" / file.path).read_bytes() == content.file(index)
    assert listing(tmp_path / "release") == ["a", "c", "empty", "last", "sub", "sub/b"]


def test_of_several_partials_those_with_verified_chunks_stay(
    new_store: NewStore, tmp_path: Path
) -> None:
    content = make_content({"a": 2 * CHUNK, "empty": 0, "b": 2 * CHUNK})
    store = new_store(content, tmp_path)
    store.open()
    scan(store)
    content.give(store, 1)
    store.close()
    assert listing(tmp_path) == [f".a.fleetpush-{content.manifest.name}"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_geometry_in_any_order_gives_exact_bytes(data: st.DataObject) -> None:
    sizes = data.draw(
        st.lists(st.integers(0, 4 * BLOCK) | st.sampled_from([0, 1, BLOCK]), min_size=1, max_size=4)
    )
    chunk_size = data.draw(st.integers(1, 3)) * BLOCK
    content = make_content({f"d{i % 2}/f{i}": size for i, size in enumerate(sizes)}, chunk_size)
    order = data.draw(st.permutations(range(content.manifest.chunks)))
    cut = data.draw(st.integers(0, len(order)))
    with tempfile.TemporaryDirectory() as name:
        first = HostStore(content.manifest, place(f"{name}/out/"))
        assert first.open() == "new"
        scan(first)
        for chunk in order[:cut]:
            content.give(first, chunk)
        expected = first.have
        first.close()
        second = HostStore(content.manifest, place(f"{name}/out/"), verify_full=True)
        second.open()
        scan(second)
        assert second.have == expected
        for chunk in order[cut:]:
            content.give(second, chunk)
        second.finish()
        second.activate()
        for chunk in order:
            for block in range(content.manifest.blocks_in(chunk)):
                assert second.read_block(chunk, block) == bytes(content.block(chunk, block))
        second.close()
        for index, file in enumerate(content.manifest.files):
            assert Path(name, "out", file.path).read_bytes() == content.file(index)
        assert len([p for p in Path(name, "out").rglob("*") if p.is_file()]) == len(sizes)
