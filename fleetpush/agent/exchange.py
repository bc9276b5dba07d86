"""One exchange in an agent's life: find what is there, trade, prove, activate.

Every failure becomes a ``failed`` message with a slug and a sentence; nothing but the data stays behind.
"""

from __future__ import annotations

import sys
from time import sleep

from fleetpush.agent.chance import Chance
from fleetpush.agent.figures import Figures
from fleetpush.agent.kept import SETTLE
from fleetpush.agent.listening import listen, ssh_connection
from fleetpush.agent.making import make_store, make_talker, open_source, policy_of
from fleetpush.agent.place import Place
from fleetpush.agent.store import HostStore
from fleetpush.agent.worker import Worker
from fleetpush.errors import HostError
from fleetpush.lean.system import os
from fleetpush.net.node import Node
from fleetpush.net.tls import Contexts
from fleetpush.swarm import bitfield
from fleetpush.swarm.events import ChunksHeld, ChunksInherited, Edge, Route
from fleetpush.swarm.peer import Peer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Union

    from fleetpush.agent.control import Control
    from fleetpush.agent.releases import Releases
    from fleetpush.agent.source import SourceStore
    from fleetpush.net.loop import Loop
    from fleetpush.swarm.manifest import Manifest

    AnyStore = Union[HostStore, SourceStore]

WRITE_BEHIND = 16 * 1024 * 1024
"""Bytes taken in between two flushes to disk, so that the last one is short."""

LOOK_EVERY = 0.25
"""Seconds between looks at whether there is progress to report."""

FOLLOWS_WITHIN, NEXT_WITHIN = 0.05, 1.0
"""Seconds that what need not be known at once waits for what comes next: what is sure to, and anything."""


