"""Any directory tree comes out on a host as it was, and nothing beside it is touched."""

from __future__ import annotations

import os
import resource
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.agent.place import StoreError
from fleetpush.agent.source import SourceStore
from fleetpush.agent.tree.store import TreeStore
from fleetpush.deploy.source import make_manifest
from fleetpush.swarm.manifest import BLOCK
from tests.agent.content import place, scan

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = st.binary(min_size=1, max_size=6).filter(
    lambda name: name not in {b".", b".."} and b"/" not in name and b"\0" not in name
)
FILES = st.tuples(st.binary(max_size=300) | st.just(b"x" * (BLOCK + 5)), st.integers(0, 0o777))
LINKS = NAMES | st.sampled_from([b"..", b"/etc/passwd", b"../../x", b"."])
TREES = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(NAMES, FILES | LINKS | inner, max_size=5),
    max_leaves=12,
)


def plant(top: bytes, tree: dict[bytes, Any]) -> None:
    os.mkdir(top)
    for name, what in tree.items():
        path = top + b"/" + name
        if isinstance(what, dict):
            plant(path, what)
        elif isinstance(what, bytes):
            os.symlink(what, path)
        else:
            with open(path, "wb") as file:
                file.write(what[0])
            os.chmod(path, what[1])
            os.utime(path, ns=(0, len(what[0]) * 1_000_000_007))


def snapshot(top: bytes) -> dict[bytes, tuple[object, ...]]:
    found: dict[bytes, tuple[object, ...]] = {}
    for entry in os.scandir(top):
        status = entry.stat(follow_symlinks=False)
        mode = stat.S_IMODE(status.st_mode)
        if entry.is_symlink():
            found[entry.name] = (os.readlink(entry.path),)
        elif entry.is_dir():
            found[entry.name] = (mode,)
            inner = snapshot(entry.path)
            found.update({entry.name + b"/" + name: what for name, what in inner.items()})
        else:
            with open(entry.path, "rb") as file:
                found[entry.name] = (mode, status.st_mtime_ns, file.read())
    return found


def bring(source: str, dest: Path, **how: Any) -> bool:
    """The whole way of one host; whether everything was there already."""
    made = make_manifest([source], BLOCK, 1, dest.parent / "cache", lambda *at: None)
    origin = SourceStore(made.manifest, [str(path) for path in made.paths])
    store = TreeStore(made.manifest, place(f"{dest}/"), **how)
    try:
        store.open()
        scan(store)
        for chunk in range(made.manifest.chunks):
            if not store.have >> chunk & 1:
                assert store.put_leaves(chunk, origin.leaves(chunk))
                for block in range(store.progress(chunk), made.manifest.blocks_in(chunk)):
                    data = memoryview(origin.read_block(chunk, block))
                    store.put_block(chunk, block, data)
        store.finish()
        store.activate()
        for chunk in range(made.manifest.chunks):
            assert store.read_block(chunk, 0) == bytes(origin.read_block(chunk, 0))
    finally:
        store.close()
        origin.close()
    return store.present


@given(TREES, TREES)
@settings(max_examples=60, deadline=None)
def test_any_tree_round_trips_over_any_other(
    first: dict[bytes, Any], second: dict[bytes, Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        dest = Path(folder, "dest")
        for number, tree in enumerate((first, second)):
            top = os.path.join(folder, f"source{number}")
            plant(os.fsencode(top), tree)
            delete = {"below": "", "exclude": []}
            try:
                bring(f"{top}/", dest, verify_full=bool(number), delete=delete)
            except StoreError as error:
                # A directory in a file's place, or the other way round.
                if number and error.failure.slug in {"dest_is_directory", "dest_not_directory"}:
                    return
                raise
            assert snapshot(os.fsencode(dest)) == snapshot(os.fsencode(top))
            assert bring(f"{top}/", dest, delete=delete)


@pytest.fixture
def few_files() -> Iterator[None]:
    """As a login shell limits a process, and more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.usefixtures("few_files")
def test_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    tree = {b"%d" % n: {b"%d" % m: (b"%d" % m, 0o644) for m in range(7)} for n in range(100)}
    plant(os.fsencode(tmp_path / "source"), tree)
    bring(f"{tmp_path}/source/", tmp_path / "dest", verify_full=True)
    assert snapshot(os.fsencode(tmp_path / "dest")) == snapshot(os.fsencode(tmp_path / "source"))


def test_one_changed_file_leaves_the_files_of_other_chunks_alone(tmp_path: Path) -> None:
    tree = {b"a": (b"a" * BLOCK, 0o600), b"b": (b"b" * BLOCK, 0o600)}
    plant(os.fsencode(tmp_path / "source"), tree)
    bring(f"{tmp_path}/source/", tmp_path / "dest")
    before = (tmp_path / "dest" / "a").stat().st_ino
    (tmp_path / "source" / "b").write_bytes(b"c" * BLOCK)
    assert not bring(f"{tmp_path}/source/", tmp_path / "dest")
    assert (tmp_path / "dest" / "a").stat().st_ino == before
    assert (tmp_path / "dest" / "b").read_bytes() == b"c" * BLOCK


def test_nothing_is_written_through_a_link_on_the_host(tmp_path: Path) -> None:
    plant(os.fsencode(tmp_path / "source"), {b"sub": {b"f": (b"new", 0o600)}})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "dest").mkdir()
    (tmp_path / "dest" / "sub").symlink_to("../elsewhere")
    with pytest.raises(StoreError, match="sub is no directory on this host"):
        bring(f"{tmp_path}/source/", tmp_path / "dest")
    assert os.listdir(tmp_path / "elsewhere") == []
    assert os.listdir(tmp_path / "dest") == ["sub"]


def test_two_runs_never_stage_in_one_destination(tmp_path: Path) -> None:
    plant(os.fsencode(tmp_path / "source"), {b"f": (b"new", 0o600)})
    made = make_manifest([f"{tmp_path}/source/"], BLOCK, 1, tmp_path / "cache", lambda *at: None)
    first = TreeStore(made.manifest, place(f"{tmp_path}/dest/"))
    first.open()
    second = TreeStore(made.manifest, place(f"{tmp_path}/dest/"))
    with pytest.raises(StoreError, match="another run"):
        second.open()
    second.close()
    first.close()
    assert not (tmp_path / "dest").exists()
