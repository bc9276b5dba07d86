"""One agent of the run, the origin's or a host's: its channel, what it last said, how it ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.channel import AgentChannel, no_sense
from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.results import HostResult, HostStatus
from fleetpush.deploy.said import (
    KINDS,
    address_in,
    count_in,
    note_of,
    port_in,
    sentence_in,
    spent_in,
    text_in,
)
from fleetpush.deploy.variables import DeclaredRates
from fleetpush.errors import HostFailure
from fleetpush.remote.become import failure_of
from fleetpush.remote.bootstrap import CUT_OFF, NO_PYTHON, OLD_PYTHON
from fleetpush.remote.connection import ENDED_BY_SIGNAL
from fleetpush.swarm import bitfield

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.deploy.channel import Channel
    from fleetpush.deploy.said import Spent
    from fleetpush.remote.connection import Connection
    from fleetpush.swarm.manifest import Manifest

PROOFS = ("full", "chunks", "known")
"""How a host can have proved its content (``agent.proof``)."""

ORIGIN = "origin"
"""The peer id of this machine's origin, and how those of hosts that sources are on begin; the hosts that get
the content are numbered."""


class Figures:
    """What a progress message says: bytes of content had, and bytes on the peer links."""

    __slots__ = (
        "content_in",
        "content_out",
        "cross",
        "done",
        "links",
        "received",
        "reused",
        "sent",
        "spent",
    )

    def __init__(self) -> None:
        self.done = self.received = self.sent = self.content_in = self.content_out = 0
        self.links = self.cross = self.reused = 0
        self.spent: Spent | None = None
        """Until it had everything; an origin's until it left."""

    def take(self, message: dict[str, Any]) -> None:
        """Raises ValueError for anything but counts."""
        if "spent" in message and self.spent is None:
            self.spent = spent_in(message)
        self.done = count_in(message, "done")
        self.received = count_in(message, "in")
        self.sent = count_in(message, "out")
        self.content_in = count_in(message, "content_in")
        self.content_out = count_in(message, "content_out")
        self.links = count_in(message, "links")
        self.cross = count_in(message, "cross")
        self.reused = count_in(message, "reused")


