"""The agent's own ``os`` does what the public one does, and has all that is asked of it."""

import ast
import os
import posixpath
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.lean import KNOWN_PYTHON

pytestmark = pytest.mark.skipif(not KNOWN_PYTHON, reason="the public module is used on this Python")

if KNOWN_PYTHON:
    from fleetpush.lean import c_os

PACKAGE = Path(__file__).parents[2] / "fleetpush"
LEAN = "from fleetpush.lean.system import os"
USERS = [path for path in PACKAGE.rglob("*.py") if LEAN in path.read_text()]

paths = st.text(alphabet="/.a\u00e9 ~", max_size=12) | st.text(max_size=8).filter(
    lambda text: "\0" not in text
)


@given(paths)
def test_paths_are_taken_apart_alike(path):
    for name in ("split", "dirname", "basename", "normpath", "lexists", "isdir"):
        assert getattr(c_os.path, name)(path) == getattr(posixpath, name)(path), name


@given(paths, st.lists(paths, max_size=3))
def test_paths_are_joined_alike(first, rest):
    assert c_os.path.join(first, *rest) == posixpath.join(first, *rest)


@given(paths.map(lambda text: "~" + text) | paths)
def test_homes_are_found_alike(path):
    assert c_os.path.expanduser(path) == posixpath.expanduser(path)


@pytest.mark.parametrize("home", ["/home/a/", "", "/", "/\udcff", None])
def test_the_home_is_what_the_environment_says(monkeypatch, home):
    if home is None:
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", home)
    for path in ("~", "~/", "~/x", "~root/x", "~nobody-of-that-name"):
        assert c_os.path.expanduser(path) == posixpath.expanduser(path)


def test_the_environment_reads_alike(monkeypatch):
    monkeypatch.setenv("ODD", "\udcff=")
    assert c_os.environ.get("ODD", "") == "\udcff="
    assert c_os.environ.get("NO_SUCH", "none") == "none"
    assert c_os.fsencode("\udcff\u00e9") == os.fsencode("\udcff\u00e9")


def test_the_same_file_is_the_same(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.touch()
    other.touch()
    assert c_os.path.samestat(one.stat(), one.stat())
    assert not c_os.path.samestat(one.stat(), other.stat())
    (tmp_path / "astray").symlink_to("nowhere")
    assert c_os.path.lexists(str(tmp_path / "astray"))
    assert not c_os.path.isdir(str(tmp_path / "astray"))


@pytest.mark.parametrize("path", USERS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_it_has_what_is_asked_of_it(path):
    asked = re.findall(r"\bos((?:\.\w+)+)", ast.unparse(ast.parse(path.read_text())))
    for name in asked:
        mine, public = c_os, os
        for part in name.split(".")[1:3]:
            if not hasattr(public, part):  # of another system, or of a value
                break
            mine, public = getattr(mine, part), getattr(public, part)
        if isinstance(public, (int, str)):
            assert mine == public


def test_it_is_used():
    assert PACKAGE / "agent" / "store.py" in USERS
