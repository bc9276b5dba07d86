"""An agent's life: greet, find what is there, trade, prove, activate, leave.

What it is told comes on stdin behind the archive it was imported from: two 4-byte lengths, a JSON
configuration, the encoded manifest; then control messages. Every failure becomes a ``failed`` message with
a slug and a sentence; nothing but the data stays behind.
"""

from __future__ import annotations

import gc
import os
import sys
import threading

from fleetpush.agent.control import Control
from fleetpush.agent.place import Place
from fleetpush.agent.source import SourceStore
from fleetpush.agent.store import HostStore
from fleetpush.agent.worker import Worker
from fleetpush.errors import HostError, ManifestError
from fleetpush.lean.json import loads
from fleetpush.net.loop import Loop
from fleetpush.net.node import Node
from fleetpush.net.tls import Contexts
from fleetpush.swarm import bitfield
from fleetpush.swarm.events import ChunksHeld, Edge
from fleetpush.swarm.manifest import Manifest
from fleetpush.swarm.peer import Peer
from fleetpush.swarm.picker import HandOut, Push, Rarest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union

    from fleetpush.swarm.picker import Policy

    AnyStore = Union[HostStore, SourceStore]

WRITE_BEHIND = 64 * 1024 * 1024
"""Bytes taken in between two flushes to disk, so that the last one is short."""

LOOK_EVERY = 0.25
"""Seconds between looks at whether there is progress to report."""


