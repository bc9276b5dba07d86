"""The control channel from the command to an agent: whatever is said, the agent fails by a sentence and ends.

The agent is real, to where it would touch the machine: nothing is read, written, run, bound or dialled here.
"""

from __future__ import annotations

import heapq
import io
import json
from contextlib import ExitStack
from itertools import count, pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from fleetpush.agent import main, tasks
from fleetpush.agent.control import Control, Lines
from fleetpush.agent.store import HostStore
from fleetpush.net.loop import Timer
from fleetpush.swarm.manifest import BLOCK, DIGEST, File, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNKS = 12
MANIFEST = Manifest([File("f", CHUNKS * 2 * BLOCK)], 2 * BLOCK, [bytes(DIGEST)] * CHUNKS)

CONFIG: dict[str, Any] = {
    **{"stays": False, "marker": "m", "role": "host", "me": "0", "run": "ab" * 16, "version": "1"},
    **{"ca": "", "cert": "", "key": "", "encrypt": True, "verify_full": False, "activate": "each"},
    **{"ssh": False, "address": "127.0.0.1", "ports": [0, 0], "dest": "/nonexistent/", "paths": []},
    **{"release": None, "known": {}, "reuse": None, "up_limit": None, "down_limit": None},
    **{"grace": 0.0, "mode": None, "owner": None, "group": None, "notes": True, "delete": None},
    **{"report_every": 1.0, "gossip": {"origin": "origin", "peers": 3}, "seat": [0, 0, 1]},
    "shape": {"slots": 2, "credit": 3, "bundle": 1, "frugal_origin": True, "push": False},
}
PUSH = {"do": "push", "config": CONFIG, "manifest": MANIFEST.encode().hex()}

_EDGE = {"send": [0], "stripes": 1, "local": True, "imports": False, "peer": "1", "dial": True,
         "route": [[0], [1], 2]}  # fmt: skip
_CONTACT = {"peer": "2", "address": "127.0.0.1:7", "dial": True, "through": ""}
_COMMAND = {"argv": ["true"]}
MESSAGES: tuple[dict[str, Any], ...] = (
    {"do": "beat"},
    {"do": "edges", "edges": [{**_EDGE, "address": ["127.0.0.1", 7]}]},
    {"do": "contacts", "contacts": [_CONTACT]},
    {"do": "held", "mask": "ff0f"},
    {"do": "inherit", "mask": "0100"},
    {"do": "own", "asked": 1},
    {"do": "limit", "up": 1e6},
    {"do": "activate"},
    {"do": "settle"},
    {"do": "part", "peers": ["1"]},
    {"do": "task", "task": 1, "what": "command", "arguments": _COMMAND},
    {"do": "leave"},
    {"do": "quit"},
)

TURNS = 20_000
"""Beyond so many an agent spins: no conversation here needs a tenth."""

ENOUGH = 2.0
"""Seconds after which the agent is told to quit."""


