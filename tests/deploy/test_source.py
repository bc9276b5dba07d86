"""The manifest says exactly what the files hold, and refuses what it cannot be of."""

from __future__ import annotations

import hashlib
import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.agent import files
from fleetpush.agent.leaves import KnownLeaves
from fleetpush.deploy import hashing
from fleetpush.deploy import source as source_module
from fleetpush.deploy.cache import ENTRIES
from fleetpush.deploy.hashing import HashingStoppedError
from fleetpush.deploy.source import LARGEST_CHUNK, Source, choose_chunk_size, make_manifest
from fleetpush.errors import InputError, SourceChangedError
from fleetpush.swarm.manifest import BLOCK, MAX_CHUNKS, Manifest, chunk_digest, leaves_of

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20


def write(path: Path, size: int, seed: int = 1) -> bytes:
    """A file that was last written long ago."""
    data = random.Random(seed).randbytes(size)
    path.write_bytes(data)
    return data


def make(*paths: Path, cache: Path, chunk_size: int | None = BLOCK, hosts: int = 10) -> Source:
    return make_manifest(paths, chunk_size, hosts, cache, lambda done, total: None)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the files had been written an hour ago: change times cannot be set."""
    now = time.time_ns
    monkeypatch.setattr("fleetpush.deploy.fingerprint.time.time_ns", lambda: now() + 3600 * 10**9)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The chunks that were hashed."""
    seen: list[int] = []
    leaves = hashing._leaves

    def watched(layout: Manifest, fds: list[int], chunk: int, room: memoryview) -> bytes:
        seen.append(chunk)
        return leaves(layout, fds, chunk, room)

    monkeypatch.setattr(hashing, "_leaves", watched)
    return seen


@pytest.mark.parametrize("sizes", [[3 * MIB + 17], [BLOCK, 0, 5 * BLOCK + 1, 1], [0], [0, 0]])
@pytest.mark.parametrize("chunk_size", [BLOCK, 3 * BLOCK, 2 * MIB])
def test_the_manifest_is_of_the_files_laid_end_to_end(
    tmp_path: Path, sizes: list[int], chunk_size: int
) -> None:
    paths = [tmp_path / f"f{i}" for i in range(len(sizes))]
    stream = b"".join(
        write(p, size, seed) for seed, (p, size) in enumerate(zip(paths, sizes, strict=True))
    )
    seen: list[tuple[int, int]] = []
    source = make_manifest(paths, chunk_size, 10, tmp_path / "cache", lambda *at: seen.append(at))
    manifest = source.manifest
    cut = [stream[at : at + chunk_size] for at in range(0, len(stream), chunk_size)]
    expected = [chunk_digest(b"".join(leaves_of(memoryview(part)))) for part in cut]
    assert list(manifest.chunk_digests) == expected
    assert [(f.path, f.size) for f in manifest.files] == [
        (p.name, size) for p, size in zip(paths, sizes, strict=True)
    ]
    assert source.paths == tuple(paths)
    assert seen == sorted(seen)
    assert seen[-1] == (len(stream), len(stream))