class Agent:
    """Owns the loop, the store and the node; every method runs in the loop's thread."""

    def __init__(
        self, loop: Loop, control: Control, config: dict[str, Any], manifest: Manifest
    ) -> None:
        self._loop = loop
        self._control = control
        self._config = config
        self._manifest = manifest
        self._worker = Worker(loop.call_soon)
        self._store: AnyStore | None = None
        self._peer: Peer | None = None
        self._rng = _Chance()
        self._leaving = False
        self._settled = False
        """Verified (and activated, if that is wanted), or failed: nothing more is to be done here."""
        self._flushed_at = 0
        self._told: tuple[int, ...] = ()
        self._told_reading_at = 0.0
        self._node: Node | None = None

    @property
    def _is_origin(self) -> bool:
        return bool(self._config["role"] == "origin")

    # -- beginning

    def begin(self) -> None:
        config = self._config
        self._control.mark(config["marker"])
        self._node = Node(
            self._loop,
            self._manifest,
            self,
            tls=Contexts(config["ca"], config["cert"], config["key"]),
            run=config["run"],
            rng=self._rng,
            encrypt=config["encrypt"],
            up_limit=config["up_limit"],
            down_limit=config["down_limit"],
        )
        try:
            address, inside, port = self._listen(self._node)
        except OSError as error:
            first, last = config["ports"]
            self._fail(
                "no_peer_port", f"no peer port to be had from {first} to {last}: {error.strerror}"
            )
            return
        self._control.say(
            {
                "is": "hello",
                "version": config["version"],
                "python": "{}.{}.{}".format(*sys.version_info[:3]),
                "pid": os.getpid(),
                "address": address,
                "inside": inside,
                "port": port,
                "caller": _ssh_connection(config)[0],
            }
        )
        self._worker.do(self._open, self._opened, self._store_failed)

    def _listen(self, node: Node) -> tuple[str, str, int]:
        """Binds where peers will call: the announced address if it is one of ours, else every address.

        Returns the announced address, the one to call from this host itself, and the port.
        """
        announced = self._config["address"] or _ssh_connection(self._config)[1]
        ports = tuple(self._config["ports"])
        try:
            return announced, announced, node.edges.listen(announced, ports)[1]
        except (OSError, ValueError):
            six = ":" in announced
            port = node.edges.listen("::" if six else "", ports)[1]
            return announced, "::1" if six else "127.0.0.1", port

    def _open(self) -> AnyStore:
        if self._is_origin:
            return SourceStore(self._manifest, self._config["paths"])
        config = self._config
        place = Place(
            config["dest"],
            config["mode"],
            config["owner"],
            config["group"],
            os.path.expanduser("~"),
        )
        store = HostStore(self._manifest, place, verify_full=config["verify_full"])
        self._store = store  # before open, so that leaving closes whatever it got hold of
        store.open()
        store.scan(self._reading, lambda: self._leaving)
        return store

    def _reading(self, done: int) -> None:
        """A sign of progress while the disk is read, but not one a chunk: a thousand hosts send them."""
        now = self._loop.now()
        if now - self._told_reading_at >= max(1.0, self._config["report_every"]):
            self._told_reading_at = now
            self._control.say({"is": "reading", "bytes": done})

    def _opened(self, store: AnyStore) -> None:
        if self._leaving:
            self._exit()
            return
        self._store = store
        node = self._node
        assert node is not None
        shape = self._config["shape"]
        self._peer = Peer(
            self._manifest,
            bytes.fromhex(self._config["run"]),
            self._policy(),
            self._rng,
            have=store.have,
            progress=store.progress,
            slots=shape["slots"],
            credit=shape["credit"],
            bundle=shape["bundle"],
            frugal=self._is_origin and shape["frugal_origin"],
        )
        node.start(self._peer, store)
        self._control.say(
            {
                "is": "ready",
                "have": bitfield.to_bytes(store.have, self._manifest.chunks).hex(),
                "present": store.present,
            }
        )
        self._loop.call_later(LOOK_EVERY, self._look)
        if self._peer.complete and not self._is_origin:
            self.completed()

    def _policy(self) -> Policy:
        shape = self._config["shape"]
        if shape["push"]:
            return Push()
        if self._is_origin and shape["frugal_origin"]:
            return HandOut(self._manifest.chunks)
        return Rarest()

    # -- what the CLI says

    def hear(self, message: dict[str, Any]) -> None:
        what = message.get("do")
        if what == "beat" or self._node is None:
            return
        if what == "leave":
            self.leave("told to")
        elif what == "edges":
            for e in message["edges"]:
                address = (e["address"][0], e["address"][1]) if e["address"] else None
                edge = Edge(tuple(e["send"]), e["stripes"], e["local"], e["imports"])
                self._node.announce(e["peer"], edge, address, dial=e["dial"])
        elif what == "part":
            for peer in message["peers"]:
                self._node.part(peer)
        elif what == "limit":
            self._node.limit(message["up"])
        elif what == "held":
            mask = bitfield.from_bytes(bytes.fromhex(message["mask"]), self._manifest.chunks)
            self._node.feed(ChunksHeld(mask))

    def lost_contact(self, reason: str) -> None:
        """The CLI is gone: trade on for the agreed grace, else leave."""
        self._loop.call_later(self._config["grace"], lambda: self.leave(reason))

    # -- what the node says (Watcher)

    def completed(self) -> None:
        if self._is_origin:
            return
        store = self._host_store()
        self._control.say({"is": "complete"})
        self._worker.do(
            lambda: store.finish(self._reading), lambda done: self._verified(), self._store_failed
        )

    def began(self) -> None:
        self._control.say({"is": "began"})

    def edge_failed(self, peer: str, reason: str) -> None:
        self._control.say({"is": "edge_failed", "peer": peer, "reason": reason})

    def peer_dropped(self, peer: str, reason: str) -> None:
        self._control.say({"is": "dropped", "peer": peer, "reason": reason})

    def store_failed(self, error: Exception) -> None:
        self._store_failed(error)

    # -- the end

    def _verified(self) -> None:
        store = self._host_store()
        self._report(final=True)
        self._control.say({"is": "verified", "digest": self._manifest.digest.hex()})
        if self._config["activate"] == "each":
            self._worker.do(store.activate, lambda done: self._activated(), self._store_failed)
        else:
            self._settled = True

    def _activated(self) -> None:
        self._settled = True
        self._control.say({"is": "activated"})

    def _store_failed(self, error: Exception) -> None:
        if isinstance(error, HostError):
            self._fail(error.failure.slug, error.failure.message)
        else:
            self._fail("agent_error", f"{type(error).__name__}: {error}")

    def _fail(self, slug: str, message: str) -> None:
        if not self._settled:
            self._settled = True
            self._control.say({"is": "failed", "slug": slug, "message": message})
        self.leave("failed")

    def leave(self, reason: str) -> None:
        """Stops trading, lets go of the store, says the last figures and ends the loop."""
        if self._leaving:
            return
        self._leaving = True
        self._report(final=True)
        if self._node is not None:
            self._node.close()
        # Behind whatever the worker is doing: nothing may write into a store that is closed.
        self._worker.do(self._close_store, lambda done: self._exit(), lambda error: self._exit())

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()

    def _exit(self) -> None:
        self._control.say({"is": "bye"})
        self._loop.stop()

    # -- reporting

    def _look(self) -> None:
        if self._leaving:
            return
        self._report()
        self._write_behind()
        self._loop.call_later(max(LOOK_EVERY, self._config["report_every"]), self._look)

    def _report(self, *, final: bool = False) -> None:
        """Figures since the start, when they have changed."""
        if self._node is None or self._peer is None:
            return
        received, sent, cross = self._node.wire_bytes()
        done = self._manifest.size if self._peer.complete else self._bytes_had()
        content = self._node.content_in, self._node.content_out
        figures = (done, received, sent, *content, self._node.links(), cross)
        if figures == self._told and not final:
            return
        self._told = figures
        names = ("done", "in", "out", "content_in", "content_out", "links", "cross")
        self._control.say({"is": "progress", **dict(zip(names, figures))})

    def _bytes_had(self) -> int:
        assert self._peer is not None
        count = bitfield.count(self._peer.have)
        last = self._manifest.chunks - 1
        short = self._manifest.chunk_size - self._manifest.chunk_length(last) if last >= 0 else 0
        return count * self._manifest.chunk_size - (short if self._peer.have >> last & 1 else 0)

    def _write_behind(self) -> None:
        if self._is_origin or self._node is None or self._settled:
            return
        taken = self._node.content_in
        if taken - self._flushed_at >= WRITE_BEHIND and self._worker.idle:
            self._flushed_at = taken
            self._worker.do(self._host_store().flush, lambda done: None, self._store_failed)

    def _host_store(self) -> HostStore:
        assert isinstance(self._store, HostStore)
        return self._store


