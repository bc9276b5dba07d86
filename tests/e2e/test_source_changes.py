"""Somebody writes to the source while it is being deployed: nobody ends up with anything but the content
that was promised, and the run says so."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.desk import name
from tests.e2e.hosts import contents, partials, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024


def truncate(path: Path) -> None:
    os.truncate(path, MIB)


def overwrite(path: Path) -> None:
    """In place, at once, the same size."""
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))


@pytest.mark.parametrize("topology", ["mesh", "tree", "star"])
@pytest.mark.parametrize("change", [truncate, overwrite])
def test_nobody_gets_what_was_not_promised(
    desk: Desk, change: Callable[[Path], None], topology: str
) -> None:
    source, inventory = desk.source(16 * MIB), desk.inventory(4)
    promised = source.read_bytes()
    run = desk.start(source, inventory, "--bwlimit", "4M", "--topology", topology)
    wait_until(lambda: desk.taken_in() > 2 * MIB, 30, "content on the hosts")
    change(source)
    done = run.outcome()
    assert done.exit == 5, done.stderr
    assert "changed during the run" in done.document["error"]
    assert done.slugs() == {name(i): "source_changed" for i in range(4)}
    told = done.document["manifest"]["files"][0]["sha256"]
    assert told in (None, hashlib.sha256(promised).hexdigest())
    desk.no_agent_is_left()
    for home in desk.homes(4):
        assert contents(home) == [partial.name for partial in partials(home)]
    # What was verified before stays good for a deploy of the content that was promised.
    source.write_bytes(promised)
    again = desk.deploy(source, inventory)
    assert again.exit == 0, again.stderr
    assert sum(result["chunks_reused"] for result in again.document["results"]) > 0
    assert len(desk.copies(4, source)) == 4
    desk.nothing_but(4, source.name)


@pytest.mark.parametrize("change", [truncate, overwrite])
def test_nor_where_the_origin_has_not_hashed_it_itself(
    desk: Desk, change: Callable[[Path], None]
) -> None:
    source = desk.source(16 * MIB)
    time.sleep(2.1)  # what was written just before is hashed by the origin, too
    run = desk.start(source, desk.inventory(3), "--bwlimit", "4M")
    wait_until(lambda: desk.taken_in() > 2 * MIB, 30, "content on the hosts")
    assert list((desk.root / ".cache/fleetpush").glob("leaves-*.cache"))
    change(source)
    done = run.outcome()
    assert done.exit == 5, done.stderr
    assert done.slugs() == {name(i): "source_changed" for i in range(3)}
    for home in desk.homes(3):
        assert contents(home) == [partial.name for partial in partials(home)]


def test_who_was_done_before_keeps_its_copy(desk: Desk) -> None:
    source = desk.source(16 * MIB)
    promised = source.read_bytes()
    there = desk.home(0) / source.name
    there.write_bytes(promised)
    run = desk.start(source, desk.inventory(3), "--bwlimit", "4M", "--topology", "star")
    wait_until(lambda: desk.taken_in() > 2 * MIB, 30, "content on the hosts")
    overwrite(source)
    done = run.outcome()
    assert done.exit == 5, done.stderr
    assert done.good() == [name(0)]
    assert done.host(name(0))["digest"] == done.document["manifest"]["digest"]
    assert there.read_bytes() == promised
    assert not [home for home in desk.homes(3)[1:] if (home / source.name).exists()]


def test_a_source_that_goes_away_is_still_open(desk: Desk) -> None:
    source, inventory = desk.source(8 * MIB), desk.inventory(3)
    promised = source.read_bytes()
    run = desk.start(source, inventory, "--bwlimit", "4M")
    wait_until(lambda: desk.taken_in() > MIB, 30, "content on the hosts")
    source.unlink()
    done = run.outcome()
    assert done.exit == 0, done.stderr
    assert {(home / source.name).read_bytes() for home in desk.homes(3)} == {promised}
