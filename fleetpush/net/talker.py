"""The socket driver of gossip: performs what the core asks for on the links of a node."""

from __future__ import annotations

from fleetpush.lean.sockets import socket
from fleetpush.swarm import contact, events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.net.loop import Loop, Timer
    from fleetpush.net.node import Node
    from fleetpush.swarm.gossip import Event, Gossip

EDGE = events.Edge()
"""Everything flows both ways, until the core says otherwise."""


class Talker:
    """Decides whom ``node`` is linked to. All calls come from the loop's thread."""

    def __init__(self, loop: Loop, node: Node, core: Gossip) -> None:
        self._loop = loop
        self._node = node
        self._core = core
        self._asked: set[str] = set()
        """Whom the run told us to dial, while that did not fail."""
        self._timer: Timer | None = loop.call_at(loop.now(), self._tick)

    def admits(self, peer: str) -> bool:
        """Whether a caller that has proved to be ``peer`` is let in."""
        return self._core.admitted(peer)

    def meet(self, peer: str, address: str, *, dial: bool, through: str = "") -> None:
        """The run names a contact."""
        if dial:
            self._asked.add(peer)
        self.feed(contact.Contact(peer, address, dial, through))
        if not dial:
            self._let_in(peer)  # it may have called already

    def unreachable(self, peer: str) -> bool:
        """``peer`` could not be dialled. Whether the run asked for it, and is to know."""
        asked = peer in self._asked
        self._asked.discard(peer)
        self.feed(contact.DialFailed(peer))
        return asked

    def bar(self, peer: str) -> None:
        """``peer`` broke the protocol of the exchange."""
        self.feed(contact.Barred(peer))

    def feed(self, event: Event) -> None:
        """Tells the core what happened and performs what it asks for."""
        if self._timer is None:
            return
        node = self._node
        for effect in self._core.handle(event, self._loop.now()):
            if isinstance(effect, events.Send):
                node.send(effect.peer, effect.frame)
            elif isinstance(effect, contact.Open):
                self._open(effect)
            elif isinstance(effect, contact.Close):
                node.part(effect.peer)
            elif isinstance(effect, contact.Flow):
                node.reflow(effect.peer, effect.edge)
            else:
                node.drop(effect.peer, effect.reason)

    def _open(self, effect: contact.Open) -> None:
        address = place(effect.address)
        if address is None:
            self._loop.call_soon(lambda: self.feed(contact.DialFailed(effect.peer)))
        else:
            self._node.edges.announce(effect.peer, EDGE, address, dial=True)

    def _let_in(self, peer: str) -> None:
        if peer in self._node.edges.waiting and self._core.admitted(peer):
            self._node.edges.announce(peer, EDGE, None, dial=False)

    def _tick(self) -> None:
        if self._timer is not None:
            self.feed(events.TimerFired())
            for peer in list(self._node.edges.waiting):
                self._let_in(peer)  # whom it has heard of meanwhile
            self._timer = self._loop.call_at(self._core.wakeup, self._tick)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def place(address: str) -> tuple[str, int] | None:
    """``address`` as host and port; None for what is no number: a name would be looked up, by hearsay."""
    host, _, port = address.rpartition(":")
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
        number = int(port)
    except (OSError, ValueError):
        return None
    return (host, number) if 0 < number < 1 << 16 else None