class Exchange:
    """Owns the store and the node; every method runs in the loop's thread. ``ended`` is called once, last."""

    def __init__(
        self,
        loop: Loop,
        control: Control,
        config: dict[str, Any],
        manifest: Manifest,
        ended: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._control = control
        self._config = config
        self._manifest = manifest
        self._ended = ended
        self._worker = Worker(loop.call_soon)
        self._store: AnyStore | None = None
        self._peer: Peer | None = None
        self._rng = Chance()
        self._leaving = False
        self._settled = False
        """Verified (and activated, if that is wanted), or failed: nothing more is to be done here."""
        self._switched = False
        self._flushed_at = 0
        self._figures = Figures(loop, control, manifest)
        self._told_reading_at = 0.0
        self._node: Node | None = None
        self._had = False
        """Some of the content was here already."""
        self._place = ""
        """Where peers call."""
        self._releases: Releases | None = None
        self._release = ""
        self._previous = ""
        """The directory of the release before."""

    @property
    def _is_origin(self) -> bool:
        return bool(self._config["role"] == "origin")

    # -- beginning

    def begin(self) -> None:
        config = self._config
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
            address, inside, port = listen(self._node, config)
        except HostError as error:
            self._fail(error.failure.slug, error.failure.message)
            return
        except OSError as error:
            first, last = config["ports"]
            self._fail(
                "no_peer_port", f"no peer port to be had from {first} to {last}: {error.strerror}"
            )
            return
        self._place = f"{address}:{port}"
        self._mention(
            {
                "is": "hello",
                "version": config["version"],
                "python": "{}.{}.{}".format(*sys.version_info[:3]),
                "pid": os.getpid(),
                "address": address,
                "inside": inside,
                "port": port,
                "caller": ssh_connection(config)[0],
            }
        )
        self._worker.do(self._open, self._opened, self._store_failed)

    def _open(self) -> AnyStore:
        if self._is_origin:
            return open_source(self._manifest, self._config)
        config = self._config
        home = os.path.expanduser("~")
        dest = self._open_release(config["release"], home) if config["release"] else config["dest"]
        place = Place(dest, config["mode"], config["owner"], config["group"], home)
        store = make_store(self._manifest, config, place, self._previous)
        self._store = store  # before open, so that leaving closes whatever it got hold of
        store.open()
        store.scan(self._reading, lambda: self._leaving)
        for note in store.notes_of_reuse:
            self._control.say({"is": "note", "message": note})
        return store

    def _open_release(self, wanted: dict[str, Any], home: str) -> str:
        """Where this content's release is, or will be."""
        from fleetpush.agent.releases import Releases

        self._releases = Releases(wanted["dir"], home, make=True)
        self._release = self._releases.choose(wanted["stamp"], self._manifest.name)
        current = self._releases.current()  # what is no link is found before a byte moves
        if current != self._release:
            self._previous = current and self._releases.path(current)
        return self._releases.path(self._release) + "/"

    def _reading(self, done: int) -> None:
        """A sign of progress while the disk is read, but not one a chunk: a thousand hosts send them."""
        now = self._loop.now()
        if now - self._told_reading_at >= max(1.0, self._config["report_every"]):
            self._told_reading_at = now
            self._control.say({"is": "reading", "bytes": done})

    def _opened(self, store: AnyStore) -> None:
        if self._leaving:
            return  # the store is being closed, and then the exchange is over
        self._store = store
        self._had = store.have != 0
        node = self._node
        assert node is not None
        shape = self._config["shape"]
        self._peer = Peer(
            self._manifest,
            bytes.fromhex(self._config["run"]),
            policy_of(self._config, self._manifest.chunks),
            self._rng,
            have=store.have,
            progress=store.progress,
            slots=shape["slots"],
            credit=shape["credit"],
            bundle=shape["bundle"],
            frugal=self._is_origin and shape["frugal_origin"],
            sifts=store.sifts,
            skips=store.skips,
        )
        node.start(self._peer, store)
        if self._config["gossip"] is not None:
            node.talker = make_talker(self._config, self._loop, node, self._peer, self._place)
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

    # -- what the CLI says

    def hear(self, message: dict[str, Any]) -> None:
        """One of ``ACTS``. Whatever comes before there is a node, or once it leaves, is for nobody."""
        if self._node is not None and not self._leaving:
            self.ACTS[message["do"]](self, self._node, message)

    def _announce(self, node: Node, message: dict[str, Any]) -> None:
        for e in message["edges"]:
            address = (e["address"][0], e["address"][1]) if e["address"] else None
            down, up, trees = e["route"]
            route = Route(tuple(down), tuple(up), trees)
            edge = Edge(tuple(e["send"]), e["stripes"], e["local"], e["imports"], route)
            node.announce(e["peer"], edge, address, dial=e["dial"])

    def _part(self, node: Node, message: dict[str, Any]) -> None:
        for peer in message["peers"]:
            node.part(peer)

    def _meet(self, node: Node, message: dict[str, Any]) -> None:
        if node.talker is not None:
            for c in message["contacts"]:
                node.talker.meet(c["peer"], c["address"], dial=c["dial"], through=c["through"])

    def _mask(self, message: dict[str, Any]) -> int:
        return bitfield.from_bytes(bytes.fromhex(message["mask"]), self._manifest.chunks)

    def _own(self, node: Node, message: dict[str, Any]) -> None:
        """Says which chunks are whole here."""
        if self._peer is not None:
            held = bitfield.to_bytes(self._peer.have, self._manifest.chunks).hex()
            self._control.say({"is": "owns", "mask": held, "asked": message["asked"]})

    def _told_to_settle(self, node: Node, message: dict[str, Any]) -> None:
        self._worker.do(self._settle, self._say_kept, self._note)

    # -- what the node says (Watcher)

    def completed(self) -> None:
        if self._is_origin:
            return
        store = self._host_store()
        self._mention({"is": "complete"})
        self._worker.do(
            lambda: store.finish(self._reading), lambda done: self._verified(), self._store_failed
        )

    def began(self) -> None:
        # When the first block of all was sent is what is wanted of this: not by who had nothing to send then.
        if self._had:
            self._control.say({"is": "began"})

    def fell_behind(self, paces: dict[str, float], *, all: bool) -> None:
        self._control.say({"is": "behind", "paces": paces, "all": all})

    def edge_failed(self, peer: str, reason: str) -> None:
        self._control.say({"is": "edge_failed", "peer": peer, "reason": reason})

    def peer_dropped(self, peer: str, reason: str) -> None:
        self._control.say({"is": "dropped", "peer": peer, "reason": reason})

    def store_failed(self, error: Exception) -> None:
        self._store_failed(error)

    # -- the end

    def _verified(self) -> None:
        self._report(final=True)
        by = self._host_store().proof
        self._control.say({"is": "verified", "digest": self._manifest.digest.hex(), "by": by})
        activate = self._config["activate"]
        if activate == "each":
            self._switch_soon()
            self._worker.do(self._settle, self._say_kept, self._note)
        elif activate == "none":
            self._settled = True

    def _switch_soon(self) -> None:
        self._worker.do(self._switch, self._activated, self._store_failed)

    def _switch(self) -> tuple[bool, list[str]]:
        """In the worker: makes what was verified the destination.

        Whether anything is another now, and where what was there could not be kept.
        """
        # The release before is what would be gone back to.
        keeps = self._config["activate"] == "together" and self._releases is None
        changed = self._host_store().staged
        lost = self._host_store().activate(keep_old=keeps)
        if self._releases is not None:
            changed = self._releases.switch(self._release)
        self._switched = True
        return changed, lost

    def _settle(self) -> list[list[int]]:
        """In the worker: nobody will want to go back, unless to a release. What the files are known by."""
        if not self._switched:
            return []
        if self._config["activate"] == "together":
            self._host_store().settle()
        if self._releases is not None:
            self._releases.prune(self._config["release"]["keep"])
        if not self._config["notes"]:
            return []
        sleep(SETTLE)
        return self._host_store().notes()

    def _say_kept(self, notes: list[list[int]]) -> None:
        if notes:
            self._mention({"is": "kept", "files": notes}, NEXT_WITHIN)  # most often its farewell

    def _activated(self, done: tuple[bool, list[str]]) -> None:
        self._settled = True
        self._control.say({"is": "activated", "changed": done[0]})
        for path in done[1]:
            why = "its filesystem or owner allowed no second name for what was there"
            text = f"{path}: {why if self._manifest.tree is None else 'a tree replaces for good'}"
            self._control.say({"is": "note", "message": f"{text}: it cannot be put back"})

    def _note(self, error: Exception) -> None:
        """What went wrong once the host was done."""
        self._control.say({"is": "note", "message": str(error)})

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
        if self._releases is not None:
            self._releases.close()

    def _exit(self) -> None:
        self._worker.end()
        self._control.say({"is": "bye"})
        self._ended()

    # -- reporting

    def _mention(self, message: dict[str, Any], within: float = FOLLOWS_WITHIN) -> None:
        """Says it with the next thing, if one comes ``within`` seconds: they wake sshd and the CLI once."""
        self._control.say(message, waits=True)
        self._loop.call_later(within, self._control.hurry)

    def _look(self) -> None:
        if self._leaving:
            return
        self._report()
        self._write_behind()
        self._loop.call_later(max(LOOK_EVERY, self._config["report_every"]), self._look)

    def _report(self, *, final: bool = False) -> None:
        if self._node is not None and self._peer is not None and self._store is not None:
            self._figures.tell(self._node, self._peer, self._store, final=final)

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

    ACTS: ClassVar[dict[str, Callable[[Exchange, Node, dict[str, Any]], None]]] = {
        "leave": lambda self, node, message: self.leave("told to"),
        "activate": lambda self, node, message: self._switch_soon(),
        "settle": _told_to_settle,
        "edges": _announce,
        "part": _part,
        "limit": lambda self, node, message: node.limit(float(message["up"])),
        "held": lambda self, node, message: node.feed(ChunksHeld(self._mask(message))),
        "inherit": lambda self, node, message: node.feed(ChunksInherited(self._mask(message))),
        "own": _own,
        "contacts": _meet,
    }
    """What the CLI may tell it."""
