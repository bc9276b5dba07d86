"""What the CLI is told of an exchange: how much has moved, and in the end where the time of it went.

An agent moves content in one thread, its main one. Of the time since the first block that thread was running,
was ready and waited for a processor, slept until there was something to do, or was held: by the disk, mostly.
"""

from __future__ import annotations

from time import thread_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    from fleetpush.agent.control import Control
    from fleetpush.agent.source import SourceStore
    from fleetpush.agent.store import HostStore
    from fleetpush.net.loop import Loop
    from fleetpush.net.node import Node
    from fleetpush.swarm.manifest import Manifest
    from fleetpush.swarm.peer import Peer

    AnyStore = Union[HostStore, SourceStore]

NAMES = ("done", "in", "out", "content_in", "content_out", "links", "cross", "reused")


class Figures:
    """Every method belongs in the loop's thread."""

    def __init__(self, loop: Loop, control: Control, manifest: Manifest) -> None:
        self._loop = loop
        self._control = control
        self._manifest = manifest
        self._told: tuple[int, ...] = ()
        self._since = self._clocks()

    def tell(self, node: Node, peer: Peer, store: AnyStore, *, final: bool = False) -> None:
        """Counts since the start, when they have changed; ``final``: the time spent as well."""
        received, sent, cross = node.wire_bytes()
        content = node.content_in, node.content_out
        if not any(content):
            self._since = self._clocks()
        done = self._manifest.size_of(peer.have)
        figures = (done, received, sent, *content, node.links(), cross, store.reused)
        if figures == self._told and not final:
            return
        self._told = figures
        spent = {"spent": self._spent()} if final else {}
        self._control.say({"is": "progress", **dict(zip(NAMES, figures)), **spent})

    def _spent(self) -> list[int]:
        """Milliseconds since the first block, or the look before it: all of them, then those in which the
        thread ran, waited for a processor, and was held. The last two are 0 where the kernel does not say."""
        now = self._clocks()
        wall, ran, queued, slept = (max(0.0, b - a) for a, b in zip(self._since, now))
        held = max(0.0, wall - ran - queued - slept) if now[2] else 0.0
        return [round(1000 * seconds) for seconds in (wall, ran, queued, held)]

    def _clocks(self) -> tuple[float, float, float, float]:
        """Seconds: the time, and for how long the thread has run, waited for a processor, and slept."""
        ran, queued = _scheduled()
        return self._loop.now(), ran, queued, self._loop.slept


def _scheduled() -> tuple[float, float]:
    try:
        with open("/proc/self/schedstat", "rb") as file:
            ran, queued = file.read().split()[:2]
        return int(ran) / 1e9, int(queued) / 1e9
    except (OSError, ValueError):
        return thread_time(), 0.0
