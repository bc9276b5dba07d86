"""Files that are known: not read again, not written again, and never believed once they were touched."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.agent.kept import SETTLE, note_of
from fleetpush.agent.store import HostStore, StoreError
from fleetpush.lean import system
from fleetpush.swarm.manifest import BLOCK
from tests.agent.content import CHUNK, Content, make_content, place, scan

if TYPE_CHECKING:
    from collections.abc import Callable

    NewStore = Callable[..., HostStore]

SIZES = {"a": CHUNK + 5, "b": 3 * CHUNK, "c": 77}


def deployed(content: Content, dest: Path) -> dict[int, list[int]]:
    """Everything there, and what it is known again by."""
    store = HostStore(content.manifest, place(f"{dest}/"))
    content.deploy(store)
    time.sleep(SETTLE)
    notes = dict(enumerate(store.notes()))
    store.close()
    return notes


def noted(path: Path) -> list[int]:
    with path.open("rb") as file:
        return note_of(file.fileno())


def reopened(content: Content, dest: Path, known: dict[int, list[int]]) -> HostStore:
    store = HostStore(content.manifest, place(f"{dest}/"), known=known)
    store.open()
    return store


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes that were read, one entry a call."""
    seen: list[int] = []
    preadv, pread = os.preadv, os.pread

    def counted(fd: int, buffers: list[memoryview], offset: int) -> int:
        done = preadv(fd, buffers, offset)
        seen.append(done)
        return done

    def counted_too(fd: int, length: int, offset: int) -> bytes:
        data = pread(fd, length, offset)
        seen.append(len(data))
        return data

    monkeypatch.setattr(system.os, "preadv", counted)
    monkeypatch.setattr(system.os, "pread", counted_too)
    return seen


def test_what_is_known_is_not_read(tmp_path: Path, reads: list[int]) -> None:
    content = make_content(SIZES)
    known = deployed(content, tmp_path)
    reads.clear()
    store = reopened(content, tmp_path, known)
    scan(store)
    assert store.present
    assert reads == []
    store.finish()
    store.activate()
    store.close()
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]


def test_what_is_known_is_served_all_the_same(tmp_path: Path) -> None:
    content = make_content(SIZES)
    store = reopened(content, tmp_path, deployed(content, tmp_path))
    scan(store)
    for chunk in range(content.manifest.chunks):
        assert store.leaves(chunk) == content.leaves[chunk]
        assert store.read_block(chunk, 0) == bytes(content.block(chunk, 0))
    store.close()


def touch(path: Path) -> None:
    os.utime(path)


def rewrite(path: Path) -> None:
    times = path.stat()
    path.write_bytes(os.urandom(times.st_size))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # the time of the change still tells


def replace(path: Path) -> None:
    path.rename(path.with_name("old"))
    path.write_bytes(path.with_name("old").read_bytes())
    path.with_name("old").unlink()


@pytest.mark.parametrize("meddle", [touch, rewrite, replace])
def test_what_was_touched_is_read(
    tmp_path: Path, reads: list[int], meddle: Callable[[Path], None]
) -> None:
    content = make_content(SIZES)
    known = deployed(content, tmp_path)
    meddle(tmp_path / "b")
    reads.clear()
    store = reopened(content, tmp_path, known)
    scan(store)
    assert sum(reads) >= SIZES["b"]
    assert store.present == (meddle is not rewrite)
    store.close()


def test_a_new_file_beside_them_is_all_that_is_written(tmp_path: Path) -> None:
    grown = make_content({**SIZES, "d": CHUNK})
    for index, name in enumerate(SIZES):
        (tmp_path / name).write_bytes(grown.file(index))
    known = {index: noted(tmp_path / name) for index, name in enumerate(SIZES)}
    before = {name: (tmp_path / name).stat().st_ino for name in SIZES}
    store = reopened(grown, tmp_path, known)
    assert sorted(set(os.listdir(tmp_path)) - set(SIZES)) == [f".d.fleetpush-{grown.manifest.name}"]
    scan(store)
    assert not store.present
    grown.complete(store)
    store.close()
    assert {name: (tmp_path / name).stat().st_ino for name in SIZES} == before
    for index, name in enumerate([*SIZES, "d"]):
        assert (tmp_path / name).read_bytes() == grown.file(index)


def test_a_known_file_that_lies_is_named_when_somebody_wants_it(tmp_path: Path) -> None:
    content = make_content(SIZES)
    known = deployed(content, tmp_path)
    with (tmp_path / "b").open("r+b") as file:
        file.write(b"other")
    known[1] = noted(tmp_path / "b")  # as if the clock had been set back
    store = reopened(content, tmp_path, known)
    scan(store)
    with pytest.raises(StoreError, match="deploy again with --checksum") as raised:
        store.leaves(1)
    assert raised.value.slug == "known_file_changed"
    store.close()
    full = HostStore(content.manifest, place(f"{tmp_path}/"), known=known, verify_full=True)
    full.open()
    scan(full)
    with pytest.raises(StoreError, match="read back differently"):
        full.finish()
    full.close()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_files_known_or_touched_end_as_they_should(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(0, 3 * BLOCK), min_size=1, max_size=5))
    content = make_content({f"f{i}": size for i, size in enumerate(sizes)}, BLOCK)
    fates = data.draw(
        st.lists(
            st.sampled_from(["known", "unknown", "gone", "rewritten"]),
            min_size=len(sizes),
            max_size=len(sizes),
        )
    )
    with tempfile.TemporaryDirectory() as name:
        dest = Path(name)
        known = deployed(content, dest)
        for index, fate in enumerate(fates):
            if fate != "known" and fate != "rewritten":
                del known[index]
            if fate == "gone":
                (dest / f"f{index}").unlink()
            if fate == "rewritten":
                time.sleep(SETTLE)
                rewrite(dest / f"f{index}")
        store = reopened(content, dest, known)
        scan(store)
        content.complete(store)
        store.close()
        assert sorted(os.listdir(dest)) == sorted(f"f{i}" for i in range(len(sizes)))
        for index in range(len(sizes)):
            assert (dest / f"f{index}").read_bytes() == content.file(index)