class Turns:
    """In the place of the loop: virtual time, and an end to it."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.pauses: list[Callable[[], float]] = []
        self._at, self._timers, self._soon = 0.0, [], []  # type: ignore[var-annotated]  # lists
        self._running = False
        self._left = TURNS
        self._order = count()

    def now(self) -> float:
        return self._at

    def call_soon(self, call: Callable[[], None]) -> None:
        self._soon.append(call)

    def call_at(self, at: float, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        if not at < float("inf"):
            raise OverflowError("timeout is too large")  # as epoll has it
        heapq.heappush(self._timers, (at, next(self._order), timer))
        return timer

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        return self.call_at(self._at + delay, call)

    def stop(self) -> None:
        self._running = False

    def run(self) -> None:
        self._running = True
        while self._running:
            self._left -= 1
            assert self._left, "it spins"
            if self._soon:
                self._soon.pop(0)()
                continue
            assert self._timers, "it hangs"
            at, _, timer = heapq.heappop(self._timers)
            self._at = max(self._at, at)
            if timer.call is not None:
                timer.call()


class Mouth:
    """In the place of the control channel."""

    def __init__(self) -> None:
        self.grace = 0.0
        self.said: list[dict[str, Any]] = []

    def mark(self, marker: str) -> None:
        marker.encode()

    def say(self, message: dict[str, Any], *, waits: bool = False) -> None:
        self.said.append(json.loads(json.dumps(message)))

    def hurry(self) -> None:
        """Nothing was kept waiting."""

    def count(self, kind: str) -> int:
        return sum(message["is"] == kind for message in self.said)


class NoStore(HostStore):
    """A store that has half of the content, and no disk."""

    have, present, reused, staged, proof = 0b111111, False, 0, True, "chunks"  # type: ignore[assignment]  # no properties here

    def __init__(self) -> None:
        """Nothing is looked at."""

    def progress(self, chunk: int) -> int:
        return 2 if chunk < 6 else 0

    def sifts(self, chunk: int) -> bool:
        return False

    def skips(self, chunk: int) -> int:
        return 0


_RESULTS = {"_open": NoStore(), "_switch": (True, ["a"]), "_settle": [[1, 2, 3, 4, 5]]}


class NoWorker:
    """Nothing that waits on the disk is done; it all went well."""

    idle = True

    def __init__(self, call_soon: Callable[[Callable[[], None]], None]) -> None:
        self._call_soon = call_soon

    def do(self, job: Any, done: Any, failed: Any) -> None:
        self._call_soon(lambda: done(_RESULTS.get(job.__name__)))

    def end(self) -> None:
        """There is no thread."""


class AtOnce:
    """In the place of a thread."""

    def __init__(self, *, target: Any, args: Any, name: str, daemon: bool) -> None:
        self._run = lambda: target(*args)

    def start(self) -> None:
        self._run()

    def is_alive(self) -> bool:
        return False

    def join(self, within: float) -> None:
        """It is over."""


class Event:
    """Nobody waits for it."""

    def set(self) -> None:
        """Nor for this."""


_OUTSIDE = {
    "fleetpush.agent.exchange.listen": lambda node, config: ("127.0.0.1", "127.0.0.1", 1),
    "fleetpush.agent.exchange.Contexts": lambda *papers: None,
    "fleetpush.agent.exchange.Worker": NoWorker,
    "fleetpush.net.edges.Edges._connecting": lambda self, address: "nobody is there",
    "fleetpush.agent.tasks.threading": SimpleNamespace(Thread=AtOnce, Event=Event),
    "fleetpush.agent.tasks.JOBS": dict.fromkeys(tasks.JOBS, lambda arguments, stop: {}),
    "fleetpush.agent.cores.forbid": lambda: None,
    "fleetpush.agent.main._collect": lambda: None,
}


def commands(data: bytes) -> None:
    """An agent that is told ``data``, by which its first byte says what it is and when it comes."""
    kind, said = data[0] % 4 if data else 0, data[1:]
    if kind == 3:
        _beginnings(said)
    elif kind == 2:
        changes = _object_in(said)
        live({**CONFIG, **changes}, _lines(*MESSAGES))
    else:
        live({**CONFIG, "stays": bool(kind)}, said)


def live(config: dict[str, Any], said: bytes) -> Mouth:
    """An agent's life, so configured, in which the command says ``said`` and then waits."""
    stderr = io.StringIO()
    loop, mouth = Turns(), Mouth()
    with ExitStack() as stack:
        for name, value in _OUTSIDE.items():
            stack.enter_context(patch(name, value))
        stack.enter_context(patch("sys.stderr", stderr))
        agent = main.Agent(loop, mouth, config)  # type: ignore[arg-type]  # in their places
        loop.call_soon(lambda: agent.begin(MANIFEST.encode()))
        _hear(loop, agent, said)
        loop.call_at(ENOUGH, lambda: agent.hear({"do": "quit"}))
        status = main.run(loop, agent)  # type: ignore[arg-type]  # as above
    _check(mouth, status, stderr.getvalue())
    return mouth


def _hear(loop: Turns, agent: main.Agent, said: bytes) -> None:
    """Some at once, some when the exchange is under way."""
    lines, cuts = Lines(), (0, len(said) // 2, len(said) * 3 // 4, len(said))

    def part(data: bytes) -> None:
        try:
            for message in lines.feed(data):
                loop.call_soon(lambda message=message: agent.hear(message))  # type: ignore[misc]  # bound now
        except ValueError as error:
            loop.call_soon(lambda reason=str(error): agent.lost_contact(reason, True))  # type: ignore[misc]  # bound now

    for number, (start, end) in enumerate(pairwise(cuts)):
        loop.call_at(0.5 * number, lambda data=said[start:end]: part(data))  # type: ignore[misc]  # bound now


def _check(mouth: Mouth, status: int, words: str) -> None:
    """It ended, once, and said why where something was wrong."""
    exchanges = mouth.count("bye")
    assert mouth.count("failed") <= max(exchanges, 1)
    assert status in (0, 1)
    assert bool(words) == bool(status)
    assert "Traceback" not in words
    if status:
        assert exchanges, "it could not even leave"
    if mouth.count("hello"):
        assert mouth.said[-1]["is"] in ("bye", "result")


def _beginnings(data: bytes) -> None:
    """What comes behind the archive."""
    channel = object.__new__(Control)
    rest = io.BytesIO(data)
    channel._read = lambda most: rest.read(most) or "the connection ended"  # type: ignore[method-assign]  # no pipe
    try:
        config, manifest = channel.told()
    except (EOFError, ValueError):
        return
    assert isinstance(config, dict)
    assert isinstance(manifest, bytes)


def _object_in(said: bytes) -> dict[str, Any]:
    try:
        found = next(Lines().feed(said + b"\n"))
    except ValueError:
        return {}
    # An agent that stays has no such configuration.
    return {**found, "stays": False}


def _lines(*messages: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def command_seeds() -> list[bytes]:
    """Whole conversations, each message by itself, configurations and beginnings."""
    packed, manifest = json.dumps(CONFIG).encode(), MANIFEST.encode()
    lengths = len(packed).to_bytes(4, "big") + len(manifest).to_bytes(4, "big")
    return [
        b"\0" + _lines(*MESSAGES),
        b"\1" + _lines(PUSH, *MESSAGES),
        *(b"\0" + _lines(message) for message in MESSAGES),
        *(b"\1" + _lines(PUSH, message) for message in MESSAGES),
        *(b"\2" + json.dumps({name: value}).encode() for name, value in CONFIG.items()),
        b"\3" + lengths + packed + manifest,
    ]
