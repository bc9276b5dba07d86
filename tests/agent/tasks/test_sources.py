"""What a host says of files that are to be deployed from it, and what it refuses to."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.agent.place import StoreError
from fleetpush.agent.tasks import sources
from fleetpush.swarm.manifest import BLOCK, chunk_digest, leaves_of

if TYPE_CHECKING:
    from pathlib import Path


def measured(path: Path | str, dest: str = "", *, several: bool = False) -> dict[str, Any]:
    asked = {"paths": [str(path)], "dests": [dest] if dest else [], "several": several}
    found: dict[str, Any] = sources.measure(asked, threading.Event())["files"][0]
    return found


def digests(file: dict[str, Any], first: int, last: int, chunk_size: int) -> dict[str, Any]:
    asked = {"chunk_size": chunk_size, "files": [{**file, "first": first, "last": last}]}
    found: dict[str, Any] = sources.digest(asked, threading.Event())["files"][0]
    return found


@given(st.integers(1, 5 * BLOCK), st.integers(1, 3), st.data())
@settings(max_examples=30, deadline=None)
def test_digests_are_those_of_the_manifest(
    tmp_path_factory: pytest.TempPathFactory, size: int, blocks: int, data: st.DataObject
) -> None:
    content, chunk = os.urandom(size), blocks * BLOCK
    path = tmp_path_factory.mktemp("host") / "film"
    path.write_bytes(content)
    wanted = [
        chunk_digest(b"".join(leaves_of(memoryview(content[at : at + chunk]))))
        for at in range(0, size, chunk)
    ]
    first = data.draw(st.integers(0, len(wanted) - 1))
    last = data.draw(st.integers(first + 1, len(wanted)))
    found = digests(measured(path), first, last, chunk)
    assert found == {"digests": b"".join(wanted[first:last]).hex()}
    path.unlink()


def test_what_is_no_file_that_can_be_read_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    slugs = {
        path: measured(path)["slug"] for path in (tmp_path, tmp_path / "pipe", tmp_path / "no")
    }
    assert list(slugs.values()) == ["source_is_directory", "source_special", "source_missing"]


@pytest.mark.parametrize(
    ("dest", "several", "refused"),
    [
        ("{}/film", False, True),
        ("{}/", False, True),
        ("{}/link/", False, True),
        ("{}", True, True),
        ("{}/other", False, False),
        ("{}/film", True, False),
        ("", False, False),
    ],
)
def test_a_file_is_not_deployed_over_itself(
    tmp_path: Path, dest: str, several: bool, refused: bool
) -> None:
    path = tmp_path / "film"
    path.write_bytes(b"film")
    (tmp_path / "link").symlink_to(tmp_path)
    found = measured(path, dest.format(tmp_path), several=several)
    assert (found.get("slug") == "source_is_destination") == refused


@pytest.mark.parametrize("change", ["longer", "shorter", "gone"])
def test_a_file_that_is_another_by_now_has_no_digests(tmp_path: Path, change: str) -> None:
    path = tmp_path / "film"
    path.write_bytes(os.urandom(3 * BLOCK))
    file = measured(path)
    if change == "gone":
        path.unlink()
    else:
        os.truncate(path, 4 * BLOCK if change == "longer" else BLOCK)
    wanted = "source_missing" if change == "gone" else "source_changed"
    assert digests(file, 0, 3, BLOCK)["slug"] == wanted
    with pytest.raises(StoreError):
        sources.plain_sum(file, threading.Event())


def test_the_plain_sum_is_the_files(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(os.urandom(3_000_000))
    told = sources.plain_sum(measured(path), threading.Event())
    assert told == {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
