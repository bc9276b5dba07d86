"""Where the content ends up, whose it is, and what a run that dies on the way leaves."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from fleetpush.agent.store import HostStore, StoreError
from tests.agent.content import Content, make_content, scan

if TYPE_CHECKING:
    from pathlib import Path

NewStore = Callable[..., HostStore]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files away: needs root")
NOBODY = pwd.getpwnam("nobody")


def test_a_link_is_replaced_not_followed(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    (tmp_path / "real").write_bytes(content.stream)
    (tmp_path / "f").symlink_to("real")
    store = new_store(content, tmp_path / "f")
    assert content.deploy(store) == "new"
    assert not (tmp_path / "f").is_symlink()
    assert (tmp_path / "real").read_bytes() == content.stream


def test_whoever_reads_the_old_file_goes_on_reading_it(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    dest = tmp_path / "f"
    dest.write_text("old")
    with dest.open() as reader:
        content.deploy(new_store(content, dest))
        assert reader.read() == "old"
    assert dest.read_bytes() == content.stream


def remove(partial: Path, dest: Path) -> None:
    partial.unlink()


def replace(partial: Path, dest: Path) -> None:
    partial.unlink()
    partial.write_text("somebody else's")


def make_directory(partial: Path, dest: Path) -> None:
    dest.unlink()
    dest.mkdir()


@pytest.mark.parametrize("meddle", [remove, replace, make_directory])
def test_an_activation_that_fails_says_so_and_changes_nothing(
    content: Content, new_store: NewStore, tmp_path: Path, meddle: Callable[[Path, Path], object]
) -> None:
    dest = tmp_path / "f"
    dest.write_text("old")
    store = new_store(content, dest)
    store.open()
    scan(store)
    for chunk in range(5):
        content.give(store, chunk)
    store.finish()
    meddle(tmp_path / f".f.fleetpush-{content.manifest.name}", dest)
    before = dest.stat()
    with pytest.raises(StoreError) as failure:
        store.activate()
    assert failure.value.slug in ("dest_gone", "dest_is_directory")
    assert dest.stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    ("old", "asked", "mode"),
    [(None, None, 0o640), (0o4750, None, 0o750), (0o600, 0o755, 0o755), (None, 0o2755, 0o2755)],
)
def test_the_mode(
    content: Content,
    new_store: NewStore,
    tmp_path: Path,
    old: int | None,
    asked: int | None,
    mode: int,
) -> None:
    dest = tmp_path / "f"
    if old is not None:
        dest.write_text("old")
        dest.chmod(old)
    before = os.umask(0o027)
    try:
        store = new_store(content, dest, mode=asked)
    finally:
        os.umask(before)
    content.deploy(store)
    assert stat.S_IMODE(dest.stat().st_mode) == mode


@pytest.mark.parametrize(("asked", "mode"), [(0o711, 0o711), (None, 0o4750)])
def test_content_that_is_there_keeps_its_mode_unless_another_is_asked_for(
    content: Content, new_store: NewStore, tmp_path: Path, asked: int | None, mode: int
) -> None:
    (tmp_path / "f").write_bytes(content.stream)
    (tmp_path / "f").chmod(0o4750)
    store = new_store(content, tmp_path / "f", mode=asked)
    store.open()
    scan(store)
    store.finish()
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == mode


@needs_root
@pytest.mark.parametrize(
    "asked", [{"owner": "nobody"}, {"group": grp.getgrgid(NOBODY.pw_gid).gr_name}, {}]
)
def test_the_owner(
    content: Content, new_store: NewStore, tmp_path: Path, asked: dict[str, str]
) -> None:
    dest = tmp_path / "f"
    dest.write_text("old")
    os.chown(dest, 4711, 4712)
    content.deploy(new_store(content, dest, **asked))
    found = dest.stat()
    assert found.st_uid == (NOBODY.pw_uid if "owner" in asked else 4711)
    assert found.st_gid == (NOBODY.pw_gid if "group" in asked else 4712)


@needs_root
def test_what_was_prepared_for_another_owner_is_still_ours_to_activate(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    first = new_store(content, tmp_path / "f", owner="nobody")
    first.open()
    assert (tmp_path / f".f.fleetpush-{content.manifest.name}").stat().st_uid == 0
    scan(first)
    for chunk in range(5):
        content.give(first, chunk)
    first.finish()
    first.close()
    second = new_store(content, tmp_path / "f", owner="nobody")
    assert second.open() == "partial"
    scan(second)
    assert second.have == 0b11111
    second.finish()
    second.activate()
    assert (tmp_path / "f").stat().st_uid == NOBODY.pw_uid


@pytest.mark.parametrize("dest", ["f", "~/f", "deep/../f", "~/", "", "./", "home-of-it/"])
def test_a_destination_is_taken_from_the_users_home(
    new_store: NewStore, tmp_path: Path, dest: str
) -> None:
    content = make_content({"f": 10})
    content.deploy(new_store(content, dest, home=tmp_path))
    where = tmp_path / "home-of-it" / "f" if dest.startswith("home") else tmp_path / "f"
    assert where.read_bytes() == content.stream


CRASH = """
import os, signal, sys
from fleetpush.agent.store import HostStore
from tests.agent.content import CHUNK, make_content, place, scan
from fleetpush.swarm.manifest import BLOCK
content = make_content({"model.bin": 4 * CHUNK + BLOCK + 77})
store = HostStore(content.manifest, place(sys.argv[1]))
store.open()
scan(store)
for chunk in (4, 2):
    content.give(store, chunk)
store.put_leaves(0, content.leaves[0])
store.put_block(0, 0, content.block(0, 0))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_is_taken_up_where_it_stood(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    dest = tmp_path / "f"
    done = subprocess.run([sys.executable, "-c", CRASH, str(dest)], check=False)
    assert done.returncode == -9
    store = new_store(content, dest)
    assert store.open() == "partial"
    scan(store)
    assert store.have == 0b10100
    assert store.put_leaves(0, content.leaves[0])
    assert store.progress(0) == 1
    content.complete(store)
    assert dest.read_bytes() == content.stream
    store.close()
    assert os.listdir(tmp_path) == ["f"]


def staged(content: Content, new_store: NewStore, dest: Path) -> HostStore:
    """All there and proved, and not switched."""
    store = new_store(content, dest)
    store.open()
    scan(store)
    for chunk in range(content.manifest.chunks):
        content.give(store, chunk)
    store.finish()
    return store


def test_what_was_there_is_kept_until_all_is_settled(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    dest = tmp_path / "f"
    dest.write_text("old")
    store = staged(content, new_store, dest)
    assert store.activate(keep_old=True) == []
    kept = tmp_path / f".f.fleetpush-{content.manifest.name}.previous"
    assert kept.read_text() == "old"
    assert dest.read_bytes() == content.stream
    store.settle()
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_that_there_was_nothing_is_kept_too(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    store = staged(content, new_store, tmp_path / "f")
    store.activate(keep_old=True)
    store.close()  # as when the command is gone: whoever resumes the run decides
    assert (tmp_path / f".f.fleetpush-{content.manifest.name}.absent").exists()
