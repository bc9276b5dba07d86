"""The origin never sends what the manifest does not say."""

from __future__ import annotations

import os
import sys
import time
import traceback
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from fleetpush.agent import source
from fleetpush.agent.kept import note
from fleetpush.agent.leaves import KnownLeaves
from fleetpush.agent.making import open_source
from fleetpush.agent.source import SourceChanged, SourceStore
from fleetpush.agent.store import DUPLICATE
from fleetpush.swarm.manifest import BLOCK, leaves_of
from tests.agent.content import CHUNK, Content, make_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def room(request: pytest.FixtureRequest) -> int:
    """Chunks that the store may keep in memory."""
    return int(getattr(request, "param", 1))


@pytest.fixture
def files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> Iterator[tuple[Content, list[str], SourceStore]]:
    monkeypatch.setattr(source, "AHEAD", room * CHUNK)
    content = make_content({"a": CHUNK + 9, "empty": 0, "b": 2 * CHUNK})
    paths = []
    for index, file in enumerate(content.manifest.files):
        (tmp_path / file.path).write_bytes(content.file(index))
        paths.append(str(tmp_path / file.path))
    store = SourceStore(content.manifest, paths)
    yield content, paths, store
    store.close()
    store.close()


def test_everything_can_be_read(files: tuple[Content, list[str], SourceStore]) -> None:
    content, _, store = files
    assert store.have == 0b1111
    for chunk in range(content.manifest.chunks):
        assert store.leaves(chunk) == content.leaves[chunk]
        assert store.progress(chunk) == content.manifest.blocks_in(chunk)
        for block in range(store.progress(chunk)):
            assert store.read_block(chunk, block) == bytes(content.block(chunk, block))


def test_what_comes_back_never_touches_the_source(
    files: tuple[Content, list[str], SourceStore],
) -> None:
    content, paths, store = files
    assert store.put_leaves(1, content.leaves[1])
    assert not store.put_leaves(1, content.leaves[2])
    assert store.put_block(0, 0, memoryview(b"x" * BLOCK)) == DUPLICATE
    with open(paths[0], "rb") as file:
        assert file.read() == content.file(0)


def test_a_chunk_that_changed_before_its_first_use(
    files: tuple[Content, list[str], SourceStore],
) -> None:
    _, paths, store = files
    with open(paths[0], "r+b") as file:
        file.write(b"other")
    with pytest.raises(SourceChanged, match="chunk 0 has other content") as failure:
        store.leaves(0)
    assert failure.value.slug == "source_changed"
    assert paths[0] in str(failure.value)
    store.leaves(2)


def test_a_block_that_changed_after_its_leaves_went_out(
    files: tuple[Content, list[str], SourceStore],
) -> None:
    content, paths, store = files
    store.leaves(0)
    with open(paths[0], "r+b") as file:
        file.seek(BLOCK)
        file.write(b"other")
    assert [store.read_block(0, i) for i in (0, 1)] == [bytes(content.block(0, i)) for i in (0, 1)]
    store.leaves(2)  # there was room for one chunk as it was checked: now chunk 0 is read again
    assert store.read_block(0, 0) == bytes(content.block(0, 0))
    with pytest.raises(SourceChanged, match="block 1 of chunk 0"):
        store.read_block(0, 1)


@pytest.mark.parametrize("room", [0], indirect=True)
def test_what_there_is_no_room_for_is_checked_block_by_block(
    files: tuple[Content, list[str], SourceStore],
) -> None:
    content, paths, store = files
    store.leaves(0)
    with open(paths[0], "r+b") as file:
        file.seek(BLOCK)
        file.write(b"other")
    assert store.read_block(0, 0) == bytes(content.block(0, 0))
    with pytest.raises(SourceChanged, match="block 1 of chunk 0"):
        store.read_block(0, 1)


def test_a_source_that_becomes_shorter(files: tuple[Content, list[str], SourceStore]) -> None:
    content, paths, store = files
    store.leaves(3)
    os.truncate(paths[2], 10)
    assert store.read_block(3, 0) == bytes(content.block(3, 0))  # as it was checked
    with pytest.raises(SourceChanged, match="ends too early"):
        store.leaves(2)


def test_a_source_that_is_replaced_goes_on_as_it_was(
    files: tuple[Content, list[str], SourceStore],
) -> None:
    content, paths, store = files
    os.unlink(paths[2])
    assert store.read_block(3, 0) == bytes(content.block(3, 0))


def test_a_source_that_is_gone(files: tuple[Content, list[str], SourceStore]) -> None:
    content, paths, _ = files
    os.unlink(paths[2])
    with pytest.raises(SourceChanged, match="No such file"):
        SourceStore(content.manifest, paths)


@pytest.fixture
def ahead(
    files: tuple[Content, list[str], SourceStore], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Content, list[str], SourceStore]]:
    """A store that checks chunks of any size before they are asked for."""
    monkeypatch.setattr(source, "WORTH_A_THREAD", 1)
    content, paths, _ = files
    store = SourceStore(content.manifest, paths)
    yield content, paths, store
    store.close()


def _checks_ahead(store: SourceStore) -> bool:
    """Whether its thread runs."""
    stacks = [traceback.walk_stack(top) for top in sys._current_frames().values()]
    frames = [frame for stack in stacks for frame, _ in stack]
    return any(
        frame.f_code.co_name == "_check_ahead" and frame.f_locals["self"] is store
        for frame in frames
    )


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


ROOM_FOR_ALL = pytest.mark.parametrize("room", [4], indirect=True)


