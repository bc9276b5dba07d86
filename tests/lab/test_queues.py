"""Blocks wait in the store, not in the queue of the host's own link, where all else waits behind them."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from fleetpush.net.egress import DEPTH, LEAST
from fleetpush.swarm.manifest import BLOCK
from tests.lab.links import QUEUE
from tests.lab.netns import DEVICE
from tests.lab.rated import Layout, RatedFleet

if TYPE_CHECKING:
    from tests.lab.netns import Host

pytestmark = pytest.mark.sshd

RATE = 6_000_000
SIZE = 3 * RATE
SLACK = BLOCK
"""Bytes: what TLS, TCP and the chunks' leaves add, and control frames."""


class Watch:
    """``with Watch(host) as watch``: how many bytes wait in its link's queue, twenty times a second."""

    def __init__(self, host: Host) -> None:
        self.seen: list[int] = []
        self._look = ["tc", "-s", "-j", "-n", host.namespace, "qdisc", "show", "dev", DEVICE]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            shown = json.loads(subprocess.check_output(self._look))
            self.seen.append(int(shown[0]["backlog"]))


def test_the_queue_before_a_slow_link_stays_short_and_the_link_busy() -> None:
    with RatedFleet(Layout(6, RATE)) as fleet:
        fleet.source(SIZE)
        with Watch(fleet.origin) as watch:
            done = fleet.deploy(list(fleet.hosts))
        assert done.exit == 0, done.stderr
    most = max(LEAST, RATE * DEPTH) + BLOCK + SLACK
    assert most < RATE * QUEUE, "a queue that is full would pass"
    busy = [count for count in watch.seen if count > BLOCK // 2]
    assert len(busy) > len(watch.seen) / 10, "nothing waits at all: there was nothing to see"
    assert sorted(busy)[len(busy) * 9 // 10] < most
