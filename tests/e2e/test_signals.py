"""Ctrl-C, SIGTERM, deadlines and thresholds."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.desk import name
from tests.e2e.hosts import contents, partials, wait_until

if TYPE_CHECKING:
    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024


def only_data_and_partials(desk: Desk, hosts: int, final: str) -> None:
    desk.no_agent_is_left()
    for home in desk.homes(hosts):
        assert set(contents(home)) <= {final, *(p.name for p in partials(home))}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal_lets_the_hosts_under_way_finish(
    desk: Desk, number: signal.Signals, code: int
) -> None:
    source = desk.source(8 * MIB)
    run = desk.start(source, desk.inventory(4), "--bwlimit", "4M")
    wait_until(lambda: desk.taken_in() > MIB, 30, "content on the hosts")
    run.send(number)
    done = run.outcome()
    assert done.exit == done.document["exit_code"] == code, done.stderr
    assert done.good() == desk.copies(4, source) == [name(i) for i in range(4)]
    desk.nothing_but(4, source.name)


def test_two_signals_abort(desk: Desk) -> None:
    source = desk.source(64 * MIB)
    run = desk.start(source, desk.inventory(4), "--bwlimit", "1M")
    wait_until(lambda: desk.taken_in() > MIB, 30, "content on the hosts")
    run.send(signal.SIGINT)
    time.sleep(0.3)
    run.send(signal.SIGINT)
    done = run.outcome(within=20)
    assert done.exit == 130, done.stderr
    assert done.slugs() == {name(i): "interrupted" for i in range(4)}
    assert desk.copies(4, source) == []
    only_data_and_partials(desk, 4, source.name)


def test_a_signal_before_any_host_is_up_ends_the_run(desk: Desk) -> None:
    source = desk.source(4 * MIB)
    run = desk.start(source, desk.inventory(20), "-f", "1")
    wait_until(lambda: run.stderr, 30, "a first line")
    run.send(signal.SIGINT)
    done = run.outcome(within=30)
    assert done.exit == 130, done.stderr
    only_data_and_partials(desk, 20, source.name)


def test_the_deadline_stops_the_run(desk: Desk) -> None:
    source = desk.source(64 * MIB)
    done = desk.deploy(source, desk.inventory(4), "--bwlimit", "1M", "--deadline", "4s")
    assert done.exit == 124, done.stderr
    assert done.slugs() == {name(i): "deadline" for i in range(4)}
    assert done.document["timing"]["total_s"] < 30
    only_data_and_partials(desk, 4, source.name)


@pytest.mark.parametrize(("enough", "code"), [("75%", 0), ("80%", 8)])
def test_the_threshold_decides(desk: Desk, enough: str, code: int) -> None:
    source = desk.source(MIB)
    inventory = desk.inventory(4, node0003={"ansible_python_interpreter": "/nowhere/python3"})
    done = desk.deploy(source, inventory, "--min-success", enough)
    assert done.exit == code, done.stderr
    assert done.slugs() == {"node0003": "no_python"}
    assert desk.copies(4, source) == done.good() == ["node0001", "node0002", "node0004"]
