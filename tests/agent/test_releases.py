"""Releases: which is active, which was before, which go."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.agent.place import StoreError
from fleetpush.agent.releases import Releases

if TYPE_CHECKING:
    from collections.abc import Iterator


def digest(letter: str) -> str:
    return letter * 12


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[Releases]:
    opened = Releases("app", str(tmp_path), make=True)
    yield opened
    opened.close()


def deploy(releases: Releases, letter: str, stamp: int = 0) -> str:
    """A release with the content ``letter``, as a deploy makes and switches it."""
    name = releases.choose(f"{20260101000000 + stamp}", digest(letter))
    place = Path(releases.path(name))
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.pt").write_text(letter)
    releases.switch(name)
    return name


def content(releases: Releases) -> str:
    """What whoever opens the active release sees."""
    return (Path(releases.directory) / "current/model.pt").read_text()


def test_the_link_is_relative_so_that_the_directory_can_be_moved(releases: Releases) -> None:
    name = deploy(releases, "a")
    assert (Path(releases.directory) / "current").readlink() == Path("releases") / name


def test_the_same_content_is_the_same_release(releases: Releases) -> None:
    first = deploy(releases, "a", 1)
    deploy(releases, "b", 2)
    assert deploy(releases, "a", 3) == first
    assert content(releases) == "a"


def test_back_goes_to_what_was_active_before_not_to_the_older_name(releases: Releases) -> None:
    deploy(releases, "a", 1)
    second = deploy(releases, "b", 2)
    first = deploy(releases, "a", 3)
    assert releases.back() == (first, second)
    assert content(releases) == "b"
    assert releases.back() == (second, first)


def test_back_and_back_again_until_nothing_is_left(releases: Releases) -> None:
    for stamp, letter in enumerate("abc"):
        deploy(releases, letter, stamp)
    releases.back()
    releases.back()
    assert content(releases) == "a"
    with pytest.raises(StoreError) as raised:
        releases.back()
    assert raised.value.slug == "no_release_before"
    assert content(releases) == "a"


def test_back_to_a_named_one(releases: Releases) -> None:
    for stamp, letter in enumerate("abc"):
        deploy(releases, letter, stamp)
    assert releases.back("aaaa")[1].endswith("a" * 12)
    assert content(releases) == "a"
    deploy(releases, "d", 9)
    assert releases.back("aaaa")[1].endswith("a" * 12)
    with pytest.raises(StoreError, match="no 'zzz' among those that were active: 2026"):
        releases.back("zzz")
    with pytest.raises(StoreError, match="releases are called '2026'"):
        deploy(releases, "e", 10)
        deploy(releases, "f", 11)
        releases.back("2026")


def test_a_layout_without_our_log_goes_by_names(releases: Releases) -> None:
    for stamp, letter in enumerate("ab"):
        deploy(releases, letter, stamp)
    (Path(releases.directory) / "releases.log").unlink()
    releases.back()
    assert content(releases) == "a"


def test_a_link_that_somebody_else_set_counts(releases: Releases) -> None:
    names = [deploy(releases, letter, stamp) for stamp, letter in enumerate("abc")]
    link = Path(releases.directory) / "current"
    link.unlink()
    link.symlink_to(f"releases/{names[1]}")
    assert releases.back() == (names[1], names[0])


def test_what_has_the_links_name_and_is_none_is_left_alone(releases: Releases) -> None:
    (Path(releases.directory) / "current").mkdir()
    with pytest.raises(StoreError, match="move it away") as raised:
        deploy(releases, "a")
    assert raised.value.slug == "current_is_no_link"
    assert (Path(releases.directory) / "current").is_dir()


def test_a_link_left_by_a_run_that_died_is_no_hindrance(releases: Releases) -> None:
    (Path(releases.directory) / f".current.fleetpush-{digest('a')}").symlink_to("nowhere")
    deploy(releases, "a")
    assert content(releases) == "a"


def test_one_run_at_a_time(releases: Releases, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as raised:
        Releases("app", str(tmp_path), make=True)
    assert raised.value.slug == "release_busy"


def test_nothing_is_left_of_a_release_that_did_not_come_about(tmp_path: Path) -> None:
    Releases("app", str(tmp_path), make=True).close()
    assert not (tmp_path / "app").exists()


def test_where_nothing_was_released_there_is_nothing_to_go_back_to(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as raised:
        Releases("app", str(tmp_path), make=False)
    assert raised.value.slug == "no_releases"
    assert not (tmp_path / "app").exists()


def test_pruning_keeps_the_latest_and_never_the_names_of_others(releases: Releases) -> None:
    for stamp, letter in enumerate("abcdef"):
        deploy(releases, letter, stamp)
    inside = Path(releases.directory) / "releases"
    (inside / "precious").mkdir()
    (inside / "20250101000000-not-a-digest").mkdir()
    half_done = inside / f"20250101000000-{digest('0')}"
    preheated = inside / f"20300101000000-{digest('1')}"
    for each in (half_done, preheated):
        each.mkdir()
    releases.prune(3)
    left = {path.name for path in inside.iterdir()}
    assert {name[-1] for name in left if name.startswith("20260101")} == {"d", "e", "f"}
    assert {"precious", "20250101000000-not-a-digest", preheated.name} <= left
    assert not half_done.exists()


def test_pruning_follows_no_link_out(releases: Releases, tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "gold").touch()
    (Path(releases.directory) / "releases").mkdir()
    (Path(releases.directory) / f"releases/20250101000000-{digest('e')}").symlink_to(treasure)
    name = deploy(releases, "a", 1)
    (Path(releases.path(name)) / "out").symlink_to(treasure)
    deploy(releases, "b", 2)
    releases.prune(1)
    assert not Path(releases.path(name)).exists()
    assert (treasure / "gold").exists()


@given(st.lists(st.sampled_from(["a", "b", "c", "back", "prune"]), max_size=14))
def test_as_a_stack_would_have_it(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as home:
        releases = Releases("app", home, make=True)
        model: list[str] = []
        for stamp, step in enumerate(steps):
            if step == "prune":
                releases.prune(2)
                kept = list(dict.fromkeys(reversed(model)))[:2]
                model = [letter for letter in model if letter in kept]
            elif step != "back":
                deploy(releases, step, stamp)
                model += [step] if model[-1:] != [step] else []
            elif any(letter != model[-1] for letter in model):
                releases.back()
                now = model[-1]
                while model[-1] == now:
                    model.pop()
            else:
                with pytest.raises(StoreError):
                    releases.back()
            if model:
                assert content(releases) == model[-1]
        releases.close()