@pytest.mark.usefixtures("settled")
def test_the_second_time_nothing_is_read(tmp_path: Path, reads: list[int]) -> None:
    write(tmp_path / "f", 5 * BLOCK)
    first = make(tmp_path / "f", cache=tmp_path / "cache")
    assert sorted(reads) == [0, 1, 2, 3, 4]
    second = make(tmp_path / "f", cache=tmp_path / "cache")
    assert len(reads) == 5
    assert second.manifest.encode() == first.manifest.encode()
    make(tmp_path / "f", cache=tmp_path / "cache", chunk_size=5 * BLOCK)
    assert len(reads) == 6


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def rewrite_in_place_and_hide_it(path: Path) -> None:
    times = path.stat()
    with path.open("r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def replace(path: Path) -> None:
    write(path.with_name("new"), 2 * BLOCK)
    os.utime(path.with_name("new"), ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    path.with_name("new").replace(path)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("change", [touch, rewrite_in_place_and_hide_it, replace])
def test_a_file_that_may_have_changed_is_read_again(
    tmp_path: Path, reads: list[int], change: Callable[[Path], None]
) -> None:
    write(tmp_path / "f", 2 * BLOCK)
    make(tmp_path / "f", cache=tmp_path / "cache")
    change(tmp_path / "f")
    make(tmp_path / "f", cache=tmp_path / "cache")
    assert len(reads) == 4


def test_a_file_written_just_now_is_not_remembered(tmp_path: Path, reads: list[int]) -> None:
    write(tmp_path / "f", BLOCK)
    make(tmp_path / "f", cache=tmp_path / "cache")
    make(tmp_path / "f", cache=tmp_path / "cache")
    assert len(reads) == 2


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "damage", [lambda d: d[:-1], lambda d: b"", lambda d: d[:-1] + bytes([d[-1] ^ 1])]
)
def test_a_damaged_cache_is_not_believed(
    tmp_path: Path, reads: list[int], damage: Callable[[bytes], bytes]
) -> None:
    write(tmp_path / "f", BLOCK)
    first = make(tmp_path / "f", cache=tmp_path / "cache")
    (entry,) = (tmp_path / "cache").glob("manifest-*")
    entry.write_bytes(damage(entry.read_bytes()))
    assert make(tmp_path / "f", cache=tmp_path / "cache").manifest.digest == first.manifest.digest
    assert len(reads) == 2


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    write(tmp_path / "f", BLOCK)
    (tmp_path / "cache").write_text("a file")
    assert make(tmp_path / "f", cache=tmp_path / "cache").manifest.size == BLOCK


@pytest.mark.usefixtures("settled")
def test_the_cache_keeps_the_last_used(tmp_path: Path, reads: list[int]) -> None:
    write(tmp_path / "f", 0)
    write(tmp_path / "g", BLOCK)
    make(tmp_path / "g", cache=tmp_path / "cache")
    write(tmp_path / "h", 1)
    for number in range(1, ENTRIES["manifest"] + 10):
        make(tmp_path / "f", cache=tmp_path / "cache", chunk_size=number * BLOCK)
        make(tmp_path / "g", cache=tmp_path / "cache")
    assert len(reads) == 1
    for number in range(1, ENTRIES["leaves"] + 10):
        make(tmp_path / "h", cache=tmp_path / "cache", chunk_size=number * BLOCK)
        assert make(tmp_path / "g", cache=tmp_path / "cache").leaves is not None
    for kind in ("manifest", "leaves"):
        assert len(list((tmp_path / "cache").glob(f"{kind}-*"))) == ENTRIES[kind]
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def refused(tmp_path: Path, *paths: Path | str) -> str:
    with pytest.raises(InputError) as failure:
        make(*map(Path, paths), cache=tmp_path / "cache")
    assert failure.value.exit_code == 5
    return str(failure.value)


def test_sources_that_cannot_be_deployed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write(tmp_path / "f", 1)
    write(tmp_path / "a" / "f", 1)
    os.mkfifo(tmp_path / "pipe")
    assert "name at least one file" in refused(tmp_path)
    assert refused(tmp_path, tmp_path / "gone").endswith("gone: No such file or directory")
    assert "directories" not in refused(tmp_path, tmp_path / "f" / "g")
    assert "pipe" in refused(tmp_path, tmp_path / "pipe")
    assert "device" in refused(tmp_path, "/dev/zero")
    assert "null" in refused(tmp_path, tmp_path / "a\0b")
    assert "one file on the hosts" in refused(tmp_path, tmp_path / "f", tmp_path / "a" / "f")


def test_an_unreadable_source(tmp_path: Path) -> None:
    write(tmp_path / "f", 1)
    (tmp_path / "f").chmod(0)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)  # root may read everything
    try:
        assert "Permission denied" in refused(tmp_path, tmp_path / "f")
    finally:
        os.seteuid(me)


def shorter(file: Path) -> None:
    os.truncate(file, BLOCK)


def other(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"other")


