"""Agents, hosts and the command itself that die or stop in mid-run."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.desk import name
from tests.e2e.hosts import contents, partials, send, wait_until

if TYPE_CHECKING:
    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
LEASE = 20.0


def test_agents_that_are_killed_are_named_and_the_others_finish(desk: Desk) -> None:
    source = desk.source(16 * MIB)
    run = desk.start(source, desk.inventory(8), "--bwlimit", "4M")
    wait_until(lambda: desk.taken_in() > 16 * MIB, 30, "content on the hosts")
    dead = {desk.home(i): name(i) for i in (2, 5)}
    send(signal.SIGKILL, [pid for pid, home in desk.agents().items() if home in dead])
    done = run.outcome()
    assert done.exit == 3, done.stderr
    assert done.slugs() == dict.fromkeys(dead.values(), "agent_lost")
    living = [name(i) for i in range(8) if name(i) not in dead.values()]
    assert done.good() == desk.copies(8, source) == living
    desk.no_agent_is_left()
    for home in dead:
        # What was verified may be resumed; nothing has the final name.
        assert contents(home) == [p.name for p in partials(home)]


@pytest.mark.slow
def test_a_command_that_is_killed_leaves_no_agent_and_the_next_one_resumes(desk: Desk) -> None:
    hosts, size = 8, 24 * MIB
    source, inventory = desk.source(size), desk.inventory(hosts)
    run = desk.start(source, inventory, "--bwlimit", "4M")
    wait_until(lambda: desk.taken_in() > hosts * size, 60, "half of the content")
    origin = [pid for pid, home in desk.agents().items() if home == desk.root]
    assert len(origin) == 1
    run.send(signal.SIGKILL)
    run.process.wait()
    wait_until(lambda: not desk.agents(), LEASE + 10, "no agent lives on")
    for home in desk.homes(hosts):
        assert contents(home) == [p.name for p in partials(home)]

    again = desk.deploy(source, inventory)
    assert again.exit == 0, again.stderr
    chunk, chunks = (again.document["manifest"][key] for key in ("chunk_size", "chunks"))
    reused = [r["chunks_reused"] for r in again.document["results"]]
    assert sum(reused) * chunk > hosts * size / 4
    missing = sum(chunks - kept for kept in reused) * chunk
    assert sum(r["bytes_received"] for r in again.document["results"]) < missing * 1.1
    assert desk.copies(hosts, source) == again.good()
    desk.nothing_but(hosts, source.name)


@pytest.mark.slow
def test_agents_leave_a_command_that_gives_no_sign_of_life(desk: Desk) -> None:
    """The lease: no pipe breaks here, the command only stops beating."""
    source = desk.source(64 * MIB)
    run = desk.start(source, desk.inventory(3), "--bwlimit", "1M")
    wait_until(lambda: desk.taken_in() > MIB, 30, "content on the hosts")
    run.send(signal.SIGSTOP)
    try:
        wait_until(lambda: not desk.agents(), LEASE + 10, "no agent lives on")
    finally:
        run.send(signal.SIGCONT)
    done = run.outcome(within=30)
    assert done.exit in (3, 5), done.stderr
    assert list(done.slugs()) == [name(i) for i in range(3)]
    for home in desk.homes(3):
        assert contents(home) == [p.name for p in partials(home)]


@pytest.mark.slow
def test_a_stopped_host_is_cut_loose_and_the_others_finish(desk: Desk) -> None:
    source = desk.source(16 * MIB)
    run = desk.start(source, desk.inventory(5), "--bwlimit", "4M", "--stall", "5s")
    wait_until(lambda: desk.taken_in() > 10 * MIB, 30, "content on the hosts")
    stopped = [pid for pid, home in desk.agents().items() if home == desk.home(3)]
    send(signal.SIGSTOP, stopped)
    try:
        done = run.outcome()
        assert done.exit == 3, done.stderr
        assert list(done.slugs()) == [name(3)]
        assert set(done.slugs().values()) <= {"stalled", "agent_silent"}
        assert desk.copies(5, source) == done.good() == [name(i) for i in (0, 1, 2, 4)]
    finally:
        send(signal.SIGCONT, stopped)
    # It finds its connection gone and leaves like any other.
    wait_until(lambda: not desk.agents(), LEASE + 10, "the stopped agent leaves once it may")


@pytest.mark.slow
def test_a_host_that_loses_its_connection_fails_by_name(desk: Desk) -> None:
    source = desk.source(16 * MIB)
    run = desk.start(source, desk.inventory(4), "--bwlimit", "4M")
    wait_until(lambda: desk.taken_in() > 4 * MIB, 30, "content on the hosts")
    desk.fleet.cut()
    done = run.outcome(within=30)
    assert done.exit in (3, 4), done.stderr
    assert set(done.slugs()) == {name(i) for i in range(4)}
    assert desk.copies(4, source) == []
