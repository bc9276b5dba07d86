"""A round of chaos in virtual time: the shipped peers and tracker, in the network of ``tests/swarm``."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.swarm.network import ORIGIN
from tests.swarm.swarms import HEALING, joined, network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARTED = 10.0
"""Seconds that a partition lasts."""

DECLARED_DEAD = 5.0
"""Seconds after which the tracker parts with a host that has fallen silent."""

BEGIN, END = 0.002, 0.6
"""When faults begin; most rounds are over soon after the last of them."""


class VirtualRound:
    """What ``seed`` draws: a topology, so many hosts, chunks and faults."""

    def __init__(self, seed: str, hosts: int) -> None:
        self._rng = rng = random.Random(seed)
        self._names = [f"h{i:02}" for i in range(hosts)]
        self._topology = rng.choice([*HEALING, "mesh"])
        chunks, over = rng.randint(4, 24), rng.choice([0.0, 0.05, 0.5])
        self._net = joined(
            network(self._topology, chunks, seed=rng.random(), blocks=2, check_every=1009),
            hosts,
            over=over,
            seed=rng.randrange(1 << 30),
        )
        self._begin = BEGIN + over
        self._victims = iter(rng.sample(self._names, hosts))
        self._dead: set[str] = set()
        self._liars: set[str] = set()
        kinds: list[Callable[[], str]] = [
            *(self._death, self._silence, self._silence_and_death, self._slowness),
            *(self._broken_links, self._partition, self._origin_cut_off, self._lies),
        ]
        self.faults = [rng.choice(kinds)() for _ in range(rng.randint(1, 6))]
        self.faults.insert(0, f"{self._topology}, {chunks} chunks, arriving over {over} s")

    def play(self) -> list[str]:
        """What was not as it should be: nothing, mostly."""
        try:
            self._net.run(180.0, steps=20_000_000)
            for name in self._names:
                if name not in self._dead:
                    self._thaw(name)
            self._net.run(self._net.now + 60.0, steps=20_000_000)
        except AssertionError as error:
            return [str(error)[:3000]]
        return list(self._wrongs())

    def _wrongs(self) -> Iterator[str]:
        net = self._net
        for host in net.served:
            if not host.peer.complete and host.name not in self._dead:
                yield f"{host.name} is not complete"
        accused = {whom for _, whom, _ in net.dropped} - self._liars
        if accused:
            yield f"honest peers were dropped: {sorted(accused)}"
        if net.isolated:
            yield f"given up as isolated: {net.isolated}"
        gone = {n for n in self._names if not net.hosts[n].alive} - set(net.released)
        if gone - self._dead:
            yield f"lost without a cause: {sorted(gone - self._dead)}"

    def _when(self) -> float:
        return self._begin + self._rng.uniform(BEGIN, END)

    def _death(self) -> str:
        name, when = next(self._victims), self._when()
        self._dead.add(name)
        self._net.at(when, self._net.die, name)
        return f"{name} dies at {when:.3f}"

    def _silence(self) -> str:
        name, when, long = next(self._victims), self._when(), self._rng.uniform(0.05, 4.0)
        self._net.at(when, self._net.freeze, name)
        self._net.at(when + long, self._thaw, name)
        return f"{name} is silent from {when:.3f} for {long:.2f} s"

    def _silence_and_death(self) -> str:
        name, when = next(self._victims), self._when()
        self._dead.add(name)
        self._net.at(when, self._net.freeze, name)
        self._net.at(when + DECLARED_DEAD, self._net.die, name)
        return f"{name} is silent from {when:.3f} and declared dead"

    def _slowness(self) -> str:
        names = [next(self._victims) for _ in range(max(1, len(self._names) // 10))]
        for name in names:
            self._net.at(self._begin + 0.001, self._slow, name)
        return f"{', '.join(names)}: ten times slower"

    def _broken_links(self) -> str:
        everyone = [ORIGIN, *self._names]
        count = self._rng.randint(1, 400)
        for _ in range(count):
            self._net.at(self._when(), self._cut, *self._rng.sample(everyone, 2))
        return f"{count} links break"

    def _partition(self) -> str:
        half = set(self._rng.sample(self._names, len(self._names) // 2))
        return self._part(half, {ORIGIN, *self._names} - half, "the fleet is split in two")

    def _origin_cut_off(self) -> str:
        return self._part({ORIGIN}, set(self._names), "the origin's link is down")

    def _part(self, these: set[str], those: set[str], what: str) -> str:
        when, long = self._when(), self._rng.uniform(0.5, PARTED)
        pairs = {(a, b) for a in these for b in those} | {(b, a) for a in these for b in those}
        self._net.at(when, self._wall, pairs)
        self._net.at(when + long, self._net.blocked.difference_update, pairs)
        return f"{what} from {when:.3f} for {long:.1f} s"

    def _lies(self) -> str:
        name = next(self._victims)
        self._liars.add(name)
        self._net.at(self._begin, self._lie, name)
        return f"{name} sends wrong bytes"

    # -- in virtual time

    def _thaw(self, name: str) -> None:
        if self._net.hosts[name].frozen is not None:
            self._net.thaw(name)

    def _slow(self, name: str) -> None:
        self._net.hosts[name].slowness = 10.0

    def _lie(self, name: str) -> None:
        self._net.hosts[name].corrupts = True

    def _cut(self, one: str, other: str) -> None:
        if other in self._net.hosts:
            self._net.cut(one, other)

    def _wall(self, pairs: set[tuple[str, str]]) -> None:
        self._net.blocked |= pairs
        for one, other in sorted(pairs):  # a set's order changes from process to process
            self._cut(one, other)
