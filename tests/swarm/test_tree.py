"""A tree in a manifest survives its bytes; what no host could make of one is refused."""

from __future__ import annotations

import pytest

from fleetpush.errors import ManifestError
from fleetpush.swarm.manifest import BLOCK, File, Manifest
from fleetpush.swarm.tree import Directory, Link, Tree

NONE = Tree([], [])


def test_a_tree_comes_back_from_its_bytes() -> None:
    tree = Tree([Directory("d", 0o700), Directory("d/e", 0)], [Link("l\udcff", "../../\udcfe")])
    files = [File("d/f", 3, 0o755, -1), File("plain", 0)]
    manifest = Manifest(files, BLOCK, [bytes(32)], tree)
    again = Manifest.decode(manifest.encode())
    assert (again.files, again.tree) == (tuple(files), tree)
    assert Manifest.decode(Manifest([], BLOCK, [], NONE).encode()).tree == NONE


def test_plain_files_are_encoded_as_ever() -> None:
    """Digests of what was deployed before trees were known must stay what they were."""
    head = b'{"chunk_size":65536,"files":[{"path":"a","size":0}]}'
    encoded = Manifest([File("a", 0)], BLOCK, []).encode()
    assert encoded == b"FPM1" + len(head).to_bytes(4, "big") + head


@pytest.mark.parametrize(
    ("files", "tree"),
    [
        ([File("a", 0)], Tree([], [Link("a", "x")])),
        ([File("a", 0)], Tree([Directory("a", 0)], [])),
        ([], Tree([Directory("a", 0)], [Link("a", "x")])),
        ([File("a/b", 0)], Tree([], [Link("a", "x")])),
        ([File("a/b/c", 0)], Tree([], [Link("a", "x")])),
        ([], Tree([Directory("a/b", 0)], [Link("a", "x")])),
        ([], Tree([], [Link("a", "x"), Link("a/b", "x")])),
        ([], Tree([Directory("b", 0), Directory("a", 0)], [])),
        ([], Tree([Directory("a", 0), Directory("a", 0)], [])),
        ([], Tree([Directory("../a", 0)], [])),
        ([], Tree([Directory("/a", 0)], [])),
        ([], Tree([Directory("a", 0o4755)], [])),
        ([], Tree([], [Link("..", "x")])),
        ([], Tree([], [Link("a", "")])),
        ([], Tree([], [Link("a", "x\0")])),
        ([], Tree([], [Link("a", "\ud800")])),
        ([], Tree([], [Link("a", "x" * 4096)])),
        ([File("a", 0, 0o4755)], NONE),
        ([File("a", 0, True)], NONE),
        ([File("a", 0, 0o644, 1 << 63)], NONE),
        ([File("a", 0, 0o644)], None),
        ([File("x" * 4096, 0)], NONE),
        ([], None),
    ],
)
def test_what_cannot_be_on_a_host_is_refused(files: list[File], tree: Tree | None) -> None:
    with pytest.raises(ManifestError):
        Manifest(files, BLOCK, [], tree)


@pytest.mark.parametrize(
    "tree",
    [
        b"null",
        b"[]",
        b'{"directories":[]}',
        b'{"directories":[],"links":[[]]}',
        b'{"directories":[],"links":[{"path":1,"target":"x"}]}',
        b'{"directories":[{"mode":"7","path":"d"}],"links":[]}',
        b'{"directories":[],"links":[],"more":1}',
    ],
)
def test_what_encode_would_not_write_is_refused(tree: bytes) -> None:
    head = b'{"chunk_size":65536,"files":[],"tree":' + tree + b"}"
    with pytest.raises(ManifestError):
        Manifest.decode(b"FPM1" + len(head).to_bytes(4, "big") + head)
