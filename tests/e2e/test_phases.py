"""Faults that strike in a phase that the event log shows: who is struck is named, the others finish, and
nothing is left."""

from __future__ import annotations

import random
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.e2e.desk import name
from tests.e2e.hosts import agents, contents, partials, send, wait_until
from tests.e2e.watching import EventLog, look, residue
from tests.fleet import faults
from tests.fleet.sshd import homes_of_processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.desk import Command, Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
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
    greeting, scanning, killed, stopped, cut = range(5)
    source = desk.source(12 * MIB)
    sleeping = desk.script("sleeping", 'while [ -d "$HOME" ]; do sleep 0.2; done')
    with (desk.home(scanning) / source.name).open("wb") as old:
        old.truncate(64 << 30)  # takes long to look through, and no room
    desk.own(desk.home(scanning))
    special = {name(greeting): {"ansible_python_interpreter": sleeping}}
    inventory = desk.inventory(8, **special)
    before = look(desk.fleet, PORTS)
    run = desk.start(source, inventory, *USUAL, "--bwlimit", "4M", "--stall", "5s")
    log = EventLog(run)

    log.wait_for("bootstrapping", name(greeting))
    wait_until(lambda: processes(desk, greeting), 10, "its shell")
    send(signal.SIGKILL, processes(desk, greeting))
    log.wait_for("scanning", name(scanning))
    send(signal.SIGKILL, processes(desk, scanning))
    for host in (killed, stopped, cut):
        log.wait_for("exchanging", name(host))
    wait_until(lambda: desk.taken_in() > 8 * MIB, 30, "content on the hosts")
    send(signal.SIGKILL, [agent(desk, killed)])
    faults.cut_off(agent(desk, cut))
    frozen = [agent(desk, stopped)]
    send(signal.SIGSTOP, frozen)
    try:
        done = run.outcome()
    finally:
        send(signal.SIGCONT, frozen)
    assert done.exit == 3, done.stderr
    found = done.slugs()
    print(found, [(e["at"], e) for e in log.events() if e["event"] in ("host_finished", "notice")])
    assert found.pop(name(stopped)) in ("stalled", "agent_silent")
    assert found == {
        name(greeting): "bootstrap_failed",
        name(scanning): "agent_lost",
        name(killed): "agent_lost",
        name(cut): "agent_lost",
    }
    assert [log.phases(name(h))[-2] for h in range(5)] == [
        *("bootstrapping", "scanning", "exchanging", "exchanging", "exchanging")
    ]
    assert done.good() == desk.copies(8, source) == [name(i) for i in range(5, 8)]
    desk.no_agent_is_left()
    assert residue(before, look(desk.fleet, PORTS), [source.name]) == []
    for host in (greeting, killed, stopped, cut):
        assert contents(desk.home(host)) == [p.name for p in partials(desk.home(host))]


@pytest.fixture
def ruined(desk: Desk) -> Iterator[Path]:
    """The home of host 0, on a disk of its own."""
    home = desk.home(0)
    with ExitStack() as stack:
        try:
            stack.enter_context(faults.disk(home, desk.root / "disk"))
        except Exception as error:
            pytest.skip(f"no filesystem can be mounted here: {error}")
        if not faults.fix_directory(home, True) or not faults.fix_directory(home, False):
            pytest.skip("this filesystem has no immutable directories")
        yield home


def test_disks_that_fail_under_a_run_fail_their_hosts_only(desk: Desk, ruined: Path) -> None:
    abandoned, limited, starved, fixed, rotten, emptied = range(6)
    source = desk.source(12 * MIB)
    run = desk.start(source, desk.inventory(8), *USUAL, "--bwlimit", "4M", "--verify", "full")
    log = EventLog(run)
    for host in range(6):
        log.wait_for("exchanging", name(host))
    wait_until(lambda: desk.taken_in() > 24 * MIB, 30, "content on the hosts")
    faults.give_up_disk(ruined)
    faults.limit(agent(desk, limited), "fsize", 1 * MIB)
    pid = agent(desk, starved)
    faults.limit(pid, "nofile", faults.open_files(pid))
    for partial in partials(desk.home(rotten)):
        for seed in range(40):
            faults.flip(partial, random.Random(seed))
    for partial in partials(desk.home(emptied)):
        partial.unlink()
    assert faults.fix_directory(desk.home(fixed), True)
    try:
        done = run.outcome()
    finally:
        faults.fix_directory(desk.home(fixed), False)
    print(done.slugs(), done.stderr[-3000:])
    assert done.exit == 3, done.stderr


def strike(run: Command, what: str) -> None:
    number = {"TERM": signal.SIGTERM, "KILL": signal.SIGKILL}.get(what, signal.SIGINT)
    run.send(number)
    if what == "INT twice":
        run.send(number)
