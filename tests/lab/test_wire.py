"""A bit flips on the wire, and no checksum of TCP's notices: between two peers, between command and agent."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.e2e.hosts import agents, contents, partials, wait_until
from tests.e2e.watching import EventLog
from tests.lab.fleet import SOURCE, SSH_PORT, LabFleet

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.lab.netns import Host

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

MIB = 1024 * 1024
PEERS = 47650
"""The only port that peers may listen on."""

DEEP = "300"
"""KiB: nothing but bulk gets so far."""

NAMES = [f"node{i}" for i in range(1, 7)]


class Middle(NamedTuple):
    """A man in the middle."""

    process: subprocess.Popen[bytes]
    said: Path

    def flips(self, port: int) -> int:
        """How many of the wires to that port have flipped a bit."""
        return self.said.read_text().count(f":{port}\n")


class WiredFleet(LabFleet):
    """Six hosts, and one that what is meant for ``wired(name)`` can be led through."""

    middle: Host

    def __enter__(self) -> WiredFleet:
        super().__enter__()
        for index, name in enumerate(NAMES, 1):
            self.add(name, f"10.77.1.{index}")
        self.middle = self.lab.host("middle", *map(wired, NAMES))
        return self

    @contextmanager
    def wires(self, *bends: tuple[str, int, str]) -> Iterator[Middle]:
        """A wire to each host and port, and where a bit of it flips, as ``tests.lab.wire`` has it."""
        words = [
            f"{wired(name)}:{port}={self.hosts[name].address}:{port}@{where}"
            for name, port, where in bends
        ]
        said = self.middle.folder / "said"
        with said.open("wb") as out:
            command = [sys.executable, "-m", "tests.lab.wire", *words]
            process = self.middle.popen(command, stdout=out, cwd=Path.cwd())
        try:
            wait_until(lambda: "ready" in said.read_text(), 20, "the wires")
            yield Middle(process, said)
        finally:
            process.kill()
            process.wait()

    def left(self, name: str) -> list[str]:
        """What a host holds, once its agent has gone."""
        server = self.servers[name]
        wait_until(lambda: not agents(server.root), 32, f"no agent left on {name}")
        return contents(server.home(0))


def wired(name: str) -> str:
    return f"10.77.9.{name[-1]}"


@pytest.fixture(scope="module")
def fleet() -> Iterator[WiredFleet]:
    with WiredFleet() as fleet:
        yield fleet


FLAGS = ("--bwlimit", "4M", "--port-range", f"{PEERS}-{PEERS}")


def test_between_peers_and_between_command_and_agents(fleet: WiredFleet) -> None:
    """Encrypted: the connection breaks. Peers get the rest elsewhere, a host without its SSH fails."""
    *peers, early, late = NAMES
    fleet.source(8 * MIB)
    variables = {name: {"fleetpush_address": wired(name)} for name in peers}
    variables |= {name: {"ansible_host": wired(name)} for name in (early, late)}
    bends = [(name, PEERS, DEEP) for name in peers]
    bends += [(early, SSH_PORT, "100"), (late, SSH_PORT, "next")]
    with fleet.wires(*bends) as middle:
        run = fleet.start(NAMES, *FLAGS, "--host-key-checking", "off", variables=variables)
        log = EventLog(run)
        log.wait_for("exchanging", late)
        middle.process.send_signal(signal.SIGUSR1)
        done = run.outcome(60)
        assert middle.flips(PEERS) >= 2
        assert middle.flips(SSH_PORT) == 2
    assert done.exit == 3, done.stderr
    assert done.slugs() == {early: "connection_lost", late: "agent_lost"}
    assert [log.phases(name)[-2] for name in (early, late)] == ["bootstrapping", "exchanging"]
    assert done.good() == fleet.copies() == peers
    assert [fleet.left(name) for name in peers] == [[SOURCE]] * 4
    for name in (early, late):
        assert fleet.left(name) == [p.name for p in partials(fleet.servers[name].home(0))]


def test_between_peers_that_do_not_encrypt(fleet: WiredFleet) -> None:
    """The block's digest tells, and its sender is not blamed for the wire."""
    peers = NAMES[:4]
    fleet.source(8 * MIB)  # other content: nobody has it
    variables = {name: {"fleetpush_address": wired(name)} for name in peers}
    with fleet.wires(*((name, PEERS, DEEP) for name in peers)) as middle:
        run = fleet.start(peers, *FLAGS, "--no-encrypt", variables=variables)
        done = run.outcome(60)
        flips = middle.flips(PEERS)
    assert done.exit == 0, done.stderr
    said = [e["message"] for e in EventLog(run).events() if e["event"] == "notice"]
    assert sum("bytes of chunk" in text for text in said) == flips >= 2
    assert done.good() == fleet.copies() == peers
    assert [fleet.left(name) for name in peers] == [[SOURCE]] * 4
