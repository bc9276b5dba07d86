"""What is fuzzed: each target takes any bytes and raises only what it promises to raise of them."""

from __future__ import annotations

import random
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from fleetpush.deploy.member import Member
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.reporting import Chronicle
from fleetpush.deploy.sessions.session import Session
from fleetpush.errors import FleetpushError, InputError, ManifestError, RemoteProtocolError
from fleetpush.inventory.load.ini import read_ini
from fleetpush.inventory.load.listing import read_listing
from fleetpush.inventory.load.source import Source
from fleetpush.inventory.load.tree import read_tree
from fleetpush.inventory.model import Inventory
from fleetpush.playbook.load import load_playbook
from fleetpush.remote import bootstrap
from fleetpush.swarm import bitfield, events, wire
from fleetpush.swarm.manifest import BLOCK, DIGEST, File, Manifest
from fleetpush.swarm.peer import Peer
from fleetpush.swarm.picker import Rarest
from fleetpush.swarm.rumour import Cells, unpacked
from tests.benchmarks.fuzz.commands import command_seeds, commands

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNKS = 12
MANIFEST = Manifest([File("f", CHUNKS * 2 * BLOCK)], 2 * BLOCK, [bytes(DIGEST)] * CHUNKS)
RUN = bytes(16)
CELLS = Cells(CHUNKS)


def _greetings() -> bytes:
    hello = wire.Hello(wire.VERSION, RUN, MANIFEST.digest)
    some = wire.Bitfield(bitfield.to_bytes(0b111, CHUNKS))
    return wire.encode(hello) + wire.encode(some)


GREETINGS = _greetings()


def decoder(data: bytes) -> None:
    """The wire's decoder alone, and rumours: many more inputs than with a peer behind it."""
    cut = data[0] if data else 0
    with suppress(RemoteProtocolError):
        inside = wire.Decoder()
        frames = inside.feed(memoryview(data)[1:cut]) + inside.feed(memoryview(data)[max(1, cut) :])
        for frame in frames:
            if isinstance(frame, wire.Gossip):
                unpacked(frame.payload, CELLS)


def wire_frames(data: bytes) -> None:
    """A neighbour that says hello and then ``data``, in pieces; the peer's state stays sound."""
    blocks = [2 if chunk < 6 else 0 for chunk in range(CHUNKS)]
    peer = Peer(
        MANIFEST, RUN, Rarest(), random.Random(1), have=0b111111, progress=blocks.__getitem__
    )
    for name in ("good", "bad"):
        peer.handle(events.LinkUp(name, events.Edge()), 0.0)
    decoder = wire.Decoder()
    step = 1 + (data[0] if data else 0) * 3
    said = GREETINGS + data[1:]
    now = 0.0
    with suppress(RemoteProtocolError):
        for at in range(0, len(said), step):
            for frame in decoder.feed(memoryview(said)[at : at + step]):
                now += 0.01
                _hear(peer, frame, now, blocks)
    peer.handle(events.TimerFired(), now + 1.0)
    peer.check_invariants()


def _hear(peer: Peer, frame: wire.Frame, now: float, blocks: list[int]) -> None:
    """As the node does: content past the core, the rest to it."""
    if isinstance(frame, wire.Gossip):
        unpacked(frame.payload, CELLS)
    elif isinstance(frame, wire.Data):
        if peer.expects("bad", frame.chunk):
            blocks[frame.chunk] += 1
            whole = blocks[frame.chunk] == 2
            peer.handle(events.BlockStored("bad", frame.chunk, whole), now)
    elif isinstance(frame, wire.Leaves):
        peer.expects("bad", frame.chunk)
    else:
        effects = peer.handle(events.FrameReceived("bad", frame), now)
        if any(isinstance(effect, events.DropPeer) for effect in effects):
            peer.handle(events.LinkDown("bad"), now)
            raise RemoteProtocolError("it was dropped")


class _Nobody:
    def handle(self, event: object) -> None:
        """Nobody watches."""


class _Process:
    def write(self, data: bytes) -> None:
        """Nobody reads."""

    def kill(self) -> None:
        """Nothing to end."""

    write_eof = kill


OPTIONS = DeployOptions(sources=("x",), inventories=("y",))
CONVERSATION = (
    b'{"is":"hello","address":"127.0.0.1","inside":"127.0.0.1","port":1,"caller":""}\n',
    b'{"is":"ready","have":"0000","present":false}\n',
)


def control_channel(data: bytes) -> None:
    """An agent of one exchange that says ``data``: whatever it is, that host's failure is all there is."""
    chronicle = Chronicle(OPTIONS, _Nobody(), "run")

    def changed(member: Member, kind: str, message: dict[str, Any]) -> None:
        chronicle.heard(member, kind, message)
        if kind == "ready":
            try:
                member.take_ready(message, MANIFEST)
            except (KeyError, ValueError):
                member.channel_broken("a bitfield that does not fit")
        elif kind == "verified":
            member.prove(message, MANIFEST.digest.hex(), 1.0)

    member = Member("0", "host", "", changed)
    chronicle.started([member])
    channel: Any = member.channel
    channel.attach(_Process(), b"")
    channel.stdout(f"\n{channel.marker}\n".encode())
    for greeting in CONVERSATION[: data[0] % 3 if data else 0]:
        channel.stdout(greeting)
    middle = len(data) // 2
    channel.stdout(data[1:middle])
    channel.stdout(data[middle:] + b"\n")
    channel.ended(None, "over")
    member.result()


