"""What a host holds of older content is not sent again, and whatever it holds, the bytes are exact."""

from __future__ import annotations

import os
import random
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.agent.reuse.anchors import HITS, NEEDLE, SPAN
from fleetpush.agent.store import DUPLICATE, HostStore
from fleetpush.deploy.anchors import take_anchors
from fleetpush.deploy.fingerprint import FileIdentity
from fleetpush.lean import system
from fleetpush.swarm.manifest import BLOCK, DIGEST, File, Manifest, chunk_digest, leaves_of
from tests.agent.content import Content, place, scan

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK = 4 * BLOCK


def content_of(files: dict[str, bytes], chunk_size: int = CHUNK) -> Content:
    stream = b"".join(files.values())
    cut = [stream[at : at + chunk_size] for at in range(0, len(stream), chunk_size)]
    leaves = [b"".join(leaves_of(memoryview(part))) for part in cut]
    listed = [File(path, len(data)) for path, data in files.items()]
    return Content(Manifest(listed, chunk_size, list(map(chunk_digest, leaves))), stream, leaves)


def anchors_of(content: Content, directory: Path) -> str:
    """What the command would send of it. ``directory``: an empty place for it."""
    directory.mkdir()
    found = []
    for index, file in enumerate(content.manifest.files):
        path = directory / file.path
        path.write_bytes(content.file(index))
        found.append(FileIdentity.of(path, path.stat()))
    return take_anchors(content.manifest, found).hex()


def opened(
    content: Content,
    dest: str,
    *,
    anchors: str = "",
    paths: Sequence[str] = (),
    previous: str = "",
) -> HostStore:
    """A store that has looked at what is there."""
    wanted = {"anchors": anchors, "paths": paths, "previous": previous}
    store = HostStore(content.manifest, place(dest), reuse=wanted)
    store.open()
    scan(store)
    return store


def received(content: Content, store: HostStore) -> int:
    """Brings what is missing, as the protocol would, and finishes; the bytes that came."""
    came = 0
    for chunk in range(content.manifest.chunks):
        assert store.put_leaves(chunk, content.leaves[chunk])
        skips = store.skips(chunk)
        for block in range(store.progress(chunk), content.manifest.blocks_in(chunk)):
            data = content.block(chunk, block)
            answer = store.put_block(chunk, block, data)
            assert (answer == DUPLICATE) == bool(skips >> block & 1)
            came += 0 if answer == DUPLICATE else len(data)
    store.finish()
    store.activate()
    assert store.reused == len(content.stream) - came
    return came


def changed(data: bytes, share: float, run: int, seed: int = 1) -> bytes:
    """``data`` with that share of its bytes changed in place, in runs of so many."""
    found, rng = bytearray(data), random.Random(seed)
    slots = len(data) // run
    for slot in rng.sample(range(slots), max(1, int(slots * share))):
        found[slot * run : (slot + 1) * run] = rng.randbytes(run)
    return bytes(found)


