"""Where gossip alone does not reach: hosts that nobody can call, or that are cut off together, get a link to
the origin. It dials them, else they dial it, else the link runs through their SSH connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fleetpush.deploy.member import ORIGIN
from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.relay import WHY, Relays, no_peer_link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleetpush.deploy.member import Member

FED_WITHIN = 10.0
"""Seconds in which some content must have come to a host, else it is linked to the origin."""

AT_ONCE = 4
"""Hosts with links to others that wait for content from the origin: it goes on from them."""

GIVEN_UP_AFTER = 60.0
"""Seconds without content, after which a host with links to others fails that SSH could not help."""

BY_ORIGIN, BY_HOST, BY_SSH = "by_origin", "by_host", "by_ssh"


class Namer(Protocol):
    def __call__(self, to: str, other: str, *, dial: bool, through: str = "") -> None:
        """Tells peer ``to`` of peer ``other``."""


class Rescue:
    """``members`` by peer id, kept by whoever owns this."""

    def __init__(self, members: Mapping[str, Member], name: Namer) -> None:
        self._members = members
        self._name = name
        self._relays = Relays(self._stands, self._refused)
        self._tried: dict[str, str] = {}
        """How each host that was linked to the origin is to be reached, or was last."""
        self._refusals: dict[str, str] = {}
        """Why, of hosts whose links SSH does not carry."""
        self._fed: dict[str, tuple[int, float]] = {}
        """Bytes that came to each host, and when the last of them did."""

    def dialled(self, peer: str) -> None:
        """The origin was told to dial it."""
        self._tried.setdefault(peer, BY_ORIGIN)

    def dial_failed(self, peer: str, other: str) -> None:
        """``peer`` could not reach ``other``, which the run had told it to dial."""
        host = other if peer == ORIGIN else peer
        if ORIGIN not in (peer, other) or host not in self._members:
            return
        tried = self._tried.get(host)
        if peer == ORIGIN and tried == BY_ORIGIN:
            self._tried[host] = BY_HOST
            self._name(host, ORIGIN, dial=True)
        elif peer != ORIGIN and tried == BY_HOST:
            self._relay(self._members[host])
        elif peer == ORIGIN and tried == BY_SSH:
            self._refused(host, "the link through SSH broke")

    def leave(self, peer: str) -> None:
        self._relays.close(peer)
        for books in (self._tried, self._refusals, self._fed):
            books.pop(peer, None)

    def tick(self, now: float) -> None:
        """Wanted about once a second."""
        if ORIGIN not in self._members:
            return
        hungry = [m for m in self._members.values() if self._hungers(m, now)]
        waiting = sum(
            bool(m.figures.links) and m.peer in self._tried and m.peer not in self._refusals
            for m in hungry
        )
        for member in hungry:
            peer, alone = member.peer, not member.figures.links
            if peer in self._refusals:
                if alone or now - self._fed[peer][1] >= GIVEN_UP_AFTER:
                    member.fail(no_peer_link(member, self._refusals[peer]))
            elif peer in self._tried:
                if alone:
                    self._relay(member)
            elif alone or waiting < AT_ONCE:
                waiting += not alone
                self._tried[peer] = BY_ORIGIN
                self._name(ORIGIN, peer, dial=True)

    def _hungers(self, member: Member, now: float) -> bool:
        if member.is_origin or member.phase is not HostPhase.EXCHANGING:
            return False
        came = member.figures.content_in
        known = self._fed.get(member.peer)
        if known is None or known[0] != came:
            self._fed[member.peer] = came, now
            return False
        return now - known[1] >= FED_WITHIN

    def _relay(self, member: Member) -> None:
        if self._tried.get(member.peer) == BY_SSH:
            return
        self._tried[member.peer] = BY_SSH
        if member.connection is None or member.inside is None:
            self._refused(member.peer, "it has no connection")
        else:
            self._relays.open(member.peer, member.connection, member.inside)

    def _stands(self, peer: str) -> None:
        port = self._relays.port(peer)
        if port is not None and peer in self._members:
            self._members[peer].over_ssh = WHY
            self._name(ORIGIN, peer, dial=True, through=f"127.0.0.1:{port}")

    def _refused(self, peer: str, reason: str) -> None:
        if peer in self._members:
            self._members[peer].over_ssh = ""
            self._refusals.setdefault(peer, reason)

    async def close(self) -> None:
        await self._relays.close_all()
