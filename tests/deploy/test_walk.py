"""What is found of the operator's sources, and what is refused by name."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from fleetpush.deploy.walk import Found, find_sources, name_of
from fleetpush.errors import InputError
from fleetpush.swarm.exclude import Excluded

if TYPE_CHECKING:
    from pathlib import Path


def paths(found: Found) -> list[str]:
    assert found.tree is not None
    return sorted([file.path for file in found.files] + found.tree.paths)


def test_a_slash_says_whether_the_directory_itself_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "top" / "sub").mkdir(parents=True)
    (tmp_path / "top" / "f").write_text("f")
    monkeypatch.chdir(tmp_path / "top")
    assert paths(find_sources([f"{tmp_path}/top"])) == ["top", "top/f", "top/sub"]
    for source in (f"{tmp_path}/top/", f"{tmp_path}/top/.", ".", "./", "sub/.."):
        assert paths(find_sources([source])) == ["f", "sub"]
        assert name_of(source) == "top/"


def test_a_circle_of_links_is_carried_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "self").symlink_to(".")
    found = find_sources([f"{tmp_path}/"])
    assert found.tree is not None
    assert [(link.path, link.target) for link in found.tree.links] == [
        ("a", "b"),
        ("b", "a"),
        ("self", "."),
    ]
    assert not found.files


def test_an_empty_directory_is_a_tree(tmp_path: Path) -> None:
    found = find_sources([f"{tmp_path}/"])
    assert (found.files, paths(found)) == ((), [])


def test_what_no_tree_can_carry_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe is a device, pipe or socket: leave it out"):
        find_sources([f"{tmp_path}/"])
    assert not find_sources([f"{tmp_path}/"], ["pipe"]).files
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "door"))
        with pytest.raises(InputError, match="door is a device"):
            find_sources([f"{tmp_path}/"], ["pipe"])


def test_sources_that_would_become_one_path(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
    both = [f"{tmp_path}/one/", f"{tmp_path}/two/"]
    assert paths(find_sources(both)) == ["sub"]
    (tmp_path / "one" / "f").write_text("1")
    (tmp_path / "two" / "f").mkdir()
    with pytest.raises(InputError, match="would become one file"):
        find_sources(both)
    with pytest.raises(InputError, match="would become one file"):
        find_sources(both[::-1])


@pytest.mark.parametrize(
    ("pattern", "directory", "out", "stays"),
    [
        ("*.tmp", False, ["a.tmp", "x/y/.tmp"], ["a.tmpx", "tmp"]),
        ("/top", False, ["top"], ["x/top", "topx"]),
        ("dir/", True, ["dir", "x/dir"], ["dirx"]),
        ("dir/", False, [], ["dir"]),
        ("a/b", False, ["a/b", "x/a/b"], ["a/x/b", "xa/b"]),
        ("/a/**/b", False, ["a/x/y/b"], ["a/b"]),
        ("f[0-9]?", False, ["f1x"], ["f1", "fxx", "f1/"]),
        ("[!a]", False, ["b"], ["a"]),
        ("[x", False, ["[x"], ["x"]),
        (r"\*", False, ["*"], ["a"]),
    ],
)
def test_patterns_mean_what_they_mean_to_rsync(
    pattern: str, directory: bool, out: list[str], stays: list[str]
) -> None:
    excluded = Excluded([pattern])
    assert all(excluded.leaves_out(path, directory=directory) for path in out)
    assert not any(excluded.leaves_out(path, directory=directory) for path in stays)
