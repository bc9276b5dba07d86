"""SSH connections whose packets vanish from one moment on, in every phase: none is reset, nobody is told.

What is too short to be struck is made long from outside: by a trickle of a line, a big old file, a disk that
sticks.
"""

from __future__ import annotations

from contextlib import ExitStack
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hosts import contents, partials, wait_until
from tests.e2e.watching import EventLog
from tests.fleet import faults
from tests.fleet.sshd import processes_at_home
from tests.lab.fleet import SOURCE, LabFleet
from tests.lab.links import carried, limit_host, trickle
from tests.lab.netns import DEVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.desk import Command

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

MIB = 1024 * 1024
LEASE = 32.0
HALF_OF_THE_ARCHIVE = 60_000
ALONE = ("connecting", "login", "bootstrapping", "scanning", "verifying", "well1", "well2")
TOGETHER = ("unheard", "activating", "late", "well3")


@pytest.fixture
def sticking() -> dict[str, Path]:
    """By host, what lies below its home."""
    return {}


@pytest.fixture
def fleet(sticking: dict[str, Path]) -> Iterator[LabFleet]:
    with LabFleet() as fleet, ExitStack() as stack:
        fleet.source(6 * MIB)
        for index, name in enumerate(ALONE + TOGETHER, 1):
            address = f"10.77.1.{index}"
            if name in ("verifying", "activating"):
                # Before there is an sshd: it has a view of its own of what is mounted.
                home = fleet.root / name / "homes" / address
                home.mkdir(parents=True)
                try:
                    disk = faults.disk_that_sticks(home, fleet.root / name)
                    sticking[name] = stack.enter_context(disk)
                except (OSError, CalledProcessError) as error:
                    pytest.skip(f"no filesystem can be mounted here: {error}")
            fleet.add(name, address)
        yield fleet


def strike(*blows: tuple[Callable[[], bool], Callable[[], object]]) -> None:
    """Each as soon as its time has come, in whatever order."""
    left = list(blows)

    def all_struck() -> bool:
        for blow in list(left):
            due, act = blow
            if due():
                act()
                left.remove(blow)
        return not left

    wait_until(all_struck, 30, "every phase")


