"""Faults that strike in a phase that the event log shows: who is struck is named, the others finish, and
nothing is left."""

from __future__ import annotations

import random
import signal
from contextlib import ExitStack
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

import pytest

from tests.e2e.desk import name
from tests.e2e.hosts import agents, partials, send, wait_until
from tests.e2e.watching import EventLog, look, residue, settled
from tests.fleet import faults
from tests.fleet.sshd import homes_of_processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
LEASE = 32.0
STARVED = ("too_many_files", "bootstrap_failed")
PORTS = range(48700, 48750)
USUAL = ("--progress", "json", "--port-range", f"{PORTS[0]}-{PORTS[-1]}", "--chunk-size", "256K")


def processes(desk: Desk, host: int) -> list[int]:
    """All that runs on a host: its agent, or the shell that will become one."""
    found = homes_of_processes(desk.fleet.root)
    return [pid for pid, home in found.items() if home == desk.home(host)]


def agent(desk: Desk, host: int) -> int:
    (pid,) = agents(desk.home(host))
    return pid


def test_hosts_that_are_struck_in_each_phase_are_named_and_the_others_finish(desk: Desk) -> None:
    greeting, scanning, killed, cut = range(4)
    source = desk.source(8 * MIB)
    sleeping = desk.script("sleeping", 'while [ -d "$HOME" ]; do sleep 0.2; done')
    old = desk.home(scanning) / source.name
    with old.open("wb") as file:
        file.truncate(64 << 30)  # takes long to look through, and no room
    desk.own(desk.home(scanning))
    special = {name(greeting): {"ansible_python_interpreter": sleeping}}
    before = look(desk.fleet, PORTS)
    run = desk.start(source, desk.inventory(6, **special), *USUAL, "--bwlimit", "4M")
    log = EventLog(run)
    log.wait_for("bootstrapping", name(greeting))
    wait_until(lambda: processes(desk, greeting), 10, "its shell")
    send(signal.SIGKILL, processes(desk, greeting))
    log.wait_for("scanning", name(scanning))
    send(signal.SIGKILL, processes(desk, scanning))
    for host in (killed, cut):
        log.wait_for("exchanging", name(host))
    wait_until(lambda: desk.taken_in() > 4 * MIB, 30, "content on the hosts")
    send(signal.SIGKILL, [agent(desk, killed)])
    faults.cut_off(agent(desk, cut))
    # Connections that stand outlive it.
    desk.fleet.restart()
    done = run.outcome()
    assert done.exit == 3, done.stderr
    assert done.slugs() == {
        name(greeting): "bootstrap_failed",
        name(scanning): "agent_lost",
        name(killed): "agent_lost",
        name(cut): "agent_lost",
    }
    last = [log.phases(name(host))[-2] for host in range(4)]
    assert last == ["bootstrapping", "scanning", "exchanging", "exchanging"]
    assert old.stat().st_size == 64 << 30
    old.unlink()
    assert done.good() == desk.copies(6, source) == [name(4), name(5)]
    after = settled(desk.fleet, PORTS, before, 5.0)
    assert residue(before, after, [source.name]) == [
        f"{desk.fleet.addresses[scanning]}: {source.name} is gone"
    ]


@pytest.fixture
def ruined(desk: Desk) -> Iterator[Path]:
    """The home of host 0, on a disk of its own."""
    home = desk.home(0)
    with ExitStack() as stack:
        try:
            stack.enter_context(faults.disk(home, desk.root / "disk"))
        except (OSError, CalledProcessError) as error:
            pytest.skip(f"no filesystem can be mounted here: {error}")
        if not faults.fix_directory(desk.home(1), True):
            pytest.skip("this filesystem has no immutable directories")
        faults.fix_directory(desk.home(1), False)
        yield home


def test_disks_that_fail_under_a_run_fail_their_hosts_only(desk: Desk, ruined: Path) -> None:
    abandoned, limited, starved, fixed, rotten, emptied = range(6)
    source = desk.source(8 * MIB)
    scripts = {"limited": "ulimit -f 2048", "starved": "ulimit -n 9"}
    python = {n: desk.script(n, f'{text}\nexec python3 "$@"') for n, text in scripts.items()}
    special = {
        name(limited): {"ansible_python_interpreter": python["limited"]},
        name(starved): {"ansible_python_interpreter": python["starved"]},
    }
    before = look(desk.fleet, PORTS)
    inventory = desk.inventory(8, **special)
    run = desk.start(source, inventory, *USUAL, "--bwlimit", "4M", "--verify", "full")
    log = EventLog(run)
    struck = (abandoned, fixed, rotten, emptied)
    for host in struck:
        log.wait_for("exchanging", name(host))
    wait_until(lambda: desk.taken_in() > 12 * MIB, 30, "content on the hosts")
    assert [log.phase(name(host)) for host in struck] == ["exchanging"] * 4
    faults.give_up_disk(ruined)
    assert faults.fix_directory(desk.home(fixed), True)
    try:
        for partial in partials(desk.home(rotten)):
            for seed in range(40):
                faults.flip(partial, random.Random(seed))
        for partial in partials(desk.home(emptied)):
            partial.unlink()
        done = run.outcome()
    finally:
        faults.fix_directory(desk.home(fixed), False)
    assert done.exit == 3, done.stderr
    found = done.slugs()
    assert found.pop(name(starved)) in STARVED
    assert found == {
        name(abandoned): "read_only",
        name(limited): "file_too_large",
        name(fixed): "not_writable",
        name(rotten): "verify_failed",
        name(emptied): "dest_gone",
    }
    assert done.good() == desk.copies(8, source) == [name(6), name(7)]
    after = settled(desk.fleet, PORTS, before, 5.0)
    assert residue(before, after, [source.name]) == []


@pytest.mark.parametrize(
    ("phase", "numbers", "code"),
    [
        ("connecting", [signal.SIGKILL], -signal.SIGKILL),
        ("bootstrapping", [signal.SIGTERM], 143),
        ("scanning", [signal.SIGINT, signal.SIGINT], 130),
        ("verifying", [signal.SIGKILL], -signal.SIGKILL),
    ],
)
def test_a_command_that_is_told_to_end_in_any_phase_leaves_whole_files_only(
    desk: Desk, phase: str, numbers: list[signal.Signals], code: int
) -> None:
    source = desk.source(MIB)
    before = look(desk.fleet, PORTS)
    run = desk.start(source, desk.inventory(3), *USUAL)
    EventLog(run).wait_for(phase, name(0))
    for number in numbers:
        run.send(number)
    done = run.outcome()
    # On a busy machine the run may be over before it hears of it.
    assert done.exit in (code, 0), done.stderr
    after = settled(desk.fleet, PORTS, before, LEASE)
    assert residue(before, after, [source.name]) == []
    there = [name(i) for i in range(3) if (desk.home(i) / source.name).exists()]
    assert desk.copies(3, source) == there
    if done.document:
        assert done.good() == there
