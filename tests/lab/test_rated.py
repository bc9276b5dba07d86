"""The lab itself: its limits limit, its racks share, and nothing of it is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab.probe import SLICE, throughput
from tests.lab.rated import Layout, RatedFleet

pytestmark = pytest.mark.sshd

RATE = 20 * SLICE
COMMAND = [sys.executable, "-m", "tests.lab", "--hosts", "2", "--rate", "40mbit", "--"]


def test_a_pair_gets_its_links_rate_and_no_more() -> None:
    with RatedFleet(Layout(3, RATE, slow=1, factor=5)) as fleet:
        slow, *others = sorted(fleet.hosts.values(), key=lambda h: fleet.layout.rate_of(h.name))
        for sender, receiver, rate in (
            (fleet.origin, others[0], RATE),
            (others[0], others[1], RATE),
            (slow, others[0], RATE / 5),
            (others[1], slow, RATE / 5),
        ):
            before = fleet.carried()
            assert 0.9 < throughput(sender, receiver, RATE) / rate < 1.01
            after = fleet.carried()
            sent = after[sender.name].sent - before[sender.name].sent
            received = after[receiver.name].received - before[receiver.name].received
            assert 0.9 * RATE < received < 1.05 * RATE
            assert sent > 0.99 * received  # what a full queue drops was sent


def test_nobody_is_looked_up_in_the_table_that_all_namespaces_share() -> None:
    with RatedFleet(Layout(3, RATE, racks=3)) as fleet:
        hosts = (fleet.origin, *fleet.hosts.values())
        for host in hosts:
            throughput(host, hosts[host is fleet.origin], SLICE)
        for host in hosts:
            listed = [*host.inside, "ip", "-j", "neigh"]
            known = json.loads(subprocess.run(listed, check=True, capture_output=True).stdout)
            assert {n["dst"] for n in known} == {h.address for h in hosts if h is not host}
            assert all(n["state"] == ["PERMANENT"] for n in known)


def test_hosts_of_a_rack_share_its_uplink_but_not_each_others_links() -> None:
    with RatedFleet(Layout(4, RATE, racks=2, oversubscription=2)) as fleet:
        a, b, c, d = fleet.hosts.values()
        began = time.monotonic()
        with ThreadPoolExecutor() as pool:
            list(pool.map(throughput, (a, b), (c, d), (2 * RATE, 2 * RATE)))
        out = 4 * RATE / (time.monotonic() - began)
        assert 0.7 < out / RATE < 1.05
        assert fleet.carried()["rack1"].sent >= 4 * RATE
        assert fleet.carried()["rack2"].received >= 4 * RATE
        assert throughput(a, b, RATE) / RATE > 0.9
        assert fleet.carried()["rack1"].sent < 5 * RATE


def left(pid: int) -> list[str]:
    """Namespaces and files of the lab that ``pid`` brought up, and processes in them."""
    folders = Path("/run/netns"), Path("/tmp")
    return [str(path) for folder in folders for path in folder.glob(f"fp-{pid}-*")]


@pytest.mark.parametrize("command", ["false", "no-such-command"])
def test_nothing_is_left_when_the_command_fails(command: str) -> None:
    process = subprocess.Popen([*COMMAND, command], stderr=subprocess.DEVNULL)
    assert process.wait(60) != 0
    assert left(process.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_it_is_told_to_end(number: signal.Signals) -> None:
    tell = "echo $$ $LAB_ROOT; sleep 99 & echo $!; wait"
    with subprocess.Popen(
        [*COMMAND, "sh", "-c", tell], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        shell, root = process.stdout.readline().split()
        inside = [int(shell), int(process.stdout.readline())]
        assert left(process.pid)
        process.send_signal(number)
        assert process.wait(60) != 0
    assert left(process.pid) == []
    assert not Path(root).exists()
    give_up = time.monotonic() + 5
    while any(map(runs, inside)) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not any(map(runs, inside))


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
