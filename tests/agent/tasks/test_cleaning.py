"""Only what runs of ours have left goes, and nothing that one of them is writing."""

from __future__ import annotations

import fcntl
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.agent.tasks.cleaning import clean, is_left_over

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "0123456789ab"
LEFT = [f".f.fleetpush-{DIGEST}{ending}" for ending in ("", ".previous", ".absent")]
NOT_OURS = [
    "f",
    f"f.fleetpush-{DIGEST}",
    f".f.fleetpush-{DIGEST}0",
    f".f.fleetpush-{DIGEST[:-1]}g",
    f".fleetpush-{DIGEST}",
    f".f.fleetpush-{DIGEST}.bak",
]


def run(**arguments: Any) -> dict[str, Any]:
    return clean({"check": False, **arguments}, threading.Event())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in (*LEFT, *NOT_OURS):
        (tmp_path / name).write_bytes(b"x" * 5000)
    return tmp_path


def test_what_is_ours_goes_and_the_rest_stays(home: Path) -> None:
    found = run(dest=f"{home}/model.pt")
    assert [os.path.basename(path) for path in found["removed"]] == sorted(LEFT)
    assert found["bytes"] >= 3 * 5000
    assert sorted(os.listdir(home)) == sorted(NOT_OURS)
    assert run(dest=f"{home}/") == {"removed": [], "busy": [], "bytes": 0}


def test_a_look_removes_nothing(home: Path) -> None:
    assert len(run(dest=f"{home}/", check=True)["removed"]) == 3
    assert sorted(os.listdir(home)) == sorted([*LEFT, *NOT_OURS])


def test_what_a_run_is_writing_stays(home: Path) -> None:
    with (home / LEFT[0]).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = run(dest=f"{home}/")
    assert found["busy"] == [str(home / LEFT[0])]
    assert (home / LEFT[0]).exists()


def test_a_link_with_our_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("gold")
    (tmp_path / LEFT[0]).symlink_to("precious")
    assert run(dest=f"{tmp_path}/")["removed"] == []
    assert (tmp_path / "precious").read_text() == "gold"


def test_releases_that_were_only_begun_go_with_their_directories(tmp_path: Path) -> None:
    begun = tmp_path / f"releases/20260101000000-{DIGEST}"
    whole = tmp_path / "releases/20260101000001-ba9876543210"
    for release in (begun, whole):
        release.mkdir(parents=True)
    (begun / LEFT[0]).touch()
    (whole / "f").touch()
    (tmp_path / f".current.fleetpush-{DIGEST}").symlink_to("releases/x")
    assert len(run(dir=str(tmp_path), dest="")["removed"]) == 2
    assert sorted(os.listdir(tmp_path)) == ["releases"]
    assert os.listdir(tmp_path / "releases") == [whole.name]


def test_what_a_tree_was_staged_in_goes_unless_a_run_holds_it(tmp_path: Path) -> None:
    staging = tmp_path / f".fleetpush-{DIGEST}"
    staging.mkdir()
    (staging / "0").write_bytes(b"x" * 5000)
    other = tmp_path / f".fleetpush-{DIGEST[:-1]}g"
    other.mkdir()
    fd = os.open(staging, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert run(dest=f"{tmp_path}/")["busy"] == [str(staging)]
    os.close(fd)
    found = run(dest=f"{tmp_path}/")
    assert found["removed"] == [str(staging)]
    assert found["bytes"] >= 5000
    assert os.listdir(tmp_path) == [other.name]


def test_where_there_is_nothing_there_is_nothing_to_do(tmp_path: Path) -> None:
    nothing = {"removed": [], "busy": [], "bytes": 0}
    assert run(dest=f"{tmp_path}/none/model.pt") == nothing
    assert run(dir=f"{tmp_path}/none", dest="") == nothing


@given(st.text())
def test_no_name_without_our_mark_is_ours(name: str) -> None:
    assert not is_left_over(name) or ".fleetpush-" in name
