"""The links of one peer: listening, dialling, and who is let in.

A link is accepted only if its certificate is of this run and names a peer on an edge that the tracker
announced, and only while no other link to that peer lives. A certified peer that calls before its edge is
announced waits unread for a moment (the tracker's word to us may be slower than its dial).
"""

from __future__ import annotations

import errno

from fleetpush.lean.sockets import socket
from fleetpush.net.binding import family_of
from fleetpush.net.lanes import Lanes, use
from fleetpush.net.link import Link, errno_text
from fleetpush.net.listener import Listener
from fleetpush.net.session import Session
from fleetpush.net.tls import subject_of
from fleetpush.swarm.events import Edge
from fleetpush.swarm.wire import TOKEN, Data, Leaves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.net.loop import Loop
    from fleetpush.net.session import Sink
    from fleetpush.net.tls import Contexts
    from fleetpush.swarm.picker import Rng
    from fleetpush.swarm.wire import Frame


DIALS = 3
"""Attempts before an edge is reported as unreachable."""

IN_VAIN = 1.5
"""Seconds: after an attempt that took longer there is no other. A firewall's silence will not change, and the
other side or SSH can be tried meanwhile."""

FIRST_RETRY = 0.15
FORGIVEN = 2
"""Times that wrong bytes in clear count as the wire's. TLS would have found out, and broken the link."""

MAX_STRANGERS = 256
"""Connections that have not proved who they are yet."""

MAX_WAITING = 64
WAIT_FOR_EDGE = 5.0


