"""What a look beforehand says is what a push then does, and the look itself leaves no trace."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from fleetpush.agent.place import StoreError
from fleetpush.agent.releases import Releases
from fleetpush.agent.tasks.comparing import compare
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.preview import Content, Finding, read_content
from tests.agent.test_tree import TREES, bring, plant, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def content_of(options: DeployOptions) -> Content:
    return read_content(options, 1, lambda: False)


def ask(content: Content, options: DeployOptions, dest: str, release_dir: str = "") -> Finding:
    _, arguments = content.question(options, dest, release_dir)
    return content.finding(compare(arguments, threading.Event()))


def look(source: str, dest: str, release_dir: str = "", **more: Any) -> Finding:
    options = DeployOptions(sources=(source,), inventories=("x",), **more)
    return ask(content_of(options), options, dest, release_dir)


@given(TREES, TREES)
@settings(max_examples=40, deadline=None)
def test_of_any_tree_it_says_what_the_push_then_does(
    first: dict[bytes, Any], second: dict[bytes, Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        dest, inner = Path(folder, "dest"), os.fsencode(folder)
        for number, tree in enumerate((first, second)):
            plant(inner + b"/source%d" % number, tree)
        delete = {"below": "", "exclude": []}
        assert look(f"{folder}/source0/", f"{dest}/", delete=True).would == "create"
        assert not dest.exists()
        bring(f"{folder}/source0/", dest)
        assert look(f"{folder}/source0/", f"{dest}/", delete=True).would == "nothing"

        before = snapshot(os.fsencode(dest))
        try:
            would = look(f"{folder}/source1/", f"{dest}/", delete=True)
        except StoreError as error:
            slug = error.failure.slug
            with pytest.raises(StoreError) as refused:
                bring(f"{folder}/source1/", dest, delete=delete)
            assert refused.value.failure.slug == slug
            return
        assert snapshot(os.fsencode(dest)) == before
        present = bring(f"{folder}/source1/", dest, delete=delete)
        assert present == (would.would == "nothing")
        after = snapshot(os.fsencode(dest))
        if would.would != "create":
            gone = {os.fsencode(path.rstrip("/")) for path in would.removed}
            assert gone == set(before) - set(after)
            told = [*would.created, *(each.path for each in would.replaced), *would.adjusted]
            told += [*would.links, *would.directories]
            named = {path.encode("utf-8", "surrogateescape") for path in told}
            assert named == {path for path in after if after[path] != before.get(path)}


def test_of_one_file_it_says_which_size_is_replaced(tmp_path: Path) -> None:
    source, there = tmp_path / "new", tmp_path / "there"
    source.write_bytes(b"four")
    assert look(str(source), str(there)) == Finding(str(there), "create")
    there.write_bytes(b"thirteen byte")
    found = look(str(source), str(there))
    assert (found.would, found.replaced) == ("update", (("new", 13),))
    there.write_bytes(b"four")
    there.chmod(0o600)
    assert look(str(source), str(there)).would == "nothing"
    assert look(str(source), str(there), mode=0o640).adjusted == ("new",)
    there.unlink()
    there.symlink_to("new")  # a link of the same content is replaced by a file all the same
    assert [each.path for each in look(str(source), str(there)).replaced] == ["new"]
    with pytest.raises(StoreError, match="is a directory on this host"):
        look(str(source), str(tmp_path))


def test_of_a_release_it_says_whether_there_is_one_to_switch_to(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "f").write_bytes(b"content")
    options = DeployOptions(sources=(f"{tmp_path}/source/",), inventories=("x",))
    content, where = content_of(options), str(tmp_path / "app")
    assert ask(content, options, "", where).would == "create"
    releases = Releases(where, str(tmp_path), make=True)  # which another run holds meanwhile
    name = f"20260101000000-{content.source.manifest.name}"
    bring(f"{tmp_path}/source/", Path(releases.path(name)))
    assert ask(content, options, "", where).would == "switch"
    releases.switch(name)
    assert ask(content, options, "", where) == Finding(f"{where}/current/", "nothing")
    (Path(releases.path(name)) / "f").write_bytes(b"damaged")
    assert ask(content, options, "", where).would == "update"
    releases.close()


def test_nothing_that_would_empty_a_home_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreError, match="would empty it"):
        look(f"{tmp_path}/source/", "~/", delete=True)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"dest": "/x", "would": "nothing", "found": "no base64!"},
        {"dest": "/x", "would": "nothing", "found": "AAAA"},
        {"dest": "/x", "would": "explode", "found": "eJyrrgUAAXUA+Q=="},
        {"dest": "/x", "would": "nothing", "found": "eJyrrgUAAXUA+Q=="},
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(answer: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"content")
    options = DeployOptions(sources=(str(tmp_path / "f"),), inventories=("x",))
    with pytest.raises(ValueError, match="makes no sense"):
        content_of(options).finding(answer)
