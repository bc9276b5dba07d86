"""A directory as the source: what the hosts hold afterwards, over real SSH."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

HOSTS = 3


def plant(desk: Desk) -> Path:
    """A small tree with one of everything that a tree may have."""
    top = desk.root / "site"
    (top / "static" / "empty").mkdir(parents=True)
    (top / "static" / "empty").chmod(0o711)
    for number in range(200):
        (top / "static" / f"{number:03}.css").write_bytes(os.urandom(number))
    (top / "big.bin").write_bytes(os.urandom(3 << 20))
    (top / "run.sh").write_text("#!/bin/sh\n")
    (top / "run.sh").chmod(0o4755)
    os.utime(top / "run.sh", ns=(1, 1_600_000_000_123_456_789))
    (top / "current").symlink_to("static")
    (top / "out").symlink_to("../../../etc/passwd")
    with open(os.fsencode(top) + b"/caf\xe9", "wb") as file:
        file.write(b"no UTF-8 in its name")
    return top


def snapshot(top: Path) -> dict[str, tuple[object, ...]]:
    """Everything below ``top``: kind, permissions, time and content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in top.rglob("*"):
        status = path.lstat()
        name, mode = path.relative_to(top).as_posix(), stat.S_IMODE(status.st_mode) & 0o777
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = ("directory", mode)
        else:
            found[name] = ("file", mode, status.st_mtime_ns, path.read_bytes())
    return found


def test_a_tree_arrives_as_it_is_and_the_second_time_nothing_moves(desk: Desk) -> None:
    top, inventory = plant(desk), desk.inventory(HOSTS)
    first = desk.deploy(f"{top}/", inventory, "--dest", "www/site/")
    assert first.exit == 0, first.stderr
    assert first.document["hosts"]["activated"] == HOSTS
    assert first.document["manifest"]["name"] == "site/"
    for home in desk.homes(HOSTS):
        assert snapshot(home / "www" / "site") == snapshot(top)

    second = desk.deploy(f"{top}/", inventory, "--dest", "www/site/")
    assert second.document["hosts"]["already_present"] == HOSTS, second.stderr
    assert second.document["traffic"]["peer_bytes_sent"] < 64 * 1024

    (top / "run.sh").chmod(0o700)
    third = desk.deploy(f"{top}/", inventory, "--dest", "www/site/")
    assert [r["changed"] for r in third.document["results"]] == [True] * HOSTS
    moved = third.document["traffic"]
    assert moved["origin_bytes_sent"] + moved["peer_bytes_sent"] < 64 * 1024
    for home in desk.homes(HOSTS):
        assert snapshot(home / "www" / "site") == snapshot(top)


def test_without_a_slash_the_directory_itself_goes_below_the_destination(desk: Desk) -> None:
    top = plant(desk)
    done = desk.deploy(top, desk.inventory(HOSTS), "--dest", "www/")
    assert done.exit == 0, done.stderr
    for home in desk.homes(HOSTS):
        assert snapshot(home / "www" / "site") == snapshot(top)
        assert os.listdir(home / "www") == ["site"]


def test_delete_removes_what_the_source_lacks_and_nothing_else(desk: Desk) -> None:
    top, inventory = plant(desk), desk.inventory(HOSTS)
    (top / "notes.tmp").write_text("not for the hosts")
    kept = desk.home(0) / "kept"
    kept.mkdir()
    (kept / "file").write_text("outside")
    old = desk.home(0) / "www" / "site"
    (old / "gone" / "deep").mkdir(parents=True)
    (old / "gone" / "deep" / "file").write_text("old")
    (old / "gone" / "deep" / "mine.tmp").write_text("excluded, so it stays")
    (old / "old.css").write_text("old")
    (old / "link").symlink_to(kept)
    desk.own(desk.home(0))
    flags = ("--dest", "www/", "--exclude", "*.tmp", "--delete")
    done = desk.deploy(top, inventory, *flags)
    assert done.exit == 0, done.stderr
    (top / "notes.tmp").unlink()
    for index, home in enumerate(desk.homes(HOSTS)):
        found = snapshot(home / "www" / "site")
        if not index:
            assert found.pop("gone/deep/mine.tmp")
            assert found.pop("gone/deep") == found.pop("gone")
        assert found == snapshot(top)
    assert (kept / "file").read_text() == "outside"
    assert desk.deploy(top, inventory, *flags).document["hosts"]["already_present"] == HOSTS


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--delete", "--activate", "none", "--dest", "x/"), "--activate none"),
        (("--delete", "--release-dir", "x"), "a release holds nothing else"),
        (("--dest", "x"), "end it in '/'"),
        (("--exclude", "/", "--dest", "x/"), "excludes nothing"),
    ],
)
def test_what_makes_no_sense_with_a_directory(
    desk: Desk, flags: tuple[str, ...], says: str
) -> None:
    done = desk.deploy(f"{plant(desk)}/", desk.inventory(1), *flags)
    assert done.exit in (2, 5)
    assert says in done.stderr
    desk.nothing_but(1)


def test_a_home_is_never_emptied(desk: Desk) -> None:
    done = desk.deploy(f"{plant(desk)}/", desk.inventory(1), "--dest", "./", "--delete")
    assert done.slugs() == {"node0001": "delete_refused"}
    desk.nothing_but(1)


def test_a_tree_is_released_whole_and_switched_together(desk: Desk) -> None:
    top, inventory = plant(desk), desk.inventory(HOSTS)
    flags = ("--release-dir", "app", "--activate", "together")
    assert desk.deploy(f"{top}/", inventory, *flags).exit == 0
    (top / "run.sh").write_text("#!/bin/sh\ntrue\n")
    done = desk.deploy(f"{top}/", inventory, *flags)
    assert done.exit == 0, done.stderr
    for home in desk.homes(HOSTS):
        assert snapshot((home / "app" / "current").resolve()) == snapshot(top)
        assert len(os.listdir(home / "app" / "releases")) == 2


def test_a_directory_that_nobody_may_write_is_brought_up_to_date(desk: Desk) -> None:
    top, inventory = desk.root / "locked", desk.inventory(1)
    (top / "sub").mkdir(parents=True)
    (top / "sub" / "f").write_text("one")
    (top / "sub").chmod(0o555)
    assert desk.deploy(f"{top}/", inventory, "--dest", "x/").exit == 0
    (top / "sub" / "f").write_text("two")
    done = desk.deploy(f"{top}/", inventory, "--dest", "x/")
    assert done.exit == 0, done.stderr
    assert snapshot(desk.home(0) / "x") == snapshot(top)


def test_a_directory_in_a_files_place_is_refused_by_name_before_anything_moves(desk: Desk) -> None:
    top = plant(desk)
    (desk.home(0) / "x" / "big.bin").mkdir(parents=True)
    (desk.home(1) / "x").mkdir()
    (desk.home(1) / "x" / "static").write_text("a file")
    done = desk.deploy(f"{top}/", desk.inventory(HOSTS), "--dest", "x/")
    assert done.exit == 3
    assert done.slugs() == {"node0001": "dest_is_directory", "node0002": "dest_not_directory"}
    assert "x/big.bin is a directory" in done.host("node0001")["reason"]["message"]
    assert "x/static is no directory" in done.host("node0002")["reason"]["message"]
    assert os.listdir(desk.home(0) / "x") == ["big.bin"]
    assert snapshot(desk.home(2) / "x") == snapshot(top)
