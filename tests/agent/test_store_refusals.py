"""What a host's disk can refuse, found early and said clearly; nothing that was there is harmed."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleetpush.agent.partial import Partial
from fleetpush.agent.store import HostStore, StoreError
from tests.agent.content import CHUNK, Content, make_content, scan

NewStore = Callable[..., HostStore]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a filesystem: needs root")
NOBODY = pwd.getpwnam("nobody")


def refusal(store: HostStore) -> str:
    with pytest.raises(StoreError) as failure:
        store.open()
    store.close()
    assert failure.value.failure.message == str(failure.value)
    return f"{failure.value.slug}: {failure.value}"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of one megabyte."""
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)],
        check=False,
        capture_output=True,
    )
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs: {done.stderr.decode().strip()}")
    yield mount
    # Lazily: a test that failed may still hold files open.
    subprocess.run(["umount", "-l", str(mount)], check=True)


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A directory of an unprivileged user, and being that user."""
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid() != 0:
            yield Path(name)
            return
        os.chown(name, NOBODY.pw_uid, NOBODY.pw_gid)
        groups, gid = os.getgroups(), os.getegid()
        os.setgroups([])
        os.setegid(NOBODY.pw_gid)
        os.seteuid(NOBODY.pw_uid)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)
            os.setegid(gid)
            os.setgroups(groups)


@needs_root
def test_a_full_disk_is_found_before_a_byte_is_sent(new_store: NewStore, small_disk: Path) -> None:
    content = make_content({"f": 2 << 20})
    said = refusal(new_store(content, small_disk / "new" / "f"))
    assert said.startswith(
        f"disk_full: {small_disk}/new/f: needs 2.1 MB and its filesystem has 1.0 MB free"
    )
    assert os.listdir(small_disk) == []


@needs_root
def test_room_is_reserved_so_that_it_is_there_in_the_end(
    new_store: NewStore, small_disk: Path
) -> None:
    content = make_content({"f": 700 << 10})
    store = new_store(content, small_disk / "f")
    store.open()
    assert "disk_full" in refusal(new_store(make_content({"g": 700 << 10}), small_disk / "g"))
    with (small_disk / "other").open("wb") as other, pytest.raises(OSError, match="No space"):
        other.write(b"x" * (600 << 10))
        other.flush()
    scan(store)
    for chunk in range(content.manifest.chunks):
        content.give(store, chunk)
    store.finish()
    store.activate()
    assert (small_disk / "f").read_bytes() == content.stream
    store.close()


@needs_root
def test_content_that_is_there_needs_no_room(new_store: NewStore, small_disk: Path) -> None:
    content = make_content({"f": 700 << 10})
    (small_disk / "f").write_bytes(content.stream)
    store = new_store(content, small_disk / "f")
    assert store.open() == "present"
    scan(store)
    assert store.present
    store.close()


@needs_root
def test_a_read_only_filesystem(content: Content, new_store: NewStore, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert refusal(new_store(content, small_disk / "f")).startswith(f"read_only: {small_disk}/f: ")
    assert "read_only" in refusal(new_store(content, small_disk / "new" / "f"))


def test_a_directory_one_may_not_write(
    content: Content, new_store: NewStore, as_nobody: Path
) -> None:
    closed = as_nobody / "closed"
    closed.mkdir(mode=0o555)
    said = refusal(new_store(content, closed / "f"))
    assert said.startswith(f"not_writable: {closed}/f: Permission denied for user ")
    assert "-b" in said
    assert "not_writable" in refusal(new_store(content, closed / "new" / "f"))


def test_content_that_is_there_needs_no_permission_to_write(
    content: Content, new_store: NewStore, as_nobody: Path
) -> None:
    closed = as_nobody / "closed"
    closed.mkdir()
    (closed / "f").write_bytes(content.stream)
    closed.chmod(0o555)
    store = new_store(content, closed / "f")
    store.open()
    scan(store)
    assert store.present
    store.finish()
    store.activate()
    store.close()


def test_an_owner_one_may_not_give_to(
    content: Content, new_store: NewStore, as_nobody: Path
) -> None:
    said = refusal(new_store(content, as_nobody / "f", owner="root"))
    assert said.startswith(f"bad_owner: {as_nobody}/f: may not give the file to user 0")
    assert os.listdir(as_nobody) == []


@pytest.mark.parametrize(
    "options", [{"owner": "no-such-user"}, {"group": "no-such-group"}, {"owner": "4294967295"}]
)
def test_an_owner_that_does_not_exist(
    content: Content, new_store: NewStore, tmp_path: Path, options: dict[str, str]
) -> None:
    said = refusal(new_store(content, tmp_path / "f", **options))
    assert said.startswith("bad_owner: ")
    assert next(iter(options.values())) in said


@pytest.mark.parametrize("link", [False, True])
def test_a_directory_in_the_destinations_place(
    content: Content, new_store: NewStore, tmp_path: Path, link: bool
) -> None:
    dest = tmp_path / "d"
    if link:
        (tmp_path / "real").mkdir()
        dest.symlink_to("real")
    else:
        dest.mkdir()
    said = refusal(new_store(content, dest))
    assert said.startswith(f"dest_is_directory: {dest} is a directory")
    assert f"{dest}/" in said


@pytest.mark.parametrize("dest", ["file/under/f", "file/f", "file/"])
def test_a_file_in_a_directorys_place(
    content: Content, new_store: NewStore, tmp_path: Path, dest: str
) -> None:
    (tmp_path / "file").write_text("a file")
    assert "dest_not_directory" in refusal(new_store(content, f"{tmp_path}/{dest}"))
    assert (tmp_path / "file").read_text() == "a file"


def test_several_files_need_a_directory(new_store: NewStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    content = make_content({"a": 1, "b": 1})
    assert "dest_not_directory" in refusal(new_store(content, tmp_path / "file"))


def test_a_device_is_never_replaced(content: Content, new_store: NewStore, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "dest_not_file" in refusal(new_store(content, tmp_path / "pipe"))
    assert "dest_not_file" in refusal(new_store(content, "/dev/null"))


def test_a_name_too_long_for_its_partial(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    assert "name_too_long" in refusal(new_store(content, tmp_path / ("x" * 250)))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("dest", ["a\0b", "~no-such-user/f", "/."])
def test_a_destination_that_names_no_file(content: Content, new_store: NewStore, dest: str) -> None:
    assert refusal(new_store(content, dest)).split(":")[0] in ("bad_dest", "dest_is_directory")


def test_a_manifests_path_never_leaves_the_destination_by_a_link(
    new_store: NewStore, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "outside")
    content = make_content({"sub/f": 10})
    assert "dest_not_directory" in refusal(new_store(content, f"{tmp_path}/out/"))
    assert os.listdir(tmp_path / "outside") == []


@pytest.mark.parametrize("same", [True, False])
def test_a_second_run_to_one_destination_is_refused(
    content: Content, new_store: NewStore, tmp_path: Path, same: bool
) -> None:
    first = new_store(content, tmp_path / "f")
    first.open()
    scan(first)
    content.give(first, 0)
    other = content if same else make_content({"f": 5 * CHUNK}, seed=2)
    assert refusal(new_store(other, tmp_path / "f")).startswith(
        f"dest_busy: {tmp_path}/f: another run"
    )
    neighbour = new_store(other, tmp_path / "f2")
    assert neighbour.open() == "new"
    neighbour.close()
    first.close()
    later = new_store(other, tmp_path / "f")
    assert later.open() == ("partial" if same else "new")
    other.deploy(new_store(other, tmp_path / "f3"))


def test_of_many_runs_at_once_exactly_one_gets_the_destination(
    new_store: NewStore, tmp_path: Path
) -> None:
    dest = tmp_path / "made" / "f"
    stores = [new_store(make_content({"f": 1000}, seed=number), dest) for number in range(12)]

    def state(store: HostStore) -> str:
        try:
            return store.open()
        except StoreError as error:
            return error.slug

    with ThreadPoolExecutor(len(stores)) as pool:
        states = sorted(pool.map(state, stores))
    assert states == ["dest_busy"] * 11 + ["new"]
    assert len(os.listdir(tmp_path / "made")) == 1


def test_a_destination_that_turns_out_different_is_locked_in_the_scan(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"x" * len(content.stream))
    first, second = new_store(content, tmp_path / "f"), new_store(content, tmp_path / "f")
    first.open()
    second.open()
    scan(first)
    with pytest.raises(StoreError) as failure:
        scan(second)
    assert failure.value.slug == "dest_busy"


@pytest.mark.parametrize("trap", ["symlink", "hardlink", "fifo"])
def test_a_trap_in_the_partials_place_is_removed_not_written_to(
    content: Content, new_store: NewStore, tmp_path: Path, trap: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    name = tmp_path / f".f.fleetpush-{content.manifest.name}"
    if trap == "symlink":
        name.symlink_to(precious)
    elif trap == "hardlink":
        name.hardlink_to(precious)
    else:
        os.mkfifo(name)
    store = new_store(content, tmp_path / "f")
    assert content.deploy(store) == "new"
    store.close()
    assert precious.read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["f", "precious"]


def test_a_partial_that_its_run_removes_as_we_open_it_is_made_anew(
    content: Content, new_store: NewStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = tmp_path / f".f.fleetpush-{content.manifest.name}"
    partial.write_bytes(b"x")
    lock = Partial._lock

    def lock_late(self: Partial, fd: int) -> None:
        if partial.exists() and partial.stat().st_size == 1:
            partial.unlink()
        lock(self, fd)

    monkeypatch.setattr(Partial, "_lock", lock_late)
    assert content.deploy(new_store(content, tmp_path / "f")) == "new"
    assert (tmp_path / "f").read_bytes() == content.stream


def test_a_partial_that_others_could_read_is_closed_to_them(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    partial = tmp_path / f".f.fleetpush-{content.manifest.name}"
    partial.write_bytes(b"x")
    partial.chmod(0o666)
    assert new_store(content, tmp_path / "f").open() == "partial"
    assert partial.stat().st_mode & 0o777 == 0o600


@needs_root
def test_another_users_partial_is_replaced(
    content: Content, new_store: NewStore, tmp_path: Path
) -> None:
    partial = tmp_path / f".f.fleetpush-{content.manifest.name}"
    partial.write_bytes(content.stream)
    os.chown(partial, NOBODY.pw_uid, NOBODY.pw_gid)
    assert new_store(content, tmp_path / "f").open() == "new"
    assert partial.stat().st_uid == 0
