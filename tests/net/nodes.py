"""Nodes over real sockets on the loopback, all in one loop of one thread, with chunks in memory."""

from __future__ import annotations

import random
import socket
import ssl
import threading
from hashlib import sha256
from typing import TYPE_CHECKING

from fleetpush.deploy.identity import RunIdentity
from fleetpush.net.link import Link
from fleetpush.net.loop import Loop
from fleetpush.net.node import ADDED, CORRUPT, DUPLICATE, WHOLE, Node
from fleetpush.net.tls import Contexts
from fleetpush.swarm import bitfield
from fleetpush.swarm.events import Edge
from fleetpush.swarm.manifest import BLOCK, DIGEST, File, Manifest, chunk_digest, leaves_of
from fleetpush.swarm.peer import Peer
from fleetpush.swarm.picker import Rarest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN = "ab" * 16
PATIENCE = 30.0
"""Seconds after which a test gives up waiting; never what it measures."""


def content_of(size: int) -> tuple[Manifest, bytes]:
    """A manifest of chunks of two blocks, and the bytes that it describes."""
    data = random.Random(size).randbytes(size)
    chunk = 2 * BLOCK
    digests = [
        chunk_digest(b"".join(leaves_of(memoryview(data)[at : at + chunk])))
        for at in range(0, size, chunk)
    ]
    return Manifest([File("f", size)], chunk, digests), data


class MemoryStore:
    """Chunks in memory; ``data`` is what is there from the start."""

    def __init__(self, manifest: Manifest, data: bytes = b"") -> None:
        self._manifest = manifest
        self.data = bytearray(data or bytes(manifest.size))
        self._leaves: dict[int, bytes] = {}
        self.leaves_put = 0
        self._progress = [0] * manifest.chunks
        for chunk in range(manifest.chunks) if data else ():
            at = chunk * manifest.chunk_size
            piece = memoryview(self.data)[at : at + manifest.chunk_length(chunk)]
            self._leaves[chunk] = b"".join(leaves_of(piece))
            self._progress[chunk] = manifest.blocks_in(chunk)

    @property
    def have(self) -> int:
        whole = (c for c, b in enumerate(self._progress) if b == self._manifest.blocks_in(c))
        return bitfield.of(whole)

    def progress(self, chunk: int) -> int:
        return self._progress[chunk]

    def leaves(self, chunk: int) -> bytes | None:
        return self._leaves.get(chunk)

    def put_leaves(self, chunk: int, leaves: bytes) -> bool:
        if chunk_digest(leaves) != self._manifest.chunk_digests[chunk]:
            return False
        self._leaves[chunk] = leaves
        self.leaves_put += 1
        return True

    def put_block(self, chunk: int, block: int, data: memoryview) -> int:
        if block != self._progress[chunk]:
            return DUPLICATE
        leaf = self._leaves[chunk][block * DIGEST : (block + 1) * DIGEST]
        if sha256(data).digest() != leaf:
            return CORRUPT
        at = chunk * self._manifest.chunk_size + block * BLOCK
        self.data[at : at + len(data)] = data
        self._progress[chunk] += 1
        return WHOLE if self._progress[chunk] == self._manifest.blocks_in(chunk) else ADDED

    def read_block(self, chunk: int, block: int) -> bytes:
        at = chunk * self._manifest.chunk_size + block * BLOCK
        return bytes(self.data[at : at + self._manifest.block_length(chunk, block)])