TARGET: Any = None
"""A session looks at it only to begin or to end."""

TASKS = ("command", "wait_for", "clean", "compare", "roll_back", "undo", "measure", "sum")


def session_channel(data: bytes) -> None:
    """An agent that stays, of which a task was asked."""

    class Asked:
        """In the place of a future: there is no event loop."""

        def __init__(self) -> None:
            self.answered = False

        def done(self) -> bool:
            return self.answered

        def set_result(self, value: object) -> None:
            self.answered = True

        set_exception = set_result

    clock = type("Clock", (), {"time": lambda self: 0.0})
    with patch("asyncio.get_running_loop", clock):
        session = Session("host", TARGET, bootstrap.AGENT)
        session._asked = {1: (TASKS[data[0] % len(TASKS)] if data else "command", Asked())}
        channel = session._channel
        channel.attach(_Process(), b"")
        channel.stdout(f"\n{channel.marker}\n".encode())
        channel.stdout(data[1:] + b"\n")


def manifest(data: bytes) -> None:
    """What decodes encodes to the same bytes."""
    with suppress(ManifestError):
        assert Manifest.decode(data).encode() == data


READERS = (
    ("ini", read_ini),
    ("tree", read_tree),
    ("listing", read_listing),
)


def inventory(data: bytes) -> None:
    """Any file as each kind of inventory; no script is run."""
    if not data:
        return
    kind, read = READERS[data[0] % len(READERS)]
    found = Inventory(cwd=Path("/nonexistent"), extra_vars={})
    with suppress(InputError):
        read(Source(kind, "hosts", "/nonexistent/hosts", data[1:].decode(errors="replace")), found)  # type: ignore[arg-type]  # of its kinds
        found.settle()
        found.select("all", None)


_folder = tempfile.TemporaryDirectory(
    dir="/dev/shm" if Path("/dev/shm").is_dir() else None, prefix="fleetpush-fuzz-"
)


def playbook(data: bytes) -> None:
    """Any file as a playbook."""
    place = Path(_folder.name)
    (place / "play.yaml").write_bytes(data)
    with suppress(FleetpushError):
        load_playbook("play.yaml", cwd=place)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "decoder": decoder,
    "wire": wire_frames,
    "control": control_channel,
    "session": session_channel,
    "commands": commands,
    "manifest": manifest,
    "inventory": inventory,
    "playbook": playbook,
}


def seeds(name: str) -> list[bytes]:
    """What to begin with: whole and right, so that what is changed in it gets far."""
    if name in ("decoder", "wire"):
        frames = [
            *(wire.Have((1, 2, 7)), wire.Offer(7, 2, ((8, 1),), 2), wire.Accept(1, 0, 0)),
            *(wire.Want(2, 1, 0), wire.Decline(3, 1), wire.Credit(), wire.Cancel(1), wire.Stop(7)),
            *(wire.Ask(4), wire.Leaves(7, bytes(64)), wire.Lane(bytes(16)), wire.Gossip(b"\0")),
        ]
        each = [b"\xff" + wire.encode(frame) for frame in frames]
        block = wire.data_head(7, 0, 9) + bytes(9)
        return [*each, b"\xff" + b"".join(map(wire.encode, frames[:8])) + block]
    if name == "control":
        lines = [
            *CONVERSATION,
            b'{"is":"progress","done":1,"in":2,"out":3,"content_in":4,"content_out":5,"links":6,'
            b'"cross":7,"reused":8,"spent":[9,4,3,2]}\n',
            b'{"is":"kept","files":[[1,2,3,4,5]]}\n{"is":"activated","changed":true}\n',
            b'{"is":"verified","digest":"%s","by":"full"}\n' % MANIFEST.digest.hex().encode(),
            b'{"is":"failed","slug":"x","message":"y"}\n{"is":"note","message":"z"}\n',
            b'{"is":"dropped","peer":"1","reason":"r"}\n{"is":"edge_failed","peer":"1"}\n',
        ]
        return [b"\2" + line for line in lines] + [b"\2" + b"".join(lines)]
    if name == "session":
        said = b'{"is":"result","task":1,"result":{"rc":0,"stdout":"","stderr":"","skipped":false,'
        failed = b'\0{"is":"result","task":1,"failed":{"slug":"a","message":"b"}}'
        clean = b'\2{"is":"result","task":1,"result":{"removed":["a"],"busy":[],"bytes":1}}'
        return [b"\0" + said + b'"seconds":0.1}}', failed, clean, b'\0{"is":"up"}']
    if name == "commands":
        return command_seeds()
    if name == "manifest":
        return [MANIFEST.encode()]
    folder = {"inventory": "inventories", "playbook": "playbooks"}[name]
    files = [path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.is_file()]
    if name == "playbook":
        return files
    listing = b'{"web":{"hosts":["a","b"],"vars":{"x":1}},"_meta":{"hostvars":{"a":{"y":2}}}}'
    ini = b"[web]\nn[1:3] ansible_host=1.2.3.4\n[web:vars]\na=1\n[all:children]\nweb\n"
    return [*(b"\1" + file for file in files), b"\2" + listing, b"\0" + ini]