class Member:
    """Owned by the run. ``changed`` is called with the message's kind after each one was taken in."""

    def __init__(
        self,
        peer: str,
        name: str,
        rack: str,
        changed: Callable[[Member, str, dict[str, Any]], None],
    ) -> None:
        self.peer = peer
        self.name = name
        self.rack = rack
        self.phase = HostPhase.WAITING
        self.channel: Channel = AgentChannel(self)
        self.connection: Connection | None = None
        self.figures = Figures()
        self.address: tuple[str, int] | None = None
        """Where its peers reach it."""
        self.inside: tuple[str, int] | None = None
        """Where its own sshd does."""
        self.caller = ""
        """Our address as it sees it."""
        self.over_ssh = ""
        """Why its link to the origin runs through its SSH connection; "" if it does not."""
        self.becomes = False
        """Its agent runs as another user than the one who logged in."""
        self.dest = ""
        self.rates = DeclaredRates()
        self.have = 0
        self.reused = 0
        self.present = False
        self.activated = False
        self.changed = False
        """Its destination is another than before."""
        self.waits = False
        """It could switch, and waits until it may."""
        self.digest: str | None = None
        self.verified_by = ""
        """How it proved that."""
        self.kept: tuple[tuple[int, ...], ...] = ()
        """What each of its files is known again by, once they are active."""
        self.connected_at: float | None = None
        self.ready_at: float | None = None
        self.verified_at: float | None = None
        self.heard_at = 0.0
        self.moved_at = 0.0
        """When it last got anywhere."""
        self._ready = False
        """It said what it holds: it takes part."""
        self.greeted = asyncio.Event()
        """Its agent said hello, or will never."""
        self.gone = asyncio.Event()
        """Its process and channel are no more (or never were)."""
        self.failure: HostFailure | None = None
        self.dismissed: HostFailure | None = None
        """Why the run sends it away before it is done: its failure, unless it settles on its way out."""
        self.settled = asyncio.Event()
        """Verified and, where wanted, activated; or failed."""
        self._changed = changed

    @property
    def is_origin(self) -> bool:
        return self.peer.startswith(ORIGIN)

    def enter(self, phase: HostPhase) -> None:
        self.phase = phase
        self._changed(self, "phase", {})

    def connected(self) -> None:
        self._changed(self, "connected", {})

    def fail(self, failure: HostFailure) -> None:
        """The first failure stands; what was verified before stays verified unless it had to activate."""
        if not self.settled.is_set():
            self.failure = failure
            self.settled.set()
            self._changed(self, "failure", {})

    def prove(self, message: dict[str, Any], digest: str, at: float) -> bool:
        """Takes in its word that it holds the content ``digest``; whether that was its word."""
        how = message.get("by")
        if self.is_origin or message.get("digest") != digest or how not in PROOFS:
            self.channel_broken("proof of some other content")
            return False
        if self.digest is not None:  # two of one host would pass for two hosts
            self.channel_broken("a second proof")
            return False
        self.digest, self.verified_by, self.verified_at = digest, how, at
        return True

    def succeed(self) -> None:
        if not self.settled.is_set():
            self.settled.set()
            self._changed(self, "success", {})

    def result(self) -> HostResult:
        """How it ended; a host that never settled counts as failed."""
        failure = self.failure
        if failure is None and not self.settled.is_set():
            failure = self.dismissed or HostFailure(
                "interrupted", "the run ended before this host was done"
            )
        if failure is not None:
            status = HostStatus.UNREACHABLE if failure.unreachable else HostStatus.FAILED
        else:
            status = HostStatus.ALREADY_PRESENT if self.present else HostStatus.VERIFIED
        return HostResult(
            host=self.name,
            status=status,
            dest=self.dest,
            slug=failure.slug if failure else "",
            message=failure.message if failure else "",
            chunks_reused=self.reused,
            bytes_reused=self.figures.reused,
            bytes_received=self.figures.received,
            bytes_sent=self.figures.sent,
            connected_at_s=self.connected_at,
            verified_at_s=self.verified_at,
            activated=self.activated,
            changed=self.changed,
            digest=self.digest,
            verified_by=self.verified_by,
            kept=self.kept,
            over_ssh=self.over_ssh,
        )

    # -- the channel reports (Listener)

    def heard(self, message: dict[str, Any]) -> None:
        try:
            self._take(message)
        except (KeyError, TypeError, ValueError) as error:
            self.channel_broken(no_sense(message["is"], error))
            return
        self._changed(self, message["is"], message)

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["is"]
        if kind not in KINDS:
            raise ValueError("there is none of that kind")
        if kind in ("verified", "activated", "complete") and not self._ready:
            raise ValueError("before it was ready")
        match kind:
            case "progress":
                self.figures.take(message)
            case "hello":
                self._greeted(message)
            case "ready":
                self._readied(message)
            case "kept":
                self._keep(message)
            case "note":
                self._noted(message)
            case "dropped":
                self._dropped(message)
            case "failed":
                self._failed(message)
            case _:
                pass  # what it says is all of it

    def _greeted(self, message: dict[str, Any]) -> None:
        if self.address is not None:
            raise ValueError("a second time")
        port = port_in(message, "port")
        address, inside = address_in(message, "address"), address_in(message, "inside")
        self.caller = sentence_in(message, "caller", 255)
        self.address, self.inside = (address, port), (inside, port)
        self.greeted.set()

    def _readied(self, message: dict[str, Any]) -> None:
        # Each joins the swarm anew, and its neighbours would be told of it over and over.
        if self.address is None or self._ready:
            raise ValueError("out of turn")
        self._ready = True

    def _keep(self, message: dict[str, Any]) -> None:
        self.kept = tuple(map(note_of, message["files"]))

    def _noted(self, message: dict[str, Any]) -> None:
        message["message"] = sentence_in(message, "message")

    def _dropped(self, message: dict[str, Any]) -> None:
        message["peer"] = sentence_in(message, "peer", 40)
        message["reason"] = sentence_in(message, "reason", 300)

    def _failed(self, message: dict[str, Any]) -> None:
        slug, text = sentence_in(message, "slug", 40), sentence_in(message, "message")
        self.fail(HostFailure(slug, text))

    def take_ready(self, message: dict[str, Any], manifest: Manifest) -> None:
        """Raises ValueError for a bitfield that does not fit."""
        self.have = bitfield.from_bytes(bytes.fromhex(text_in(message, "have")), manifest.chunks)
        self.reused = bitfield.count(self.have)
        self.present = bool(message.get("present"))

    def channel_broken(self, reason: str) -> None:
        self.fail(HostFailure("bad_agent", f"its agent sent {reason}; it was cut off"))
        self.channel.kill()

    def channel_ended(self, status: int | None, reason: str) -> None:
        self.gone.set()
        self.greeted.set()
        if not self.settled.is_set():
            self.fail(self.dismissed or self._why_ended(status, reason))
        self._changed(self, "gone", {})

    def _why_ended(self, status: int | None, reason: str) -> HostFailure:
        said = self.channel.stderr_tail.decode(errors="replace").strip()
        last = said.splitlines()[-1][:300] if said else ""
        if self.address is None:
            return why_not_begun(status, reason, said, last, becomes=self.becomes)
        if status is None:
            return HostFailure(
                "agent_lost", f"its agent is gone: {reason or 'the connection broke'}"
            )
        return HostFailure(
            "agent_lost", f"its agent ended unexpectedly (exit {status}): {last or reason}"
        )


def why_not_begun(
    status: int | None, reason: str, said: str, last: str, *, becomes: bool
) -> HostFailure:
    """Why no agent came up; ``said`` on stderr, ``last`` in its last line. ``becomes``: as another user."""
    if status == NO_PYTHON:
        return HostFailure(
            "no_python",
            "no Python found on it: install python3, or set ansible_python_interpreter",
        )
    # A Python 2 knows no -I and never gets to look at its version.
    if status == OLD_PYTHON or (status == 2 and "unknown option: -i" in said.lower()):
        what = last if status == OLD_PYTHON else "its Python is a Python 2"
        return HostFailure(
            "old_python", f"{what or 'its Python is too old'}: 3.9 or newer is needed "
            "(set ansible_python_interpreter if there is one)"
        )  # fmt: skip
    refused = failure_of(said) if becomes and status is not None else None
    if refused is not None:
        return refused
    if status is None and reason.startswith(ENDED_BY_SIGNAL):
        return HostFailure("bootstrap_failed", f"the agent did not start: {reason} {last}".strip())
    if status in (None, CUT_OFF):
        return HostFailure("connection_lost", reason or "the connection broke", unreachable=True)
    return HostFailure(
        "bootstrap_failed", f"the agent did not start (exit {status}): {last or reason}"
    )