def test_connections_that_are_cut_without_a_word_in_every_phase(
    fleet: LabFleet, sticking: dict[str, Path]
) -> None:
    for name, rate in (("connecting", 1_000), ("login", 1_000), ("bootstrapping", 20_000)):
        trickle(fleet.lab.bridges, fleet.hosts[name], rate)
    # What all wait for takes seconds: long enough for a disk to stick before they switch.
    limit_host(fleet.lab.bridges, fleet.hosts["late"], 3 * MIB // 2)
    old = fleet.servers["scanning"].home(0) / SOURCE
    with old.open("wb") as file:
        file.truncate(16 << 30)  # takes long to look through, and no room
    together, go = begin_together(fleet)
    alone = fleet.start(
        list(ALONE),
        *("--verify", "full", "--stall", "8s", "--bwlimit", "1M"),
    )
    log = EventLog(alone)

    def said(name: str, text: str) -> bool:
        return text in fleet.servers[name].log()

    cable = fleet.hosts["bootstrapping"].namespace
    strike(
        (lambda: said("connecting", "Connection from"), lambda: fleet.cut_ssh("connecting")),
        (lambda: said("login", "userauth-request for user"), lambda: fleet.cut_ssh("login")),
        (
            lambda: (
                log.phase("bootstrapping") == "bootstrapping"
                and carried(cable)[DEVICE].received > HALF_OF_THE_ARCHIVE
            ),
            lambda: fleet.cut_ssh("bootstrapping"),
        ),
        (
            lambda: log.phase("scanning") == "scanning",
            lambda: fleet.lab.set_link(fleet.hosts["scanning"], "down"),
        ),
        (
            lambda: log.phase("verifying") == "exchanging",
            lambda: faults.stick(sticking["verifying"], True),
        ),
        (lambda: log.phase("verifying") == "verifying", lambda: fleet.cut_ssh("verifying")),
    )
    cut_together(fleet, together, go, sticking["activating"])
    check_together(together)
    check_alone(alone)
    for below in sticking.values():
        faults.stick(below, False)
    old.unlink()
    for name, server in fleet.servers.items():
        wait_until(lambda s=server: not processes_at_home(s.root), LEASE, f"{name} is empty")
    check_files(fleet)
    finish_together(fleet, together)


def begin_together(fleet: LabFleet) -> tuple[Command, Path]:
    """A deploy whose hosts all wait for one that begins only once the file that is returned is there."""
    go = fleet.root / "go"
    python = fleet.root / "late-python"
    python.write_text(f'#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.1; done\nexec python3 "$@"\n')
    python.chmod(0o755)
    special = {"late": {"ansible_python_interpreter": str(python)}}
    flags = ("--activate", "together", "--stall", "8s")
    return fleet.start(list(TOGETHER), *flags, variables=special), go


def cut_together(fleet: LabFleet, run: Command, go: Path, below: Path) -> None:
    """One host is cut off while it waits for the decision, one while it carries it out."""
    log = EventLog(run)
    home = fleet.servers["activating"].home(0)
    for name in ("unheard", "activating", "well3"):
        log.wait_for("verifying", name)
    # Its mode is the last thing that is set before the last sync.
    wait_until(lambda: [p.stat().st_mode & 0o777 for p in partials(home)] == [0o644], 30, "proved")
    fleet.cut_ssh("unheard")
    go.touch()
    log.wait_for("exchanging", "late")
    faults.stick(below, True)
    wait_until((home / SOURCE).exists, 30, "its switch")
    (decided,) = [e for e in log.events() if e["event"] == "activation_decided"]
    assert sorted(decided["hosts"]) == sorted(TOGETHER)
    fleet.cut_ssh("activating")


def check_together(run: Command) -> None:
    log, done = EventLog(run), run.outcome(30)
    assert done.exit == 3, done.stderr
    assert done.slugs().keys() == {"unheard", "activating"}
    # On a busy machine its agent may be missed before the decision is.
    assert set(done.slugs().values()) <= {"stalled", "agent_silent"}
    assert [log.phases(n)[-2] for n in ("unheard", "activating")] == ["verifying", "verifying"]
    assert done.good() == ["late", "well3"]


def check_alone(run: Command) -> None:
    log, done = EventLog(run), run.outcome(45)
    assert done.exit == 3, done.stderr
    assert done.slugs() == {
        "connecting": "unreachable_timeout",
        "login": "unreachable_timeout",
        "bootstrapping": "connection_lost",
        "scanning": "stalled",
        "verifying": "stalled",
    }
    phases = {name: log.phases(name)[-2] for name in done.slugs()}
    assert phases == {name: name for name in phases} | {"login": "connecting"}
    assert done.good() == ["well1", "well2"]


def check_files(fleet: LabFleet) -> None:
    """There is the content, or what may be resumed, or nothing; and what a switch that is half done can be
    taken back by."""
    for name, server in fleet.servers.items():
        home = server.home(0)
        found = [n for n in contents(home) if n != SOURCE and home / n not in partials(home)]
        kept = name in TOGETHER and name != "unheard"
        assert len(found) == kept, (name, found)
    switched = {"well1", "well2", "late", "well3", "activating"}
    assert {n for n, s in fleet.servers.items() if (s.home(0) / SOURCE).exists()} == switched
    assert set(fleet.copies()) == switched
    for name in ("connecting", "login", "bootstrapping", "scanning"):
        assert contents(fleet.servers[name].home(0)) == []


def finish_together(fleet: LabFleet, run: Command) -> None:
    """Once the hosts are reached again."""
    for host in (fleet.origin, fleet.hosts["unheard"], fleet.hosts["activating"]):
        host.hears_all()
    folder = fleet.root / "resumed"
    folder.mkdir()
    which = run.outcome().document["run_id"]
    done = fleet.run("runs", "resume", which, "-o", "json", folder=folder).outcome(30)
    assert done.exit == 0, done.stderr
    for name in TOGETHER:
        assert contents(fleet.servers[name].home(0)) == [SOURCE]
    assert set(fleet.copies()) >= set(TOGETHER)
