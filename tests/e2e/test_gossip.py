"""A deploy whose hosts find each other: the command hands out contacts, and need not live to see the end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hosts import digest, send, wait_until, written

if TYPE_CHECKING:
    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024


def test_twenty_hosts_find_each_other_and_get_the_same_bytes(desk: Desk) -> None:
    source = desk.source(16 * MIB)
    done = desk.deploy(source, desk.inventory(20), "--discovery", "gossip")
    assert done.exit == 0, done.stderr
    assert {digest(home / source.name) for home in desk.homes(20)} == {digest(source)}
    desk.nothing_but(20, source.name)
    assert 0.999 <= done.document["traffic"]["origin_bytes_sent"] / (16 * MIB) < 1.3
    assert (done.document["topology"], done.document["discovery"]) == ("mesh", "gossip")


def test_every_host_finishes_without_the_command(desk: Desk) -> None:
    hosts, size = 6, 8 * MIB
    source = desk.source(size)
    words = ("--discovery", "gossip", "--detach-grace", "60s", "--bwlimit", "1M")
    run = desk.start(source, desk.inventory(hosts), *words)
    wait_until(lambda: len(desk.agents()) == hosts + 1, 60, "all agents")
    # Some content on each: then it has its contacts.
    wait_until(lambda: min(map(written, desk.agents())) > MIB / 8, 60, "content on every host")
    run.send(signal.SIGKILL)
    run.process.wait()
    # What a host gets it writes twice, to its disk and to its peers: not a tenth has moved.
    assert desk.taken_in() < 2 * hosts * size / 10
    wait_until(lambda: len(desk.copies(hosts, source)) == hosts, 60, "a copy on every host")
    send(signal.SIGTERM, desk.agents())
    wait_until(lambda: not desk.agents(), 30, "no agent lives on")
    desk.nothing_but(hosts, source.name)


@pytest.mark.slow
def test_agents_that_are_killed_are_named_and_the_others_finish(desk: Desk) -> None:
    source = desk.source(16 * MIB)
    words = ("--discovery", "gossip", "--bwlimit", "4M")
    run = desk.start(source, desk.inventory(8), *words)
    wait_until(lambda: desk.taken_in() > 16 * MIB, 30, "content on the hosts")
    dead = {desk.home(i) for i in (2, 5)}
    send(signal.SIGKILL, [pid for pid, home in desk.agents().items() if home in dead])
    done = run.outcome()
    assert done.exit == 3, done.stderr
    assert list(done.slugs().values()) == ["agent_lost"] * 2
    assert len(done.good()) == 6
    assert done.good() == desk.copies(8, source)


def test_a_tree_needs_the_tracker(desk: Desk) -> None:
    done = desk.deploy(
        desk.source(1), desk.inventory(1), "--discovery", "gossip", "--topology", "tree"
    )
    assert done.exit == 2
    assert "needs the tracker" in done.stderr