class _Chance:
    """Random numbers without importing ``random``, which an agent's start-up would feel."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def random(self) -> float:
        """Uniform in [0, 1)."""
        if not self._numbers:
            # Many at once: a system call for each number would be most of its cost.
            drawn = os.urandom(6 * 128)
            self._numbers = [int.from_bytes(drawn[i : i + 6], "big") for i in range(0, 768, 6)]
        return self._numbers.pop() / (1 << 48)


def _ssh_connection(config: dict[str, Any]) -> tuple[str, str]:
    """The CLI's address and this host's own, as the SSH server saw them ("" where there is none)."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    if not config["ssh"] or len(words) != 4:
        return "", ""
    return words[0], words[2]


def main() -> None:
    """Called by the bootstrap with the archive's bytes already consumed from stdin."""
    threading.stack_size(256 * 1024)
    # What start-up made stays until the end: the collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()
    loop = Loop()
    agent: list[Agent] = []
    control = Control(
        20.0,
        lambda message: loop.call_soon(lambda: agent[0].hear(message)),
        lambda reason: loop.call_soon(lambda: agent[0].lost_contact(reason)),
    )
    try:
        lengths = control.read_exactly(8)
        config = loads(control.read_exactly(int.from_bytes(lengths[:4], "big")))
        manifest = Manifest.decode(control.read_exactly(int.from_bytes(lengths[4:], "big")))
    except (EOFError, ValueError, ManifestError) as error:
        sys.stderr.write(f"fleetpush agent: {error}\n")
        os._exit(2)
    control.grace = config["grace"]
    agent.append(Agent(loop, control, config, manifest))
    control.start()
    loop.call_soon(agent[0].begin)
    loop.run()
    control.finish()
    # At once: tearing down an interpreter with threads costs time and could still block.
    os._exit(0)