class Member:
    """A node, its store, where it listens, and what it told its watcher."""

    def __init__(self, rig: Rig, name: str, data: bytes, **options: object) -> None:
        self.name = name
        self.completions = self.beginnings = 0
        self.failed: list[tuple[str, str]] = []
        self.dropped: list[tuple[str, str]] = []
        self.errors: list[Exception] = []
        ca, cert, key = rig.papers(name)
        rng = random.Random(name)
        self.node = Node(
            rig.loop,
            rig.manifest,
            self,
            tls=Contexts(ca, cert, key),
            run=RUN,
            rng=rng,
            **{"encrypt": True, **options},
        )
        self.address = self.node.edges.listen("127.0.0.1", (0, 0))
        self.store = MemoryStore(rig.manifest, data)
        self.peer = Peer(
            rig.manifest,
            bytes.fromhex(RUN),
            Rarest(),
            rng,
            have=self.store.have,
            progress=self.store.progress,
        )
        self.node.start(self.peer, self.store)

    def completed(self) -> None:
        self.completions += 1

    def began(self) -> None:
        self.beginnings += 1

    def edge_failed(self, peer: str, reason: str) -> None:
        self.failed.append((peer, reason))

    def fell_behind(self, paces, *, all):
        """Nobody has a route here."""

    def peer_dropped(self, peer: str, reason: str) -> None:
        self.dropped.append((peer, reason))

    def store_failed(self, error: Exception) -> None:
        self.errors.append(error)

    def awaits(self, other: str) -> None:
        self.node.announce(other, Edge(), None, dial=False)

    def dials(self, other: Member) -> None:
        self.node.announce(other.name, Edge(), other.address, dial=True)

    def linked(self, other: Member) -> bool:
        session = self.node.edges.sessions.get(other.name)
        return session is not None and session.control is not None


class Rig:
    """One loop, one run's identity, any number of members."""

    def __init__(self, size: int = 5 * BLOCK + 7) -> None:
        self.loop = Loop()
        self.manifest, self.data = content_of(size)
        self.identity = RunIdentity(RUN)
        self.members: list[Member] = []

    def papers(self, name: str) -> tuple[str, str, str]:
        """The authority, a certificate and its key as PEM text."""
        cert, key = self.identity.issue(name)
        return self.identity.ca_pem.decode(), cert.decode(), key.decode()

    def member(self, name: str, *, seed: bool = False, **options: object) -> Member:
        member = Member(self, name, self.data if seed else b"", **options)
        self.members.append(member)
        return member

    def join(self, one: Member, other: Member) -> None:
        """Both hear of the edge, ``one`` dials, and the link stands."""
        other.awaits(one.name)
        one.dials(other)
        self.until(lambda: one.linked(other) and other.linked(one))

    def until(self, holds: Callable[[], bool]) -> None:
        """Runs the loop until ``holds``; fails if that does not come to pass."""
        end = self.loop.now() + PATIENCE

        def look() -> None:
            if holds() or self.loop.now() > end:
                self.loop.stop()
            else:
                self.loop.call_later(0.005, look)

        self.loop.call_soon(look)
        self.loop.run()
        assert holds(), "waited in vain"

    def rest(self, seconds: float) -> None:
        """Lets the loop run for a while in which nothing should happen."""
        end = self.loop.now() + seconds
        self.until(lambda: self.loop.now() >= end)

    def close(self) -> None:
        for member in self.members:
            member.node.close()
        # A lane that is being dialled ends with its deadline, for which nobody waits here.
        for _, callback in list(self.loop._wanted.values()):
            link = getattr(callback, "__self__", None)
            if isinstance(link, Link):
                link.close()
        self.loop.close()


class Intruder(threading.Thread):
    """Connects, says something, and keeps what it hears until the other side hangs up."""

    def __init__(
        self, address: tuple[str, int], says: bytes = b"", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__()
        self.heard = b""
        self.ended = ""
        self._address = address
        self._says = says
        self._tls = tls
        self.start()

    def run(self) -> None:
        sock = socket.create_connection(self._address, timeout=PATIENCE)
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, do_handshake_on_connect=False)
                sock.do_handshake()
            if self._says:
                sock.sendall(self._says)
            while data := sock.recv(65536):
                self.heard += data
            self.ended = "closed"
        except OSError as error:
            self.ended = str(error)
        finally:
            sock.close()


def client_context(papers: tuple[str, str, str], where: Path) -> ssl.SSLContext:
    """What an intruder with such papers would use: trusts everybody, shows its own certificate."""
    _, cert, key = papers
    path = where / "papers.pem"
    path.write_text(cert + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(path)
    return context