@pytest.mark.parametrize("change", [shorter, other, Path.unlink])
def test_a_source_that_changes_while_it_is_read(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    write(tmp_path / "f", 4 * MIB)

    def progress(done: int, total: int) -> None:
        if done == BLOCK:
            change(tmp_path / "f")

    with pytest.raises(SourceChangedError):
        make_manifest([tmp_path / "f"], BLOCK, 10, tmp_path / "cache", progress)
    assert not (tmp_path / "cache").exists()


def test_hashing_can_be_stopped(tmp_path: Path) -> None:
    write(tmp_path / "f", 4 * MIB)
    done = 0

    def progress(now: int, total: int) -> None:
        nonlocal done
        done = now

    with pytest.raises(HashingStoppedError):
        make_manifest([tmp_path / "f"], BLOCK, 1, tmp_path, progress, stop=lambda: done >= MIB)
    assert done < 4 * MIB


@pytest.mark.usefixtures("settled")
def test_plain_sums_are_known_after_they_were_asked_for(tmp_path: Path) -> None:
    data = [write(tmp_path / "f", 3 * MIB + 1), write(tmp_path / "g", 0)]
    expected = tuple(hashlib.sha256(each).hexdigest() for each in data)
    source = make(tmp_path / "f", tmp_path / "g", cache=tmp_path / "cache")
    assert source.sums.known == (None, None)
    assert not source.sums.wait()
    source.sums.start()
    assert source.sums.wait()
    assert source.sums.known == expected
    again = make(tmp_path / "f", cache=tmp_path / "cache")
    assert again.sums.known == expected[:1]


def test_the_plain_sum_of_another_content_is_not_given(tmp_path: Path) -> None:
    write(tmp_path / "f", BLOCK)
    source = make(tmp_path / "f", cache=tmp_path / "cache")
    other(tmp_path / "f")
    source.sums.start()
    assert not source.sums.wait()
    assert source.sums.known == (None,)


def test_sums_that_are_stopped_stay_unknown(tmp_path: Path) -> None:
    write(tmp_path / "f", BLOCK)
    source = make(tmp_path / "f", cache=tmp_path / "cache")
    source.sums.stop()
    source.sums.start()
    assert not source.sums.wait()


@pytest.mark.parametrize(
    ("size", "hosts", "chunk"),
    [
        (0, 1000, BLOCK),
        (1, 1, BLOCK),
        (16 * MIB, 1000, BLOCK),
        (5 * 10**9, 1, LARGEST_CHUNK),
        (5 * 10**9, 1000, 70 * BLOCK),
        (10**12, 10**6, LARGEST_CHUNK),
        (1 << 45, 10, 2 * LARGEST_CHUNK),
    ],
)
def test_the_chunk_size_that_is_chosen(size: int, hosts: int, chunk: int) -> None:
    assert choose_chunk_size(size, hosts, None) == (chunk, ())


@given(size=st.integers(0, 1 << 46), hosts=st.integers(0, 100_000))
def test_a_chosen_chunk_size_always_makes_a_manifest(size: int, hosts: int) -> None:
    chunk, _ = choose_chunk_size(size, hosts, None)
    assert chunk % BLOCK == 0
    assert -(-size // chunk) <= MAX_CHUNKS
    assert chunk <= LARGEST_CHUNK or size > LARGEST_CHUNK * MAX_CHUNKS


def test_a_given_chunk_size_is_rounded_up_and_said_so() -> None:
    assert choose_chunk_size(10 * MIB, 3, MIB) == (MIB, ())
    chunk, notes = choose_chunk_size(10 * MIB, 3, MIB + 1)
    assert chunk == MIB + BLOCK
    assert "1088K" in notes[0]


@pytest.mark.parametrize(
    ("size", "wanted"), [(1, 0), (1, -5), (1, (1 << 30) + 1), (1 << 40, BLOCK)]
)
def test_a_chunk_size_that_cannot_be(size: int, wanted: int) -> None:
    with pytest.raises(InputError, match="give"):
        choose_chunk_size(size, 3, wanted)


def test_many_chunks_suggestion_works() -> None:
    with pytest.raises(InputError, match="at least 1024K"):
        choose_chunk_size(1 << 40, 3, BLOCK)
    assert choose_chunk_size(1 << 40, 3, MIB) == (MIB, ())


def _known(source: Source) -> KnownLeaves:
    assert source.leaves is not None
    return KnownLeaves(source.manifest, **source.leaves)


@pytest.mark.usefixtures("settled")
def test_the_digests_of_all_blocks_are_kept_for_the_origin(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    stream = write(one, 2 * MIB + 17) + write(two, 3 * BLOCK, 2)
    for source in (make(one, two, cache=tmp_path / "c", chunk_size=2 * BLOCK) for _ in range(2)):
        known = _known(source)
        chunk_size = source.manifest.chunk_size
        for chunk in range(source.manifest.chunks):
            data = stream[chunk * chunk_size :][: source.manifest.chunk_length(chunk)]
            assert known.of(chunk) == b"".join(leaves_of(memoryview(data)))
        for number, path in enumerate((one, two)):
            with path.open("rb") as file:
                assert known.are_of(number, file.fileno())
                assert not known.are_of(1 - number, file.fileno())
        known.close()


@pytest.mark.usefixtures("settled")
def test_of_content_whose_digests_would_be_too_many_none_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "f", MIB)
    monkeypatch.setattr(hashing, "MOST_LEAVES", MIB // BLOCK * 32 - 1)
    assert make(tmp_path / "f", cache=tmp_path / "c").leaves is None
    monkeypatch.setattr(hashing, "MOST_LEAVES", MIB // BLOCK * 32)
    assert make(tmp_path / "f", cache=tmp_path / "d").leaves is not None


@pytest.mark.usefixtures("settled")
def test_of_more_files_than_an_origin_holds_open_none_are_kept(tmp_path: Path) -> None:
    paths = [tmp_path / f"f{i}" for i in range(source_module.OPEN_AT_ONCE + 1)]
    for path in paths:
        write(path, 100)
    assert make(*paths, cache=tmp_path / "c").leaves is None
    assert make(*paths[1:], cache=tmp_path / "c").leaves is not None
    assert source_module.OPEN_AT_ONCE == files.OPEN_AT_ONCE


def test_of_a_file_that_was_just_written_none_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "f", MIB)
    assert make(tmp_path / "f", cache=tmp_path / "c").leaves is None