SIZE = 8 << 20
OLD = random.Random(7).randbytes(SIZE)
MOVED = OLD[SIZE // 2 :] + OLD[: SIZE // 2]


@pytest.mark.parametrize(
    ("new", "most"),
    [
        (changed(OLD, 0.05, BLOCK), 0.06),
        (changed(OLD, 0.05, BLOCK - 1000), 0.11),
        (b"front" * 5000 + OLD, 0.06),
        (OLD[300_000:], 0.03),
        (OLD[: SIZE // 3] + b"x" * 77_777 + OLD[SIZE // 3 :], 0.06),
        (OLD[: SIZE // 3] + OLD[SIZE // 2 :], 0.04),
        (OLD + OLD[:1000], 0.02),
        (
            OLD[:1_000_000] + b"y" * 999 + OLD[1_000_000:5_000_000] + b"z" * 333 + OLD[5_000_000:],
            0.08,
        ),
        (MOVED, 0.06),
    ],
    ids=["blocks", "across", "front", "cut", "middle", "gap", "end", "two", "moved"],
)
def test_an_edit_moves_what_it_changed(new: bytes, most: float, tmp_path: Path) -> None:
    content = content_of({"model": new})
    dest = tmp_path / "model"
    dest.write_bytes(OLD)
    anchors = anchors_of(content, tmp_path / "source")
    store = opened(content, str(dest), anchors=anchors)
    assert dest.read_bytes() == OLD  # untouched until the switch
    came = received(content, store)
    store.close()
    assert dest.read_bytes() == new
    assert came <= most * len(new)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["put", "cut", "set", "move"]),
        st.floats(0, 1),
        st.integers(1, 3 * BLOCK),
        st.sampled_from([b"", b"\0", b"ab"]),
    ),
    max_size=5,
)


def edited(data: bytes, edits: list[tuple[str, float, int, bytes]], rng: random.Random) -> bytes:
    for what, where, size, pattern in edits:
        at = int(where * len(data))
        fresh = (pattern * size)[:size] if pattern else rng.randbytes(size)
        if what == "put":
            data = data[:at] + fresh + data[at:]
        elif what == "cut":
            data = data[:at] + data[at + size :]
        elif what == "set":
            data = data[:at] + fresh + data[at + size :]
        else:
            data = data[at:] + data[:at]
    return data


@given(
    edits=EDITS,
    size=st.integers(0, 32 * BLOCK),
    seed=st.integers(0, 99),
    blocks=st.integers(1, 3),
    with_anchors=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_any_edit_is_deployed_to_the_exact_bytes(
    edits: list[tuple[str, float, int, bytes]],
    size: int,
    seed: int,
    blocks: int,
    with_anchors: bool,
) -> None:
    rng = random.Random(seed)
    old = rng.randbytes(size)
    new = edited(old, edits, rng)
    content = content_of({"f": new}, blocks * BLOCK)
    with tempfile.TemporaryDirectory() as name:
        dest = Path(name) / "f"
        dest.write_bytes(old)
        anchors = anchors_of(content, Path(name) / "source") if with_anchors else ""
        store = opened(content, str(dest), anchors=anchors)
        if not store.present:
            received(content, store)
        store.close()
        assert dest.read_bytes() == new
        assert not [path for path in Path(name).iterdir() if "fleetpush" in path.name]


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=40, deadline=None)
def test_hostile_anchors_cost_time_and_no_wrong_byte(packed: bytes, beyond: bool) -> None:
    new = changed(OLD[: 4 * CHUNK], 0.2, BLOCK)
    content = content_of({"f": new})
    if beyond:
        needle = OLD[-NEEDLE:]
        packed = (4 * CHUNK - 5).to_bytes(8, "big") + needle + bytes(8) + packed
    with tempfile.TemporaryDirectory() as name:
        dest = Path(name) / "f"
        dest.write_bytes(OLD[: 4 * CHUNK])
        store = opened(content, str(dest), anchors=packed.hex())
        received(content, store)
        store.close()
        assert dest.read_bytes() == new


def test_content_that_repeats_itself_has_no_end_of_places(tmp_path: Path) -> None:
    """An anchor's bytes lie at many places, and what follows them at none."""
    unit = bytes(range(NEEDLE)) + random.Random(3).randbytes(SPAN // 2)
    old = unit * (HITS * 20)
    new = b"new" + bytes(range(NEEDLE)) * 20000
    content = content_of({"f": new})
    dest = tmp_path / "f"
    dest.write_bytes(old)
    store = opened(content, str(dest), anchors=anchors_of(content, tmp_path / "source"))
    received(content, store)
    store.close()
    assert dest.read_bytes() == new


def test_a_named_file_is_reused_and_stays(tmp_path: Path) -> None:
    content = content_of({"model": changed(OLD, 0.05, BLOCK)})
    elsewhere = tmp_path / "v1"
    elsewhere.write_bytes(OLD)
    (tmp_path / "link").symlink_to(elsewhere)
    for named in (elsewhere, tmp_path / "link"):
        dest = tmp_path / f"to-{named.name}"
        store = opened(content, str(dest), paths=[str(tmp_path / "not-there"), str(named)])
        assert received(content, store) < 0.06 * SIZE
        store.close()
        assert store.notes_of_reuse == []
    assert elsewhere.read_bytes() == OLD


def test_the_release_before_is_reused(tmp_path: Path) -> None:
    new = {"a": changed(OLD, 0.05, BLOCK), "sub/b": OLD[:CHUNK]}
    content = content_of(new)
    before = tmp_path / "before"
    (before / "sub").mkdir(parents=True)
    (before / "a").write_bytes(OLD)
    (before / "sub/b").write_bytes(OLD[:CHUNK])
    store = opened(content, f"{tmp_path}/release/", previous=str(before))
    assert received(content, store) < 0.06 * SIZE
    store.close()
    assert (tmp_path / "release/sub/b").read_bytes() == new["sub/b"]


@pytest.mark.parametrize("kind", ["directory", "fifo", "below a file"])
def test_what_is_no_file_is_named_and_left_alone(kind: str, tmp_path: Path) -> None:
    content = content_of({"f": OLD[:CHUNK]})
    odd = tmp_path / "odd"
    if kind == "directory":
        odd.mkdir()
    elif kind == "fifo":
        os.mkfifo(odd)
    else:
        odd.write_bytes(b"")
        odd = odd / "x"
    store = opened(content, str(tmp_path / "f"), paths=[str(odd)])
    assert received(content, store) == CHUNK
    store.close()
    assert len(store.notes_of_reuse) == 1
    assert str(odd) in store.notes_of_reuse[0]


@pytest.mark.parametrize("moment", ["scan", "fill"])
def test_an_old_file_that_is_cut_short_meanwhile_costs_no_more_than_its_bytes(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = OLD[: CHUNK + 5000] + b"in between" + OLD[CHUNK + 5000 : 3 * CHUNK]
    content = content_of({"f": new})
    dest = tmp_path / "f"
    dest.write_bytes(OLD[: 3 * CHUNK])
    if moment == "scan":
        preadv, calls = os.preadv, iter(range(1 << 30))

        def cut(fd: int, buffers: list[memoryview], offset: int) -> int:
            if next(calls) == 6:
                os.truncate(dest, CHUNK)
            return preadv(fd, buffers, offset)

        monkeypatch.setattr(system.os, "preadv", cut)
    store = opened(content, str(dest))
    if moment == "fill":
        os.truncate(dest, 10)
    received(content, store)
    store.close()
    assert dest.read_bytes() == new


def test_what_was_begun_is_gone_on_with_and_not_copied_over(tmp_path: Path) -> None:
    new = changed(OLD, 0.05, BLOCK)
    content = content_of({"f": new})
    dest = tmp_path / "f"
    dest.write_bytes(OLD)
    first = opened(content, str(dest))
    for chunk in range(content.manifest.chunks // 2):
        assert first.put_leaves(chunk, content.leaves[chunk])
        for block in range(first.progress(chunk), content.manifest.blocks_in(chunk)):
            first.put_block(chunk, block, content.block(chunk, block))
    first.close()
    again = opened(content, str(dest))
    assert received(content, again) < 0.04 * SIZE
    again.close()
    assert dest.read_bytes() == new


def test_nothing_is_reused_where_it_is_not_to_be(tmp_path: Path) -> None:
    content = content_of({"f": changed(OLD, 0.05, BLOCK)})
    dest = tmp_path / "f"
    dest.write_bytes(OLD)
    store = HostStore(content.manifest, place(dest), reuse=None)
    store.open()
    scan(store)
    assert store.have == 0
    assert received(content, store) == SIZE
    store.close()


def test_other_content_altogether_is_not_copied(tmp_path: Path) -> None:
    content = content_of({"f": random.Random(8).randbytes(SIZE)})
    dest = tmp_path / "f"
    dest.write_bytes(OLD)
    store = opened(content, str(dest), anchors=anchors_of(content, tmp_path / "source"))
    assert not any(store.sifts(chunk) for chunk in range(content.manifest.chunks))
    assert received(content, store) == SIZE
    store.close()


def test_what_is_found_in_vain_is_soon_given_up(tmp_path: Path) -> None:
    content = content_of({"f": random.Random(8).randbytes(SIZE)})
    dest = tmp_path / "f"
    dest.write_bytes(OLD)
    store = opened(content, str(dest))
    asked = 0
    for chunk in range(content.manifest.chunks):
        asked += store.sifts(chunk)
        assert store.put_leaves(chunk, content.leaves[chunk])
    assert asked == 8
    store.close()


def test_a_long_look_says_that_it_goes_on(tmp_path: Path) -> None:
    """Whoever says nothing is cut loose."""
    content = content_of({"f": random.Random(8).randbytes(SIZE)})
    dest = tmp_path / "f"
    dest.write_bytes(OLD)
    anchors = anchors_of(content, tmp_path / "source")
    store = HostStore(
        content.manifest, place(dest), reuse={"anchors": anchors, "paths": (), "previous": ""}
    )
    store.open()
    said: list[int] = []
    store.scan(said.append, lambda: False)
    assert said == sorted(said)
    assert max(b - a for a, b in pairwise([0, *said])) <= 4 << 20
    store.close()


def test_blocks_are_digests_wide() -> None:
    """What stands for a block that is not known can be no digest of one."""
    from fleetpush.agent.reuse.reuse import NOTHING

    assert len(NOTHING) == DIGEST
