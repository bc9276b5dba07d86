"""Root on its way to a destination is led nowhere by those who own the directories that it passes."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from fleetpush.agent.descent import descend, unmake
from fleetpush.agent.probe import look_at_destination
from fleetpush.agent.releases import INSIDE, Releases
from fleetpush.agent.store import HostStore, StoreError
from fleetpush.agent.tasks.cleaning import clean
from tests.agent.content import Content, make_content, scan

if TYPE_CHECKING:
    from pathlib import Path

NewStore = Callable[..., HostStore]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="about what root does: needs root")

STRANGER = pwd.getpwnam("nobody")


class Ground:
    """``theirs``: a directory of a user who means harm; ``victim``: one of root's."""

    def __init__(self, root: Path) -> None:
        self.theirs, self.victim = root / "home", root / "etc"
        for path in (self.theirs, self.victim):
            path.mkdir()
        self.give(self.theirs)

    def give(self, path: Path) -> Path:
        os.chown(path, STRANGER.pw_uid, STRANGER.pw_gid, follow_symlinks=False)
        return path

    def link(self, name: str, goal: Path | str) -> Path:
        """Laid by the stranger."""
        path = self.theirs / name
        path.symlink_to(goal)
        return self.give(path)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def where(fd: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


@pytest.mark.parametrize("dest", ["data/f", "data/new/f", "data/new/"])
@pytest.mark.parametrize("relative", [True, False])
def test_a_strangers_link_to_what_is_roots_is_refused(
    content: Content, new_store: NewStore, ground: Ground, dest: str, relative: bool
) -> None:
    ground.link("data", "../etc" if relative else ground.victim)
    store = new_store(content, f"{ground.theirs}/{dest}")
    with pytest.raises(StoreError) as failure:
        store.open()
    store.close()
    assert failure.value.slug == "dest_untrusted"
    assert f"{ground.theirs}/data is a symbolic link of user {STRANGER.pw_uid}" in str(
        failure.value
    )
    assert os.listdir(ground.victim) == []


def test_a_link_by_way_of_others_is_refused_too(ground: Ground) -> None:
    """Theirs leads to root's own, which leads to what is root's."""
    (ground.victim / "inside").mkdir()
    (ground.victim / "way").symlink_to("inside")
    ground.link("one", ground.victim / "way")
    ground.link("two", "one")
    with pytest.raises(StoreError, match="root follows no such link"):
        descend(str(ground.theirs / "two"))


def test_links_that_give_nobody_anything_are_followed(ground: Ground) -> None:
    own = ground.theirs / "own"
    own.mkdir()
    ground.give(own)
    ground.link("data", "own")
    (ground.theirs / "roots").symlink_to(ground.victim)
    assert where(descend(str(ground.theirs / "data"))) == str(own)
    assert where(descend(str(ground.theirs / "roots"))) == str(ground.victim)
    made: list[str] = []
    assert where(descend(str(ground.theirs / "data/a/b"), made)) == f"{own}/a/b"
    assert made == [f"{own}/a", f"{own}/a/b"]
    assert (own / "a").stat().st_uid == 0
    unmake(made)
    assert os.listdir(own) == []


def test_links_that_lead_in_a_circle_end(ground: Ground) -> None:
    (ground.theirs / "a").symlink_to("b")
    (ground.theirs / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        descend(str(ground.theirs / "a"))


@pytest.mark.parametrize("made", [False, True])
def test_a_directory_that_is_swapped_under_a_deploy_changes_nothing_elsewhere(
    content: Content, new_store: NewStore, ground: Ground, made: bool
) -> None:
    """What was opened stays what it is: files, renames and what is cleaned away go there."""
    data = ground.theirs / "data"
    if not made:
        data.mkdir()
        ground.give(data)
    store = new_store(content, data / "f")
    store.open()
    scan(store)
    data.rename(ground.theirs / "away")
    ground.link("data", ground.victim)
    for chunk in range(content.manifest.chunks):
        content.give(store, chunk)
    store.finish()
    store.activate()
    store.close()
    assert os.listdir(ground.victim) == []
    assert (ground.theirs / "away" / "f").read_bytes() == content.stream


def test_nothing_of_roots_is_removed_where_a_deploy_cleans_up_after_itself(
    content: Content, new_store: NewStore, ground: Ground
) -> None:
    store = new_store(content, ground.theirs / "a/b/f")
    store.open()
    (ground.victim / "b").mkdir()
    (ground.theirs / "a").rename(ground.theirs / "away")
    ground.link("a", ground.victim)
    store.close()
    assert os.listdir(ground.victim) == ["b"], "an empty directory of the same name"


SWAP = """
import ctypes, os, sys
swap, here, there = ctypes.CDLL(None).renameat2, *map(os.fsencode, sys.argv[1:])
print(swap(-100, here, -100, there, 2), flush=True)
while True:
    swap(-100, here, -100, there, 2)
"""
"""Two names change places by one call each time (RENAME_EXCHANGE)."""


def test_a_race_is_never_won(new_store: NewStore, ground: Ground) -> None:
    """A link and a directory change places all the time while root deploys again and again."""
    content = make_content({"f": 1000})
    data, link = ground.theirs / "data", ground.link("link", ground.victim)
    data.mkdir()
    ground.give(data)
    ends = {"there": 0, "refused": 0}
    words = [sys.executable, "-I", "-S", "-c", SWAP, data, link]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as attacker:
        try:
            if attacker.stdout is None or attacker.stdout.readline() != "0\n":
                pytest.skip("this filesystem swaps no names")
            for turn in range(300):
                store = new_store(content, data / f"new{turn}" / "f")
                try:
                    content.deploy(store)
                    ends["there"] += 1
                except StoreError:
                    ends["refused"] += 1
                store.close()
        finally:
            attacker.kill()
    assert os.listdir(ground.victim) == []
    assert all(ends.values()), f"there was no race: {ends}"


def test_releases_and_cleaning_go_the_same_way(ground: Ground) -> None:
    ground.link("app", ground.victim)
    release = "20260101000000-" + "0" * 12
    (ground.victim / INSIDE / release).mkdir(parents=True)
    left = ground.victim / (".f.fleetpush-" + "0" * 12)
    left.touch()
    app = f"{ground.theirs}/app"
    with pytest.raises(StoreError, match="root follows no such link"):
        Releases(app, "/root", make=True)
    for arguments in ({"dest": f"{app}/f"}, {"dir": app}):
        with pytest.raises(StoreError, match="root follows no such link"):
            clean({"check": False, **arguments}, threading.Event())
    assert left.exists()


@pytest.mark.parametrize("dest", ["app/f", "app/new/f"])
def test_check_says_so_beforehand(ground: Ground, dest: str) -> None:
    ground.link("app", ground.victim)
    config = {"dest": f"{ground.theirs}/{dest}", "files": [("f", 1)]}
    with pytest.raises(StoreError, match="root follows no such link"):
        look_at_destination(config)


def test_old_releases_are_removed_where_they_were_found(ground: Ground) -> None:
    """Not by a link that has taken the name of the directory that they are in."""
    app = ground.theirs / "app"
    releases = [f"2026010100000{n}-" + "0" * 12 for n in range(3)]
    for name in releases:
        (app / INSIDE / name).mkdir(parents=True)
        (ground.victim / name).mkdir()
    for path in (app, app / INSIDE):
        ground.give(path)
    found = Releases(str(app), "/root", make=False)
    found.switch(releases[-1])
    (app / INSIDE).rename(app / "away")
    (app / INSIDE).symlink_to(ground.victim)
    ground.give(app / INSIDE)
    with pytest.raises(StoreError, match="root follows no such link"):
        found.prune(1)
    found.close()
    assert sorted(os.listdir(ground.victim)) == releases