class Edges:
    """``run`` is as the certificates name it; ``clear`` asks for lanes."""

    def __init__(
        self, loop: Loop, tls: Contexts, sink: Sink, *, run: str, rng: Rng, clear: bool
    ) -> None:
        self._loop = loop
        self._tls = tls
        self._run = run
        self._sink = sink
        self._rng = rng
        self._clear = clear
        self._strangers: set[Link] = set()
        self._listener = Listener(loop, rng, clear=clear, room=self._has_room, taken=self._called)
        self.waiting: dict[str, Link] = {}  # callers with no edge yet
        self._lanes = Lanes(self._connecting, self._lane_link)
        self.sessions: dict[str, Session] = {}
        self.past = (0, 0, 0)
        """Bytes received, sent, and sent to other racks, on links that stand no more."""

    # -- what the tracker says

    def announce(
        self, peer: str, edge: Edge, address: tuple[str, int] | None, *, dial: bool
    ) -> Session:
        """A new or changed edge."""
        session = self.sessions.get(peer)
        if session is None:
            session = self.sessions[peer] = Session(peer, edge, address, dial=dial)
        session.edge, session.dial = edge, dial
        if address and address != session.address and session.attempt is not None:
            session.attempt.close()
            session.attempt = None
        session.address = address or session.address
        waiting = self.waiting.pop(peer, None)
        if session.control is not None:
            return session
        if waiting is not None and not waiting.is_closed:
            self._attach(session, waiting)
            waiting.resume_reading()
        elif dial and session.banned:
            self._sink.session_unreachable(session, "it broke the protocol")
        elif dial:
            session.dials = 0
            self._dial(session)
        return session

    def part(self, peer: str) -> None:
        """The edge is no more."""
        session = self.sessions.pop(peer, None)
        if session is None:
            return
        session.dial = False
        if session.retry is not None:
            session.retry.cancel()
        if session.attempt is not None:
            session.attempt.close()
        self._end(session, "the plan has no such edge any more")

    def close(self) -> None:
        for peer in list(self.sessions):
            self.part(peer)
        for link in [*self._strangers, *self.waiting.values()]:
            link.close()
        self._listener.close()

    # -- callers

    def listen(self, address: str, ports: tuple[int, int]) -> tuple[str, int]:
        """As ``Listener.listen``."""
        return self._listener.listen(address, ports)

    def _has_room(self, silent: int) -> bool:
        return len(self._strangers) + silent < MAX_STRANGERS

    def _called(self, sock: socket.socket, tls: bool) -> None:
        contexts = self._tls if tls else None
        self._strangers.add(Link(self._loop, sock, self, contexts, server=True))

    # -- dialling

    def _dial(self, session: Session) -> None:
        session.retry = None
        if session.attempt is not None or session.control is not None or session.address is None:
            return
        session.dials += 1
        session.dialled_at = self._loop.now()
        sock = self._connecting(session.address)
        if isinstance(sock, str):
            self._dial_failed(session, sock)
            return
        link = Link(self._loop, sock, self, self._tls, server=False)
        link.session = session
        session.attempt = link

    def _connecting(self, address: tuple[str, int]) -> socket.socket | str:
        """A socket on its way to ``address``, or why there is none."""
        try:
            sock = socket.socket(family_of(address[0]), socket.SOCK_STREAM)
        except OSError as error:  # no descriptor left, for now
            return str(error)
        sock.setblocking(False)
        try:
            problem = sock.connect_ex(address)
        except (
            OSError,
            ValueError,
            TypeError,
            OverflowError,
        ) as error:  # what no address is, from a stranger
            sock.close()
            return str(error)
        if problem not in (0, errno.EINPROGRESS):
            sock.close()
            return errno_text(problem)
        return sock

    def _dial_failed(self, session: Session, reason: str) -> None:
        if self.sessions.get(session.peer) is not session or not session.dial:
            return
        if session.dials >= DIALS:
            self._sink.session_unreachable(session, reason)
            return
        delay = FIRST_RETRY * 4 ** (session.dials - 1) * (0.5 + self._rng.random())
        session.retry = self._loop.call_later(delay, lambda: self._dial(session))

    # -- links report (Owner)

    def opened(self, link: Link) -> None:
        if not link.is_tls:
            self._lane_opened(link)
            return
        self._strangers.discard(link)
        peer, run = subject_of(link.tls_socket)
        session = self.sessions.get(peer)
        if session is None and run == self._run and self._sink.admits(peer):
            session = self.sessions[peer] = Session(peer, Edge(), None, dial=False)
        dialled = link.session if isinstance(link.session, Session) else None
        if run != self._run or (dialled is not None and dialled is not session):
            link.close()
            if dialled is not None:
                dialled.attempt = None
                self._dial_failed(dialled, "another machine answers at its address")
            return
        if session is None:
            self._wait(peer, link)
        elif session.control is not None or session.banned:
            link.close()
        else:
            self._attach(session, link)

    def _wait(self, peer: str, link: Link) -> None:
        earlier = self.waiting.pop(peer, None)
        if earlier is not None:
            earlier.close()  # unread, so nobody noticed that its caller has given it up
        if len(self.waiting) >= MAX_WAITING:
            link.close()
            return
        self.waiting[peer] = link
        link.pause_reading(0)

        def give_up() -> None:
            if self.waiting.get(peer) is link:
                del self.waiting[peer]
                link.close()

        self._loop.call_later(WAIT_FOR_EDGE, give_up)

    def _attach(self, session: Session, link: Link) -> None:
        if session.attempt is not None and session.attempt is not link:
            session.attempt.close()
        if session.retry is not None:
            session.retry.cancel()
        session.attempt = None
        session.control = link
        link.session = session
        self._sink.session_up(session)
        if self._clear and not link.is_server and session.address is not None:
            self._lanes.propose(session, link)

    def received(self, link: Link, frames: list[Frame], size: int) -> None:
        session = link.session
        if session is None:
            self._lane_greeted(link, frames)
            return
        # Only now: a link that the other side closes at once is a dial that failed.
        session.dials = 0
        if link is session.lane:
            if not all(isinstance(f, (Data, Leaves)) for f in frames):
                link.close()
                self.closed(link, "more than blocks came in clear")
                return
        elif self._clear:
            frames = self._lanes.without_own(session, link, frames)
        self._sink.session_frames(session, link, frames, size)

    def closed(self, link: Link, reason: str) -> None:
        self._strangers.discard(link)
        session: Session | None = link.session
        if session is None:
            for peer, waiting in list(self.waiting.items()):
                if waiting is link:
                    del self.waiting[peer]
            return
        if session.attempt is link:
            session.attempt = None
            if self._loop.now() - session.dialled_at > IN_VAIN:
                session.dials = DIALS
            self._dial_failed(session, reason)
        elif link in (session.control, session.lane):
            self._end(session, reason)
            if self.sessions.get(session.peer) is session and session.dial:
                self._dial_failed(session, reason)
        # Otherwise a lane that never opened: the blocks go over the TLS link.

    def next_block(self, link: Link) -> tuple[bytes, bytes | memoryview] | None:
        return self._sink.next_block(link)

    def block_out(self, link: Link) -> None:
        self._sink.block_out(link)

    def drop(self, session: Session) -> None:
        """Ends the links of a peer that broke the protocol, for good."""
        dialled, session.dial = session.dial, False
        session.banned = True
        self._end(session, "it broke the protocol")
        if dialled:
            self._sink.session_unreachable(session, "it broke the protocol")

    def forgive(self, peer: str) -> bool:
        """Whether wrong bytes from ``peer`` may have been the wire's fault: in clear, the first few times.
        Then its links end like broken ones, and it may have others."""
        session = self.sessions.get(peer)
        if session is None or session.lane is None or session.bent >= FORGIVEN:
            return False
        session.bent += 1
        self._end(session, "wrong bytes came in clear")
        if session.dial:
            self._dial_failed(session, "wrong bytes came in clear")
        return True

    def _end(self, session: Session, reason: str) -> None:
        control, lane = session.control, session.lane
        session.control = session.lane = None
        self._lanes.forget(session)
        for link in (control, lane):
            if link is not None:
                link.close()
                received, sent, cross = self.past
                cross += 0 if session.edge.local else link.bytes_out
                self.past = (received + link.bytes_in, sent + link.bytes_out, cross)
        if control is not None:
            self._sink.session_down(session, reason)

    # -- lanes

    def _lane_link(self, sock: socket.socket) -> Link:
        return Link(self._loop, sock, self, None, server=False)

    def _lane_opened(self, link: Link) -> None:
        if link.session is None:
            self._loop.call_later(WAIT_FOR_EDGE, lambda: self._lane_expired(link))
        elif use(link.session, link):
            link.want_write()
        else:
            link.close()

    def _lane_expired(self, link: Link) -> None:
        if link.session is None:
            self._strangers.discard(link)
            link.close()

    def _lane_greeted(self, link: Link, frames: list[Frame]) -> None:
        if not frames and link.bytes_in < 4 + TOKEN:
            return  # its first frame was cut in two on the way
        self._strangers.discard(link)
        session = self._lanes.greeted(link, frames)
        if session is None:
            link.close()
        elif frames[1:]:
            self._sink.session_frames(session, link, frames[1:], 0)
