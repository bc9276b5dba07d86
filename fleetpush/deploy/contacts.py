"""What the CLI does where peers find each other by gossip: it hands out contacts, and then only watches.

Unless some are not reached that way: see ``rescue``.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.member import ORIGIN
from fleetpush.deploy.rescue import Rescue
from fleetpush.swarm import bitfield
from fleetpush.swarm.plan.contacts import Contacts

if TYPE_CHECKING:
    import asyncio

    from fleetpush.deploy.member import Member
    from fleetpush.swarm.manifest import Manifest


class ContactList:
    """In the place of a ``Conductor``. ``members`` by peer id, filled as hosts become ready.

    Every host is told where it reaches the origin; the first ones are dialled by it, as it may not be reached
    from outside.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, manifest: Manifest) -> None:
        self.members: dict[str, Member] = {}
        self._loop = loop
        self._manifest = manifest
        self._contacts = Contacts(ORIGIN, random.Random())
        self._rescue = Rescue(self.members, self._name)
        self._for_origin: list[str] = []
        """Whom the origin is to dial, once it is there."""
        self._held = 0
        """What hosts had when they joined."""
        self._said: dict[str, list[dict[str, Any]]] = {}
        self._flushing = False

    def join(self, member: Member) -> None:
        """``member`` is ready to trade."""
        peer = member.peer
        self.members[peer] = member
        if peer == ORIGIN:
            for other in self.members:
                self._place_origin(other)
        else:
            self._held |= member.have
            named = self._contacts.join(peer)
            for other in named:
                if other == ORIGIN:
                    self._for_origin.append(peer)
                else:
                    self._introduce(peer, other)
            self._place_origin(peer)
        origin = self.members.get(ORIGIN)
        if origin is None:
            return
        for other in self._for_origin:
            if other in self.members:
                self._rescue.dialled(other)
                self._name(ORIGIN, other, dial=True)
        self._for_origin = []
        if self._held and (member is origin or member.have):
            held = bitfield.to_bytes(self._held, self._manifest.chunks).hex()
            origin.channel.say({"do": "held", "mask": held})

    def leave(self, member: Member) -> None:
        if self.members.pop(member.peer, None) is not None:
            self._contacts.leave(member.peer)
            self._rescue.leave(member.peer)

    def finished(self, member: Member) -> None:
        """It stays: only peers know who needs it."""

    def links(self, member: Member) -> None:
        """Peers look after their links."""

    def dial_failed(self, member: Member, other: str) -> None:
        """Among themselves, peers choose another."""
        self._rescue.dial_failed(member.peer, other)

    def fell_behind(self, member: Member, message: dict[str, Any]) -> None:
        """Nobody is fed by a route."""

    def tick(self) -> None:
        """Wanted about once a second."""
        self._rescue.tick(self._loop.time())

    async def close(self) -> None:
        await self._rescue.close()

    def _introduce(self, newcomer: str, other: str) -> None:
        if other in self.members:
            self._name(other, newcomer, dial=False)
            self._name(newcomer, other, dial=True)

    def _place_origin(self, peer: str) -> None:
        if peer != ORIGIN and ORIGIN in self.members:
            self._name(peer, ORIGIN, dial=False)

    def _name(self, to: str, other: str, *, dial: bool, through: str = "") -> None:
        """Tells ``to`` of ``other``."""
        if to not in self.members or other not in self.members:
            return
        host, port = self.members[other].address or ("", 0)
        if other == ORIGIN and self.members[to].caller:
            host = self.members[to].caller
        contact = {"peer": other, "address": f"{host}:{port}", "dial": dial, "through": through}
        self._said.setdefault(to, []).append(contact)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        said, self._said = self._said, {}
        for peer, contacts in said.items():
            if peer in self.members:
                self.members[peer].channel.say({"do": "contacts", "contacts": contacts})
