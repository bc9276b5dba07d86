"""The socket driver of a peer: performs the core's effects and feeds it what happens.

Blocks do not pass through the core: an incoming one goes from the socket through the store's hash onto the
disk, an outgoing one from the store into the socket; the core only hears that it happened.
"""

from __future__ import annotations

from fleetpush.lean.compiled import deque
from fleetpush.net.edges import Edges
from fleetpush.net.egress import Egress
from fleetpush.net.outgoing import Outgoing
from fleetpush.net.throttle import Throttle
from fleetpush.swarm import events, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.net.link import Link
    from fleetpush.net.loop import Loop, Timer
    from fleetpush.net.roles import Store, Talker, Watcher
    from fleetpush.net.session import Session
    from fleetpush.net.tls import Contexts
    from fleetpush.swarm.events import Edge
    from fleetpush.swarm.manifest import Manifest
    from fleetpush.swarm.peer import Peer
    from fleetpush.swarm.picker import Rng

ADDED, WHOLE, DUPLICATE, CORRUPT = 0, 1, 2, 3
"""What ``Store.put_block`` answers."""


class Node:
    """One peer with its links. All calls come from the loop's thread."""

    def __init__(
        self,
        loop: Loop,
        manifest: Manifest,
        watcher: Watcher,
        *,
        tls: Contexts,
        run: str,
        rng: Rng,
        encrypt: bool,
        up_limit: float | None = None,
        down_limit: float | None = None,
    ) -> None:
        self.edges = Edges(loop, tls, self, run=run, rng=rng, clear=not encrypt)
        self.talker: Talker | None = None
        self.content_in = 0
        self.content_out = 0
        """Bytes of blocks, duplicates included."""
        self._loop = loop
        self._manifest = manifest
        self._watcher = watcher
        self._store: Store
        self._peer: Peer | None = None
        self._egress = Egress(up_limit)
        self._down = Throttle(down_limit)
        self._queue: deque[events.Event] = deque()
        self._handling = False
        self._dirty: dict[str, None] = {}
        self._flushing = False
        self._timer: Timer | None = None
        self._timer_at: float | None = None
        self._starved: dict[int, set[str]] = {}
        """Peers whose stream waits for the next block of a chunk."""
        self._held_back = False
        self._turn = 0

    # -- the agent's side

    def start(self, peer: Peer, store: Store) -> None:
        """``store`` knows what it has: trading may begin."""
        self._peer = peer
        self._store = store
        self._loop.pauses.append(self._pause)

    def announce(
        self, peer: str, edge: Edge, address: tuple[str, int] | None, *, dial: bool
    ) -> None:
        known = self.edges.sessions.get(peer)
        standing = known is not None and known.control is not None
        self.edges.announce(peer, edge, address, dial=dial)
        if standing:
            self.feed(events.EdgeChanged(peer, edge))

    def reflow(self, peer: str, edge: Edge) -> None:
        """What goes over the standing link to ``peer`` is as ``edge`` says now."""
        session = self.edges.sessions.get(peer)
        if session is not None and session.control is not None:
            session.edge = edge
            self.feed(events.EdgeChanged(peer, edge))

    def limit(self, up: float) -> None:
        """At most ``up`` bytes a second are sent from now on."""
        self._egress.limit(up, self._loop.now())
        self._release()

    def part(self, peer: str) -> None:
        self.edges.part(peer)

    def send(self, peer: str, frame: wire.Frame) -> None:
        """Puts ``frame`` on the link to ``peer``, if there is one."""
        session = self.edges.sessions.get(peer)
        if session is not None and session.control is not None:
            session.control.send(frame)
            session.control.want_write()

    def drop(self, peer: str, reason: str) -> None:
        """``peer`` broke the protocol: ends its links for good."""
        session = self.edges.sessions.get(peer)
        if session is not None:
            self._watcher.peer_dropped(peer, reason)
            self.edges.drop(session)

    def links(self) -> int:
        return sum(1 for s in self.edges.sessions.values() if s.control is not None)

    def wire_bytes(self) -> tuple[int, int, int]:
        """Bytes received and sent on all links so far, framing included, and those sent to other racks."""
        received, sent, cross = self.edges.past
        for session in self.edges.sessions.values():
            for link in (session.control, session.lane):
                if link is not None:
                    received += link.bytes_in
                    sent += link.bytes_out
                    cross += 0 if session.edge.local else link.bytes_out
        return received, sent, cross

    def close(self) -> None:
        if self._peer is not None:
            self._loop.pauses.remove(self._pause)
            self._peer = None
        if self.talker is not None:
            self.talker.close()
        self.edges.close()

    def _pause(self) -> float:
        return self._egress.pause(ahead=self._peer is not None and self._peer.trades_ahead)

    # -- the core

    def feed(self, event: events.Event) -> None:
        """What happens while something is being handled waits for its turn."""
        self._queue.append(event)
        if self._handling or self._peer is None:
            return
        self._handling = True
        try:
            while self._queue and self._peer is not None:
                for effect in self._peer.handle(self._queue.popleft(), self._loop.now()):
                    self._perform(effect)
        finally:
            self._handling = False
        self._set_timer()
        if self._dirty and not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _perform(self, effect: events.Effect) -> None:
        if isinstance(effect, events.Completed):
            self._watcher.completed()
            return
        if isinstance(effect, events.Behind):
            self._watcher.fell_behind(effect.paces, all=effect.all)
            return
        session = self.edges.sessions.get(effect.peer)
        if session is None or session.control is None:
            return
        if isinstance(effect, events.Send):
            session.control.send(effect.frame)
            self._dirty[effect.peer] = None
        elif isinstance(effect, events.StartSend):
            blocks = self._manifest.blocks_in(effect.chunk)
            session.streams.append(Outgoing(effect.chunk, effect.block, blocks, effect.skip))
            self._dirty[effect.peer] = None
        elif isinstance(effect, events.SendLeaves):
            self._send_leaves(session.control, effect)
        elif isinstance(effect, events.StopSend):
            session.streams[:] = [s for s in session.streams if s.chunk != effect.chunk]
        else:
            if self.talker is not None:
                self.talker.bar(effect.peer)
            self.drop(effect.peer, effect.reason)

    def _send_leaves(self, control: Link, effect: events.SendLeaves) -> None:
        try:
            leaves = self._store.leaves(effect.chunk)
        except Exception as error:  # noqa: BLE001 - see _block_in
            self._watcher.store_failed(error)
            return
        control.send(wire.Leaves(effect.chunk, leaves or b""))
        self._dirty[effect.peer] = None

    def _flush(self) -> None:
        self._flushing = False
        dirty, self._dirty = self._dirty, {}
        for peer in dirty:
            session = self.edges.sessions.get(peer)
            if session is None:
                continue
            for link in (session.control, session.lane):
                if link is not None:
                    link.want_write()

    def _set_timer(self) -> None:
        at = self._peer.wakeup if self._peer is not None else None
        if at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._timer_fired) if at is not None else None

    def _timer_fired(self) -> None:
        self._timer = self._timer_at = None
        self.feed(events.TimerFired())

    # -- sessions report (Sink)

    def session_up(self, session: Session) -> None:
        event = events.LinkUp(session.peer, session.edge)
        self.feed(event)
        if self.talker is not None:
            self.talker.feed(event)

    def session_down(self, session: Session, reason: str) -> None:
        session.streams.clear()
        event = events.LinkDown(session.peer)
        self.feed(event)
        if self.talker is not None:
            self.talker.feed(event)

    def session_unreachable(self, session: Session, reason: str) -> None:
        if self.talker is None or self.talker.unreachable(session.peer):
            self._watcher.edge_failed(session.peer, reason)

    def admits(self, peer: str) -> bool:
        return self.talker is not None and self.talker.admits(peer)

    def session_frames(
        self, session: Session, link: Link, frames: list[wire.Frame], size: int
    ) -> None:
        for frame in frames:
            if isinstance(frame, wire.Data):
                if self._peer is None:
                    return
                kept = self._block_in(session.peer, frame)
                self._account(session, len(frame.payload), kept=kept)
            elif isinstance(frame, wire.Leaves):
                if self._peer is None:
                    return
                kept = self._leaves_in(session.peer, frame)
                self._account(session, len(frame.digests), kept=kept)
            elif self.talker is not None and isinstance(frame, wire.Gossip):
                self.talker.feed(events.FrameReceived(session.peer, frame))
            else:
                self.feed(events.FrameReceived(session.peer, frame))
            if session.control is None:
                return
        if self._down.rate is not None and size:
            self._down.spend(size)
            delay = self._down.delay(self._loop.now())
            if delay > 0:
                link.pause_reading(delay)

    # -- blocks in

    def _account(self, session: Session, size: int, *, kept: bool) -> None:
        if session.sent_in_vain(size, kept=kept) and session.control is not None:
            self.drop(session.peer, "sent blocks over and over that nobody had asked it for")

    def _leaves_in(self, peer: str, frame: wire.Leaves) -> bool:
        """Whether they were of use."""
        if self._peer is None or not self._peer.expects(peer, frame.chunk):
            return False  # cancelled, and this crossed the word of it
        known = self._store.leaves(frame.chunk) is not None
        try:
            matched = self._store.put_leaves(frame.chunk, frame.digests)
        except Exception as error:  # noqa: BLE001 - see _block_in
            self._watcher.store_failed(error)
            return False
        if not matched:
            self._refuse(peer, frame.chunk)
        elif self._peer.asked(peer, frame.chunk):
            whole = self._store.progress(frame.chunk) == self._manifest.blocks_in(frame.chunk)
            self.feed(events.LeavesStored(peer, frame.chunk, whole))
        return not known

    def _block_in(self, peer: str, frame: wire.Data) -> bool:
        """Whether it was of use."""
        self.content_in += len(frame.payload)
        if self._peer is None or not self._peer.expects(peer, frame.chunk):
            return False
        if self._store.leaves(frame.chunk) is None:
            return False  # of a stream that was broken off: word of it overtakes blocks on a lane
        try:
            outcome = self._store.put_block(frame.chunk, frame.block, frame.payload)
        except Exception as error:  # noqa: BLE001 - whatever the disk says ends this host's run, by name
            self._watcher.store_failed(error)
            return False
        if outcome == CORRUPT:
            self._refuse(peer, frame.chunk)
        elif outcome != DUPLICATE:
            self._wake_streams(frame.chunk)
            self.feed(events.BlockStored(peer, frame.chunk, outcome == WHOLE))
        return outcome in (ADDED, WHOLE)

    def _refuse(self, peer: str, chunk: int) -> None:
        """What came of ``chunk`` does not match the manifest; in clear it may have been the wire."""
        if self.edges.forgive(peer):
            reason = (
                f"sent bytes of chunk {chunk} in clear that do not match; their link is made anew"
            )
            self._watcher.peer_dropped(peer, reason)
        else:
            self.feed(events.ContentCorrupt(peer, chunk))

    def _wake_streams(self, chunk: int) -> None:
        for peer in self._starved.pop(chunk, ()):
            self._dirty[peer] = None

    # -- blocks out

    def next_block(self, link: Link) -> tuple[bytes, bytes | memoryview] | None:
        """The next block for this link and its head, its chunk's leaves before the first one."""
        session: Session | None = link.session
        if session is None or not session.streams:
            return None
        if self._hold_back():
            return None
        for stream in session.streams:
            if stream.link is not link and (stream.link is not None or session.data is not link):
                continue
            framed = self._framed(session, stream, link)
            if framed is not None:
                return framed
        return None

    def _framed(
        self, session: Session, stream: Outgoing, link: Link
    ) -> tuple[bytes, bytes | memoryview] | None:
        chunk, block = stream.chunk, stream.block
        if stream.ending:
            return None
        try:
            if block >= self._store.progress(chunk):
                self._starved.setdefault(chunk, set()).add(session.peer)
                return None
            leaves = b""
            if stream.link is None:
                leaves = wire.encode(wire.Leaves(chunk, self._store.leaves(chunk) or b""))
                stream.link = link
            payload = self._store.read_block(chunk, block)
        except Exception as error:  # noqa: BLE001 - see _block_in
            self._watcher.store_failed(error)
            return None
        if not self.content_out:
            self._watcher.began()
        self.content_out += len(payload)
        self._egress.sent(link, len(payload), self._loop.now())
        if stream.took():
            self.feed(events.SendEnding(session.peer, chunk))
        return leaves + wire.data_head(chunk, block, len(payload)), payload

    def block_out(self, link: Link) -> None:
        session: Session = link.session
        # Blocks leave in order, so a stream whose last block was taken has now gone out.
        done = [s for s in session.streams if s.ending and s.link is link]
        for stream in done:
            session.streams.remove(stream)
            self.feed(events.SendEnded(session.peer, stream.chunk))

    def _hold_back(self) -> bool:
        delay = self._egress.delay(self._loop.now())
        if delay > 0 and not self._held_back:
            self._held_back = True
            self._loop.call_later(delay, self._release)
        return delay > 0

    def _release(self) -> None:
        self._held_back = False
        waiting = [s for s in self.edges.sessions.values() if s.streams]
        # Often a single block passes: each time another neighbour is the first to have it.
        self._turn = (self._turn + 1) % max(1, len(waiting))
        # A read that fails on the way ends this peer and with it every session.
        for session in waiting[self._turn :] + waiting[: self._turn]:
            if self._held_back:
                return  # the rest waits for the next time
            # A stream that began before the lane stood goes on beside it.
            for link in (session.data, session.control):
                if session.streams and link is not None:
                    link.want_write()
