"""One manifest from files on several hosts: what differs is out, what is left counts, nothing is made up."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from fleetpush.agent.tasks import sources
from fleetpush.deploy.named_sources import Wanted
from fleetpush.deploy.origins import survey
from fleetpush.deploy.origins.survey import Survey, Surveyed
from fleetpush.deploy.source import make_manifest
from fleetpush.errors import HostFailure, InputError, SourceChangedError
from fleetpush.inventory.located import Located
from fleetpush.swarm.manifest import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fleetpush.deploy.sessions.fleet import Answer, Sessions


class Hosts:
    """Each host's agent is asked as a session would, a directory is its disk. ``before``: what happens
    just before it answers."""

    def __init__(self, before: Callable[[str, str], object] = lambda host, what: None) -> None:
        self.asked: list[str] = []
        self._before = before

    async def ask(self, tasks: Mapping[str, tuple[str, Any]]) -> dict[str, Answer]:
        answers: dict[str, Answer] = {}
        for host, (what, arguments) in tasks.items():
            self.asked.append(f"{host} {what}")
            said = self._before(host, what)
            if said is None:
                said = getattr(sources, what)(arguments, threading.Event())
            answers[host] = cast("Answer", said)
        return answers


def wanted(**places: list[Path]) -> list[Wanted]:
    """Of each file where it is; the directory above it is the host."""
    return [
        Wanted(name, tuple(Located(path.parent.name, str(path)) for path in paths))
        for name, paths in places.items()
    ]


async def surveyed(
    files: list[Wanted],
    hosts: Hosts | None = None,
    failures: Mapping[str, HostFailure] | None = None,
    chunk_size: int | None = BLOCK,
) -> Surveyed:
    looking = Survey(cast("Sessions", hosts or Hosts()), files, {}, lambda done, total: None)
    return await looking.execute(failures or {}, chunk_size, 5)


@pytest.fixture
def disks(tmp_path: Path) -> list[Path]:
    """Three hosts' disks."""
    found = [tmp_path / f"nas{i}" for i in range(1, 4)]
    for disk in found:
        disk.mkdir()
    return found


def put(content: bytes, name: str, *disks: Path) -> list[Path]:
    for disk in disks:
        (disk / name).write_bytes(content)
    return [disk / name for disk in disks]


async def test_one_file_is_the_content_that_it_would_be_here(
    disks: list[Path], tmp_path: Path
) -> None:
    paths = put(os.urandom(7 * BLOCK + 3), "film", *disks)
    found = await surveyed(wanted(film=paths), chunk_size=None)
    here = make_manifest([str(paths[0])], None, 5, tmp_path / "cache", lambda done, total: None)
    assert found.manifest.encode() == here.manifest.encode()
    assert found.holdings() == dict.fromkeys(("nas1", "nas2", "nas3"), 2**8 - 1)


async def test_each_host_holds_the_chunks_of_its_files(disks: list[Path]) -> None:
    a = put(os.urandom(2 * BLOCK + 1), "a", disks[0])
    b = put(os.urandom(BLOCK), "b", disks[1], disks[2])
    empty = put(b"", "empty", disks[2])
    found = await surveyed(wanted(a=a, b=b, empty=empty))
    assert found.manifest.chunks == 4
    assert found.holdings() == {"nas1": 0b0111, "nas2": 0b1000, "nas3": 0b1000}


async def test_what_differs_from_the_first_is_out_and_says_where(
    disks: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "BATCH_CHUNKS", 2)  # several questions a host
    content = os.urandom(5 * BLOCK)
    paths = put(content, "film", *disks)
    paths[1].write_bytes(content[: 3 * BLOCK] + b"!" + content[3 * BLOCK + 1 :])
    paths[2].write_bytes(content[:-1])
    found = await surveyed(wanted(film=paths))
    assert list(found.holdings()) == ["nas1"]
    said = [r.failure.message for r in found.replicas if r.failure]
    assert "first in chunk 3 of it (bytes 196,608 to 262,143)" in said[0]
    assert "it has 327,679 bytes there, and 327,680 on nas1" in said[1]


async def test_the_next_one_counts_where_the_first_cannot_be_read(disks: list[Path]) -> None:
    paths = put(os.urandom(BLOCK), "film", *disks)
    paths[0].unlink()
    lost = HostFailure("agent_lost", "its agent is gone")
    hosts = Hosts(lambda host, what: lost if (host, what) == ("nas2", "digest") else None)
    found = await surveyed(wanted(film=paths), hosts)
    assert list(found.holdings()) == ["nas3"]
    slugs = [r.failure.slug for r in found.replicas if r.failure]
    assert slugs == ["source_missing", "agent_lost"]


async def test_a_file_that_nobody_has_is_named_with_all_that_was_tried(disks: list[Path]) -> None:
    paths = put(b"film", "film", *disks[:2])
    paths[1].unlink()
    down = {"nas1": HostFailure("timeout", "no answer", unreachable=True)}
    with pytest.raises(
        InputError, match=r"cannot deploy film: nas1: no answer; nas2: .*no such file"
    ):
        await surveyed(wanted(film=paths), failures=down)


async def test_a_file_that_changes_while_it_is_hashed_is_no_source(disks: list[Path]) -> None:
    paths = put(os.urandom(BLOCK), "film", disks[0])

    def meddle(host: str, what: str) -> None:
        if what == "digest":
            paths[0].write_bytes(b"another")

    with pytest.raises(SourceChangedError, match="deploy again when nothing writes it"):
        await surveyed(wanted(film=paths), Hosts(meddle))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"files": 1},
        {"files": []},
        {"files": [None]},
        {"files": [{}]},
        {"files": [{"path": "/f", "note": [1, 2, -3, 4, 5]}]},
        {"files": [{"path": "/f", "note": [1, 2, True, 4, 5]}]},
        {"files": [{"slug": "x"}]},
    ],
)
@pytest.mark.parametrize("what", ["measure", "digest"])
async def test_an_agent_that_talks_nonsense_is_out(
    disks: list[Path], answer: dict[str, Any], what: str
) -> None:
    paths = put(os.urandom(BLOCK), "film", *disks[:2])
    hosts = Hosts(lambda host, asked: answer if (host, asked) == ("nas1", what) else None)
    found = await surveyed(wanted(film=paths), hosts)
    assert list(found.holdings()) == ["nas2"]
