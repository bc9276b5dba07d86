"""A kit is packed once for all runs, and nothing that others could have written is shipped to hosts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fleetpush.deploy import kits
from fleetpush.remote import packing
from fleetpush.remote.bootstrap import PROBE

if TYPE_CHECKING:
    from pathlib import Path

packs = packing._pack


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "fleetpush"


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[packing.Kit]:
    """What was packed anew since."""
    seen: list[packing.Kit] = []

    def pack(kit: packing.Kit) -> packing.Archive:
        seen.append(kit)
        return packs(kit)

    monkeypatch.setattr(packing, "_pack", pack)
    return seen


def another_process(monkeypatch: pytest.MonkeyPatch) -> packing.Archive:
    monkeypatch.setattr(packing, "_packed", {})
    kits.prepare(PROBE)
    return packing.archive(PROBE)


def entry_in(place: Path) -> Path:
    (entry,) = place.iterdir()
    return entry


def test_a_kit_is_packed_by_the_first_run_only(
    place: Path, packed: list[packing.Kit], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = another_process(monkeypatch)
    assert another_process(monkeypatch) == first == packs(PROBE)
    assert packed == [PROBE]
    assert entry_in(place).stat().st_mode & 0o777 == 0o600
    assert place.stat().st_mode & 0o777 == 0o700


def test_other_sources_are_packed_anew(
    packed: list[packing.Kit], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    another_process(monkeypatch)
    more = tmp_path / "more.py"
    more.write_text("pass\n")
    modules = [*packing._modules(PROBE), ("fleetpush.more", more, "fleetpush/more.py")]
    monkeypatch.setattr(packing, "_modules", lambda _kit: iter(modules))
    another_process(monkeypatch)
    more.write_text("help\n")  # as long as before
    os.utime(more, ns=(1, 1))
    another_process(monkeypatch)
    assert packed == [PROBE] * 3


@pytest.mark.parametrize("harm", ["damaged", "cut", "writable", "writable directory", "link"])
def test_an_entry_that_others_may_have_written_is_not_shipped(
    harm: str, place: Path, packed: list[packing.Kit], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = another_process(monkeypatch)
    entry = entry_in(place)
    data = entry.read_bytes()
    match harm:
        case "damaged":
            entry.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        case "cut":
            entry.write_bytes(data[:40])
        case "writable":
            entry.chmod(0o620)
        case "writable directory":
            place.chmod(0o777)
        case "link":
            entry.rename(place.parent / "elsewhere")
            entry.symlink_to(place.parent / "elsewhere")
    assert another_process(monkeypatch) == first
    assert packed == [PROBE, PROBE]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of somebody else")
def test_an_entry_of_somebody_else_is_not_shipped(
    place: Path, packed: list[packing.Kit], monkeypatch: pytest.MonkeyPatch
) -> None:
    another_process(monkeypatch)
    os.chown(entry_in(place), 1234, 1234)
    another_process(monkeypatch)
    os.chown(entry_in(place), 0, 0)
    os.chown(place, 1234, 1234)
    another_process(monkeypatch)
    assert packed == [PROBE] * 3


def test_who_has_no_home_packs_every_time(
    packed: list[packing.Kit], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(kits, "default_place", nobody)
    another_process(monkeypatch)
    another_process(monkeypatch)
    assert packed == [PROBE, PROBE]
