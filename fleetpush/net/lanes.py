"""Lanes: second, unencrypted connections that carry the blocks under ``--no-encrypt``.

The side that dialled the TLS link makes a single-use token and sends it over that link; the other side
says it back, the first one dials again and opens in clear with the token. So a lane is as authentic as the
link it hangs on, and every block on it is still checked against the manifest. Where no lane can be had,
blocks go over the TLS link.
"""

from __future__ import annotations

from fleetpush.lean.system import os
from fleetpush.swarm.wire import TOKEN, Lane, OpenLane

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from fleetpush.net.link import Link
    from fleetpush.net.session import Session
    from fleetpush.swarm.wire import Frame


class Lanes:
    """``dial(address)`` starts a clear connection; ``open_link(sock)`` makes it a link of the owner's."""

    def __init__(
        self,
        connect: Callable[[tuple[str, int]], socket.socket | str],
        open_link: Callable[[socket.socket], Link],
    ) -> None:
        self._connect = connect
        self._open_link = open_link
        self._tokens: dict[bytes, Session] = {}

    def propose(self, session: Session, control: Link) -> None:
        """A TLS link stands that we dialled."""
        token = os.urandom(TOKEN)
        self._tokens[token] = session
        control.send(OpenLane(token))
        control.want_write()

    def forget(self, session: Session) -> None:
        """Its TLS link is gone, and with it every token."""
        self._tokens = {t: s for t, s in self._tokens.items() if s is not session}

    def without_own(self, session: Session, control: Link, frames: list[Frame]) -> list[Frame]:
        """Acts on the frames that are about lanes, returns the others."""
        others: list[Frame] = [f for f in frames if not isinstance(f, (OpenLane, Lane))]
        if len(others) != len(frames):
            for frame in frames:
                if isinstance(frame, OpenLane):
                    self._answer(session, control, frame.token)
        return others

    def _answer(self, session: Session, control: Link, token: bytes) -> None:
        if control.is_server:
            # The token is now known here; saying it back tells the other side to dial.
            self.forget(session)
            self._tokens[token] = session
            control.send(OpenLane(token))
            control.want_write()
        elif self._tokens.pop(token, None) is session and session.address is not None:
            sock = self._connect(session.address)
            if not isinstance(sock, str):
                lane = self._open_link(sock)
                lane.session = session
                lane.send(Lane(token))

    def greeted(self, link: Link, frames: list[Frame]) -> Session | None:
        """Whose lane a stranger in clear is: its first frame must be a token that we know."""
        if not frames or not isinstance(frames[0], Lane):
            return None
        session = self._tokens.pop(frames[0].token, None)
        if session is None or not use(session, link):
            return None
        link.session = session
        return session


def use(session: Session, link: Link) -> bool:
    """From now on the session's blocks go over ``link``; False if it has no use for it."""
    if session.control is None or session.lane is not None:
        return False
    session.lane = link
    return True
