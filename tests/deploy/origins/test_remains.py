"""A chunk that is nowhere any more is found out, named, and told once; one that is somewhere is not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from fleetpush.deploy.origins.remains import LOOKS, Remains, described
from fleetpush.errors import HostFailure
from fleetpush.swarm import bitfield
from fleetpush.swarm.manifest import BLOCK, File, Manifest
from fleetpush.swarm.plan.shares import Shares

MANIFEST = Manifest(
    [File("a", 2 * BLOCK + 1), File("b", BLOCK)], BLOCK, [bytes(32)] * 4, apart=True
)


class Host:
    """As much of a member as is looked at."""

    def __init__(self, peer: str, have: int) -> None:
        self.peer, self.have = peer, have
        self.settled = asyncio.Event()
        self.ready_at: float | None = 1.0
        self.channel = SimpleNamespace(running=True, say=self._say)
        self.asked: list[int] = []

    def _say(self, message: dict[str, Any]) -> None:
        assert message["do"] == "own"
        self.asked.append(message["asked"])


class Scene:
    """Two shards: a on nas1, b on nas2."""

    def __init__(self, *haves: int) -> None:
        self.hosts = [Host(str(i), have) for i, have in enumerate(haves)]
        self.shares = Shares({"origin1": 0b0111, "origin2": 0b1000})
        self.origins = [
            SimpleNamespace(peer=f"origin{i}", name=f"nas{i}", failure=None) for i in (1, 2)
        ]
        self.told: list[HostFailure] = []
        self.remains = Remains(
            MANIFEST,
            self.shares,
            self.origins,  # type: ignore[arg-type]  # as much of members as is looked at
            self.hosts,  # type: ignore[arg-type]  # the same
            self.told.append,
        )

    def lose(self, number: int, slug: str = "agent_lost") -> None:
        self.origins[number - 1].failure = HostFailure(slug, "what happened")
        self.shares.leave(f"origin{number}")
        self.remains.lost()

    def look(self, times: int) -> None:
        """So many ticks; who is asked answers at once."""
        for _ in range(times):
            self.remains.tick()
            for host in [h for h in self.hosts if h.asked and h.channel.running]:
                mask = bitfield.to_bytes(host.have, MANIFEST.chunks).hex()
                self.remains.heard(host, {"mask": mask, "asked": host.asked[-1]})  # type: ignore[arg-type]  # as above


def test_what_nobody_has_is_named_with_its_file_its_bytes_and_who_had_it() -> None:
    scene = Scene(0b0001, 0b0010)
    scene.lose(1)
    scene.look(LOOKS)
    assert not scene.told  # what was on its way may still arrive
    scene.look(5)
    (failure,) = scene.told
    assert failure.slug == "source_lost"
    assert failure.message.startswith(
        "chunk 2 (a, bytes 131,072 to 131,072) cannot be had any more"
    )
    assert "nas1 alone had it, and its agent is gone (what happened)" in failure.message


def test_nobody_is_asked_while_every_origin_lives_or_another_has_the_same() -> None:
    scene = Scene(0, 0)
    scene.remains.lost()
    scene.look(5)
    assert not any(host.asked for host in scene.hosts)


def test_what_peers_have_between_them_is_not_lost_until_they_are() -> None:
    scene = Scene(0b0011, 0b0110)
    scene.lose(1)
    scene.look(10)
    assert not scene.told
    asked = len(scene.hosts[0].asked)
    scene.look(10)
    assert len(scene.hosts[0].asked) == asked  # settled: nobody is asked for nothing
    scene.hosts[1].channel.running = False
    scene.hosts[1].settled.set()
    scene.remains.lost()
    scene.look(10)
    assert [failure.slug for failure in scene.told] == ["source_lost"]


def test_a_chunk_that_arrives_late_is_not_lost() -> None:
    scene = Scene(0b0011, 0b0000)
    scene.lose(1)
    scene.look(3)
    scene.hosts[1].have = 0b0100
    scene.look(10)
    assert not scene.told


def test_a_host_that_is_still_to_come_may_have_it() -> None:
    scene = Scene(0b0011, 0b1111)
    scene.hosts[1].ready_at = None
    scene.lose(1)
    scene.look(20)
    assert not scene.told
    scene.hosts[1].ready_at = 5.0
    scene.look(20)
    assert not scene.told


def test_an_answer_that_does_not_come_is_not_waited_for_without_end() -> None:
    scene = Scene(0b0011, 0b0000)
    scene.lose(1)
    scene.remains.tick()
    mask = bitfield.to_bytes(0b0011, MANIFEST.chunks).hex()
    for _ in range(200):
        scene.remains.tick()
        first = scene.hosts[0]
        scene.remains.heard(first, {"mask": mask, "asked": first.asked[-1]})  # type: ignore[arg-type]  # as above
    assert len(scene.told) == 1


def test_a_source_that_changed_is_called_that() -> None:
    scene = Scene(0, 0)
    scene.lose(2, "source_changed")
    scene.look(10)
    assert [failure.slug for failure in scene.told] == ["source_changed"]


def test_chunks_are_described_by_the_first() -> None:
    assert described(MANIFEST, 0b1010) == "chunk 1 (a, bytes 65,536 to 131,071), and 1 more"
    assert described(MANIFEST, 0b1000) == "chunk 3 (b, bytes 0 to 65,535)"
