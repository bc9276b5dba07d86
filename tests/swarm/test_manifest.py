"""A manifest survives its bytes, and no other bytes pass for one."""

import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.errors import ManifestError
from fleetpush.swarm.manifest import (
    BLOCK,
    DIGEST,
    MAGIC,
    Extent,
    File,
    Manifest,
    check_path,
    chunk_digest,
    leaves_of,
)

PARTS = st.text(min_size=1, max_size=8).filter(
    lambda p: p not in (".", "..") and "/" not in p and "\0" not in p and p.isprintable()
)
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@st.composite
def manifests(draw):
    paths = draw(st.lists(PATHS, min_size=1, max_size=5, unique=True))
    for path in paths:
        if any(other.startswith(path + "/") for other in paths):
            paths = [p for p in paths if p != path]
    sizes = st.one_of(st.integers(0, 5), st.integers(0, 6 * BLOCK))
    files = [File(path, draw(sizes)) for path in paths]
    chunk_size = BLOCK * draw(st.integers(1, 4))
    apart = draw(st.booleans())
    ends = [f.size for f in files] if apart else [sum(f.size for f in files)]
    chunks = sum(-(-end // chunk_size) for end in ends)
    digests = [sha256(bytes([c % 256])).digest() for c in range(chunks)]
    return Manifest(files, chunk_size, digests, apart=apart)


@given(manifests())
@settings(max_examples=80, deadline=None)
def test_a_manifest_comes_back_from_its_bytes(manifest):
    again = Manifest.decode(manifest.encode())
    assert (again.files, again.chunk_size, again.chunk_digests, again.size, again.chunks) == (
        manifest.files,
        manifest.chunk_size,
        manifest.chunk_digests,
        manifest.size,
        manifest.chunks,
    )
    assert again.digest == manifest.digest == sha256(manifest.encode()).digest()
    assert manifest.digest.hex().startswith(manifest.name)
    assert len(manifest.name) == 12


@given(manifests(), st.data())
@settings(max_examples=80, deadline=None)
def test_extents_cover_exactly_what_was_asked_for(manifest, data):
    start, length = 0, 0
    if (
        manifest.chunks
    ):  # never over a gap: what is asked for lies in one chunk, or there are no gaps
        chunk = data.draw(st.integers(0, manifest.chunks - 1))
        begins = chunk * manifest.chunk_size
        end = begins + manifest.chunk_length(chunk) if manifest.apart else manifest.size
        start = data.draw(st.integers(begins, end))
        length = data.draw(st.integers(0, end - start))
    at = start
    for extent in manifest.extents(start, length):
        assert extent.length > 0
        assert extent.offset + extent.length <= manifest.files[extent.file].size
        assert manifest.starts[extent.file] + extent.offset == at
        at += extent.length
    assert at == start + length


@given(manifests(), st.data())
@settings(max_examples=80, deadline=None)
def test_no_chunk_lies_in_two_files_that_lie_apart(manifest, data):
    mask = data.draw(st.integers(0, (1 << manifest.chunks) - 1))
    chunks = [c for c in range(manifest.chunks) if mask >> c & 1]
    assert manifest.size_of(mask) == sum(map(manifest.chunk_length, chunks))
    if manifest.apart:
        for chunk in range(manifest.chunks):
            length = manifest.chunk_length(chunk)
            assert len(manifest.extents(chunk * manifest.chunk_size, length)) == 1


@given(manifests())
@settings(max_examples=80, deadline=None)
def test_chunks_and_blocks_cover_the_stream(manifest):
    chunks = range(manifest.chunks)
    assert sum(manifest.chunk_length(c) for c in chunks) == manifest.size
    for chunk in chunks:
        lengths = [manifest.block_length(chunk, b) for b in range(manifest.blocks_in(chunk))]
        assert sum(lengths) == manifest.chunk_length(chunk)
        assert all(length == BLOCK for length in lengths[:-1])
        assert 0 < lengths[-1] <= BLOCK


@given(st.binary(max_size=3 * BLOCK))
@settings(max_examples=20, deadline=None)
def test_a_chunks_digest_is_over_its_blocks_digests(data):
    leaves = leaves_of(memoryview(data))
    assert leaves == [
        sha256(data[i * BLOCK : (i + 1) * BLOCK]).digest() for i in range(-(-len(data) // BLOCK))
    ]
    assert chunk_digest(b"".join(leaves)) == sha256(b"".join(leaves)).digest()


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_arbitrary_bytes_are_no_manifest(data):
    for claim in (data, MAGIC + data, MAGIC + len(data).to_bytes(4, "big") + data):
        with pytest.raises(ManifestError):
            Manifest.decode(claim)


@given(manifests(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_makes_another_manifest_or_none(manifest, data):
    encoded = bytearray(manifest.encode())
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        other = Manifest.decode(bytes(encoded))
    except ManifestError:
        return
    assert other.digest != manifest.digest
    assert other.encode() == bytes(encoded)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([BLOCK, "a", "../a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["chunk_size", "files", "path", "size", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def with_head(head: object, digests: bytes = b"", **how: object) -> bytes:
    packed = json.dumps(head, **{"sort_keys": True, "separators": (",", ":"), **how}).encode()
    return MAGIC + len(packed).to_bytes(4, "big") + packed + digests


@given(JSON, st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_any_json_as_the_head_is_decoded_or_refused(head, digests):
    try:
        manifest = Manifest.decode(with_head(head, bytes(DIGEST * digests)))
    except ManifestError:
        return
    assert manifest.chunks == digests


ONE = {"chunk_size": BLOCK, "files": [{"path": "a", "size": 1}]}


@pytest.mark.parametrize(
    "data",
    [
        with_head(ONE),
        with_head(ONE, bytes(DIGEST + 1)),
        with_head(ONE, bytes(2 * DIGEST)),
        with_head(ONE, bytes(DIGEST), separators=(", ", ": ")),
        with_head({"files": ONE["files"], "chunk_size": BLOCK}, bytes(DIGEST), sort_keys=False),
        with_head({**ONE, "more": 1}, bytes(DIGEST)),
        with_head({**ONE, "chunk_size": BLOCK + 1}, bytes(DIGEST)),
        with_head({**ONE, "chunk_size": 0}),
        with_head({**ONE, "chunk_size": 1 << 31}, bytes(DIGEST)),
        with_head({**ONE, "chunk_size": float(BLOCK)}, bytes(DIGEST)),
        with_head({**ONE, "files": []}),
        with_head({**ONE, "files": [{"path": "a", "size": True}]}, bytes(DIGEST)),
        with_head({**ONE, "files": [{"path": "a", "size": -1}]}),
        with_head({**ONE, "files": [{"path": 1, "size": 1}]}, bytes(DIGEST)),
        with_head({**ONE, "files": [{"path": "a", "size": 1 << 60}]}, bytes(DIGEST)),
        MAGIC + (1 << 31).to_bytes(4, "big") + b"{}",
        MAGIC + (100_000).to_bytes(4, "big") + b"[" * 100_000,
        MAGIC + (9001).to_bytes(4, "big") + b"9" * 9001,
    ],
)
def test_what_encode_would_not_write_is_refused(data):
    with pytest.raises(ManifestError):
        Manifest.decode(data)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a/../b", "a\0b", "\ud800"],
)
def test_a_path_that_leaves_its_place_or_names_no_file_is_refused(path):
    with pytest.raises(ManifestError):
        check_path(path)
    with pytest.raises(ManifestError):
        Manifest([File(path, 0)], BLOCK, [])


@pytest.mark.parametrize("path", ["a", ".a", "...", "a b/c.d", "grün/\udcff", "..a/b.."])
def test_an_ordinary_path_is_taken(path):
    manifest = Manifest([File(path, 0)], BLOCK, [])
    assert Manifest.decode(manifest.encode()).files == (File(path, 0),)


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "a/b"), ("a/b/c", "a/b"), ("a", "b", "a/c/d")])
def test_paths_that_cannot_exist_side_by_side_are_refused(paths):
    with pytest.raises(ManifestError):
        Manifest([File(path, 0) for path in paths], BLOCK, [])


def test_more_chunks_than_a_bitfield_describes_are_refused_before_their_digests_are_asked_for():
    with pytest.raises(ManifestError, match="more than"):
        Manifest([File("a", BLOCK * ((1 << 20) + 1))], BLOCK, [])


def test_empty_files_take_no_part_in_extents():
    files = [File("a", 0), File("b", 2), File("c", 0), File("d", 1), File("e", 0)]
    manifest = Manifest(files, BLOCK, [bytes(DIGEST)])
    assert manifest.extents(0, 3) == [Extent(1, 0, 2), Extent(3, 0, 1)]
    assert manifest.extents(3, 0) == []
