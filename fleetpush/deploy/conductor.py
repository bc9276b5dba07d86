"""The driver of the tracker's core in the CLI process: agents' words in, introductions out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleetpush.deploy.member import ORIGIN
from fleetpush.deploy.relay import WHY, Relays, no_peer_link
from fleetpush.deploy.said import paces_in
from fleetpush.swarm import bitfield, tracker
from fleetpush.swarm.tracking import SETTLED_AFTER

if TYPE_CHECKING:
    import asyncio

    from fleetpush.deploy.member import Member
    from fleetpush.swarm.events import Edge
    from fleetpush.swarm.manifest import Manifest
    from fleetpush.swarm.plan import Plan
    from fleetpush.swarm.plan.shares import Shares


class Conductor:
    """``members`` by peer id, filled as hosts become ready. ``shares``: the origins, where they are hosts."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        manifest: Manifest,
        plan: Plan,
        shares: Shares | None = None,
    ) -> None:
        self._shares = shares
        self.members: dict[str, Member] = {}
        self._loop = loop
        self._manifest = manifest
        origin = ORIGIN if shares is None else shares.origins[0]
        self._tracker = tracker.Tracker(plan, origin, shares, relays=shares is None)
        self._edges: dict[str, dict[str, dict[str, Any]]] = {}
        self._parts: dict[str, list[str]] = {}
        self._flushing = False
        self._settling: asyncio.TimerHandle | None = None
        self._relays = Relays(self._introduce_relay, self._relay_failed)
        self._relayed: dict[str, Edge] = {}
        """The origin's edges that run through SSH, as they should be now."""

    def join(self, member: Member) -> None:
        """``member`` is ready to trade."""
        self.members[member.peer] = member
        self._handle(tracker.Joined(member.peer, member.rack, member.have))
        if self._settling is not None:
            self._settling.cancel()
        self._settling = self._loop.call_later(SETTLED_AFTER, self._handle, tracker.Settled())

    def leave(self, member: Member) -> None:
        known = self.members.pop(member.peer, None) is not None
        if known:
            self._relays.close(member.peer)
            self._relayed.pop(member.peer, None)
        if known or member.is_origin:
            self._handle(tracker.Left(member.peer))

    def finished(self, member: Member) -> None:
        """``member`` is done; it may be told to leave if nobody needs it."""
        self._handle(tracker.Finished(member.peer))

    def links(self, member: Member) -> None:
        self._handle(tracker.LinksCounted(member.peer, member.figures.links))

    def dial_failed(self, member: Member, other: str) -> None:
        self._handle(tracker.DialFailed(member.peer, other))

    def fell_behind(self, member: Member, message: dict[str, Any]) -> None:
        """Whom ``member`` has a route to or from does not keep up, as ``tracker.FellBehind`` has it."""
        try:
            paces = paces_in(message)
        except (KeyError, ValueError) as error:
            member.channel_broken(f"no word of who is slow ({error})")
            return
        self._handle(tracker.FellBehind(member.peer, paces, bool(message.get("all"))))

    def tick(self) -> None:
        """Wanted about once a second."""
        self._handle(tracker.Tick())

    async def close(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
        await self._relays.close_all()

    def _handle(self, event: tracker.Event) -> None:
        for effect in self._tracker.handle(event, self._loop.time()):
            self._perform(effect)

    def _perform(self, effect: tracker.Effect) -> None:
        match effect:
            case tracker.Introduce(peer, other, edge, dial):
                self._introduce(peer, other, edge, dial=dial)
            case tracker.Part(peer, other):
                # What was to be said of this edge in the same turn is no longer so.
                self._edges.get(peer, {}).pop(other, None)
                self._parts.setdefault(peer, []).append(other)
                self._flush_soon()
            case tracker.TellHeld(mask):
                for origin in [m.peer for m in self.members.values() if m.is_origin]:
                    self._say_chunks(origin, "held", mask)
            case tracker.HandOver(peer, mask):
                self._say_chunks(peer, "inherit", mask)
            case tracker.Relay(peer, edge):
                self._relay(peer, edge)
            case tracker.Release(peer):
                self._release(peer)
            case tracker.Isolated(peer, reason):
                self._isolated(peer, reason)

    def _release(self, peer: str) -> None:
        member = self.members.pop(peer, None)
        if member is not None:
            self._relays.close(peer)
            member.channel.say({"do": "leave"})

    def _say_chunks(self, peer: str, what: str, mask: int) -> None:
        if peer in self.members:
            packed = bitfield.to_bytes(mask, self._manifest.chunks).hex()
            self.members[peer].channel.say({"do": what, "mask": packed})

    def _address(self, peer: str, other: str) -> tuple[str, int] | None:
        """Where ``peer`` reaches ``other``."""
        if peer not in self.members or other not in self.members:
            return None
        address = self.members[other].address
        if other == ORIGIN and address is not None and self.members[peer].caller:
            return self.members[peer].caller, address[1]
        return address

    def _introduce(self, peer: str, other: str, edge: Edge, *, dial: bool) -> None:
        if peer == ORIGIN and other in self._relayed:
            self._relayed[other] = edge
            self._introduce_relay(other, dial=dial)
        else:
            self._announce(peer, other, edge, self._address(peer, other), dial=dial)

    def _announce(
        self, peer: str, other: str, edge: Edge, address: tuple[str, int] | None, *, dial: bool
    ) -> None:
        self._edges.setdefault(peer, {})[other] = {
            "peer": other,
            "send": edge.send,
            "stripes": edge.stripes,
            "local": edge.local,
            "imports": edge.imports,
            "route": (edge.route.down, edge.route.up, edge.route.trees),
            "address": address,
            "dial": dial,
        }
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Partings first: an edge may be gone and come back in one turn."""
        self._flushing = False
        parts, self._parts = self._parts, {}
        edges, self._edges = self._edges, {}
        for peer, others in parts.items():
            if peer in self.members:
                self.members[peer].channel.say({"do": "part", "peers": others})
        for peer, announced in edges.items():
            if peer in self.members:
                self.members[peer].channel.say({"do": "edges", "edges": list(announced.values())})

    def _relay(self, peer: str, edge: Edge) -> None:
        member = self.members.get(peer)
        if member is None or member.connection is None or member.inside is None:
            self._relay_failed(peer, "it has no connection")
            return
        self._relayed[peer] = edge
        self._relays.open(peer, member.connection, member.inside)

    def _introduce_relay(self, peer: str, *, dial: bool = True) -> None:
        """Once it stands; before that the origin has nothing to dial."""
        port = self._relays.port(peer)
        if port is not None and ORIGIN in self.members and peer in self.members:
            self.members[peer].over_ssh = WHY
            self._announce(ORIGIN, peer, self._relayed[peer], ("127.0.0.1", port), dial=dial)

    def _relay_failed(self, peer: str, reason: str) -> None:
        if peer in self.members:
            self._handle(tracker.RelayFailed(peer, reason))

    def _isolated(self, peer: str, reason: str) -> None:
        member = self.members.get(peer)
        if member is not None:
            member.fail(no_peer_link(member, reason, forwards=self._shares is None))
