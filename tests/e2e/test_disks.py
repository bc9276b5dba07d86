"""Disks that fill up or fail in mid-run: their hosts fail by the right name, the others finish, and what was
half written never has the final name."""

from __future__ import annotations

from contextlib import ExitStack
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

import pytest

from tests.e2e.desk import name
from tests.e2e.hosts import contents, partials, wait_until
from tests.e2e.watching import EventLog, look, residue, settled
from tests.fleet import faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
PORTS = range(48800, 48850)
HOSTS, FULL, THIN, BROKEN = 5, 0, 1, 2


@pytest.fixture
def pool(desk: Desk) -> Iterator[Path]:
    """Disks under the homes of the first hosts; that of THIN promises more than the ``pool`` that it lies in
    can hold, as those of virtual machines do."""
    pool = desk.root / "pool"
    pool.mkdir()
    with ExitStack() as stack:
        try:
            stack.enter_context(faults.small_disk(pool, "16M"))
            stack.enter_context(faults.disk(desk.home(THIN), pool / "disk", "ext2"))
            stack.enter_context(faults.disk(desk.home(FULL), desk.root / "full", "ext2", 20 * MIB))
            stack.enter_context(faults.disk(desk.home(BROKEN), desk.root / "broken", "ext2"))
        except (OSError, CalledProcessError) as error:
            pytest.skip(f"no filesystem can be mounted here: {error}")
        yield pool


def test_a_disk_that_fills_up_and_one_that_fails_at_fsync(desk: Desk, pool: Path) -> None:
    source = desk.source(8 * MIB)
    before = look(desk.fleet, PORTS)
    run = desk.start(
        source,
        desk.inventory(HOSTS),
        *("--bwlimit", "4M", "--chunk-size", "256K", "--progress", "json"),
        *("--port-range", f"{PORTS[0]}-{PORTS[-1]}"),
    )
    log = EventLog(run)
    for host in (FULL, THIN, BROKEN):
        log.wait_for("exchanging", name(host))
    wait_until(lambda: desk.taken_in() > 4 * MIB, 30, "content on the hosts")
    assert [log.phase(name(host)) for host in range(3)] == ["exchanging"] * 3
    filling = desk.home(FULL) / "log"
    faults.fill(filling)
    faults.fill(pool / "other")
    faults.break_disk(desk.root / "broken")
    done = run.outcome()
    assert done.exit == 3, done.stderr
    assert done.slugs() == {
        name(FULL): "disk_full",
        name(THIN): "disk_full",
        name(BROKEN): "io_error",
    }
    last = [log.phases(name(host))[-2] for host in range(3)]
    assert last == ["exchanging", "verifying", "verifying"]
    assert done.good() == desk.copies(HOSTS, source) == [name(3), name(4)]
    after = settled(desk.fleet, PORTS, before, 5.0)
    assert residue(before, after, [source.name, "log"]) == []
    assert contents(desk.home(FULL)) == [p.name for p in partials(desk.home(FULL))] + ["log"]
    # What a failed fsync leaves in memory is not on the disk, though it looks as if it were.
    assert contents(desk.home(THIN)) == contents(desk.home(BROKEN)) == []