@ROOM_FOR_ALL
def test_the_next_chunk_is_checked_while_the_last_is_on_its_way(
    ahead: tuple[Content, list[str], SourceStore],
) -> None:
    content, paths, store = ahead
    assert store.leaves(0) == content.leaves[0]
    _until(lambda: 1 in store._leaves)
    assert store.leaves(1) == content.leaves[1]  # which was checked ahead itself
    _until(lambda: 2 in store._leaves)
    assert store.leaves(2) == content.leaves[2]
    _until(lambda: 3 in store._leaves)
    os.truncate(paths[2], 0)  # it is sent as it was checked
    assert store.leaves(3) == content.leaves[3]
    assert store.read_block(3, 0) == bytes(content.block(3, 0))


@ROOM_FOR_ALL
def test_what_is_wrong_with_the_next_chunk_is_said_when_it_is_asked_for(
    ahead: tuple[Content, list[str], SourceStore],
) -> None:
    content, paths, store = ahead
    with open(paths[0], "r+b") as file:
        file.seek(CHUNK)
        file.write(b"other")
    assert store.leaves(0) == content.leaves[0]
    assert store.leaves(2) == content.leaves[2]
    _until(lambda: 3 in store._leaves)  # chunk 1 was looked at before
    with pytest.raises(SourceChanged, match="chunk 1 has other content"):
        store.leaves(1)


@ROOM_FOR_ALL
def test_whoever_checks_ahead_ends_with_the_store(
    ahead: tuple[Content, list[str], SourceStore],
) -> None:
    _, _, store = ahead
    store.leaves(0)
    _until(lambda: _checks_ahead(store))
    store.close()
    _until(lambda: not _checks_ahead(store))


@pytest.fixture
def hashed(
    files: tuple[Content, list[str], SourceStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Content, list[str], SourceStore]]:
    """A store that was told the digests of all blocks; what it hashes itself is counted by ``sums``."""
    content, paths, _ = files
    kept = tmp_path / "leaves"
    kept.write_bytes(b"before" + b"".join(content.leaves))
    notes = [note(os.stat(path)) for path in paths]
    store = SourceStore(
        content.manifest, paths, known=KnownLeaves(content.manifest, str(kept), 6, notes)
    )
    yield content, paths, store
    store.close()


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes of content were hashed, each time."""
    seen: list[int] = []

    def counted(data: bytes | memoryview) -> object:
        seen.append(len(data))
        return sha256(data)

    def leaves(data: memoryview) -> list[bytes]:
        seen.append(len(data))
        return leaves_of(data)

    monkeypatch.setattr(source, "sha256", counted)
    monkeypatch.setattr(source, "leaves_of", leaves)
    return seen


def test_what_the_command_has_hashed_is_not_hashed_again(
    hashed: tuple[Content, list[str], SourceStore], sums: list[int]
) -> None:
    content, _, store = hashed
    for chunk in range(content.manifest.chunks):
        assert store.leaves(chunk) == content.leaves[chunk]
        for block in range(store.progress(chunk)):
            assert store.read_block(chunk, block) == bytes(content.block(chunk, block))
    assert not sums


def test_what_was_written_since_it_was_hashed_is_not_sent(
    hashed: tuple[Content, list[str], SourceStore],
) -> None:
    content, paths, store = hashed
    assert store.read_block(0, 1) == bytes(content.block(0, 1))
    with open(paths[0], "r+b") as file:
        file.seek(BLOCK)
        file.write(b"other")
    assert store.read_block(0, 0) == bytes(content.block(0, 0))
    with pytest.raises(SourceChanged, match="block 1 of chunk 0"):
        store.read_block(0, 1)
    with open(paths[2], "r+b") as file:
        file.seek(CHUNK)
        file.write(b"other")
    with pytest.raises(SourceChanged, match="chunk 2 has other content now"):
        store.leaves(2)


def test_what_was_only_touched_since_is_hashed_and_sent(
    hashed: tuple[Content, list[str], SourceStore], sums: list[int]
) -> None:
    content, paths, store = hashed
    os.utime(paths[0])
    assert store.read_block(0, 1) == bytes(content.block(0, 1))
    assert sums == [BLOCK]
    assert store.leaves(3) == content.leaves[3]
    assert store.read_block(3, 0) == bytes(content.block(3, 0))
    assert len(sums) == 2


@pytest.mark.parametrize("damage", ["other", "short"])
def test_digests_that_are_not_the_contents_are_computed(
    hashed: tuple[Content, list[str], SourceStore], tmp_path: Path, sums: list[int], damage: str
) -> None:
    content, _, store = hashed
    kept = tmp_path / "leaves"
    if damage == "short":
        os.truncate(kept, 6 + len(content.leaves[0]))
    else:
        with kept.open("r+b") as file:
            file.seek(6 + len(content.leaves[0]))
            file.write(bytes(32))
    assert store.leaves(0) == content.leaves[0]
    assert not sums
    assert store.leaves(1) == content.leaves[1]
    assert sums == [CHUNK]


def test_an_origin_whose_digests_were_thrown_away_hashes(
    files: tuple[Content, list[str], SourceStore], tmp_path: Path
) -> None:
    content, paths, _ = files
    gone = {"path": str(tmp_path / "gone"), "offset": 0, "files": []}
    store = open_source(content.manifest, {"holds": None, "paths": paths, "leaves": gone})
    assert store.leaves(1) == content.leaves[1]
    store.close()
