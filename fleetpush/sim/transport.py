"""How blocks move: uplinks, the racks' links, downlinks, one queue behind the other.

A machine's uplink serves its neighbours in turn, block by block. A block's head reaches the next queue one
latency after it left the last one; there it waits for those before it, whoever sent them (first in, first
out). Queues are cut-through: what follows the head follows at once, and the block is there when its last
byte is, so an empty way costs latency and one block's time and not one a hop.

Of a link only so many blocks are under way at once (``Way.window``), so one slow receiver does not hold up
what its senders have for others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.sim.machine import Stream
from fleetpush.swarm.events import BlockStored, SendEnded, SendEnding

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.sim.clock import Clock
    from fleetpush.sim.machine import Machine, Way
    from fleetpush.sim.scenario import Scenario
    from fleetpush.swarm.events import Event


class Transport:
    """``tell`` hears what the cores are to know of blocks."""

    def __init__(
        self, clock: Clock, scenario: Scenario, tell: Callable[[Machine, Event], None]
    ) -> None:
        self.began_at: float | None = None
        """When the first block went out."""
        self.moved_at = 0.0
        self.wasted = 0
        """Blocks that arrived unwanted."""
        self._clock = clock
        self._tell = tell
        self._blocks = scenario.blocks
        self._latency = scenario.latency
        self._cpu = scenario.cpu_per_message
        self._queued = scenario.racks > 1

    # -- streams

    def start(self, way: Way, chunk: int, block: int) -> None:
        """Streams ``chunk`` from ``block`` on, as far and as soon as its blocks are there."""
        way.streams.append(Stream(way, chunk, block))
        machine = way.sender
        if machine.stored[chunk] < self._blocks:
            machine.forwards.setdefault(chunk, []).append(way)
        self._enqueue(way)

    def stop(self, way: Way, chunk: int) -> None:
        """What is on the uplink still goes out."""
        way.streams = [s for s in way.streams if s.chunk != chunk]

    def _enqueue(self, way: Way) -> None:
        if not way.in_turn:
            way.in_turn = True
            way.sender.turn.append(way)

    # -- out

    def pump(self, machine: Machine) -> None:
        """Takes the next block of whoever's turn it is to the uplink, which must be free."""
        turn, stored = machine.turn, machine.stored
        while turn:
            way = turn.popleft()
            if way.in_flight < way.window and way.is_open:
                for stream in way.streams:
                    if stream.block < stored[stream.chunk]:
                        turn.append(way)
                        self._transmit(machine, way, stream)
                        return
            way.in_turn = False

    def _transmit(self, machine: Machine, way: Way, stream: Stream) -> None:
        clock = self._clock
        now = clock.now
        if self.began_at is None:
            self.began_at = now
        chunk, block = stream.chunk, stream.block
        position = chunk * self._blocks + block
        stream.block = block + 1
        way.in_flight += 1
        machine.sends = True
        machine.sent += 1
        out = now + machine.block_time
        if self._queued and way.enters is not None:
            self._leave_rack(way, position, out)
        else:
            self._reach(way, position, out)
        if block + 1 == self._blocks:
            clock.at(out, self._out, machine, stream)
            self._tell(machine, SendEnding(way.receiver.name, chunk))
        else:
            clock.at(out, self._out, machine)

    def _out(self, machine: Machine, ended: Stream | None) -> None:
        """The uplink is free again, and a stream may have ended."""
        machine.sends = False
        if not machine.alive:
            return
        if ended is not None and ended in ended.way.streams:
            ended.way.streams.remove(ended)
            self._tell(machine, SendEnded(ended.way.receiver.name, ended.chunk))
        if machine.turn and not machine.sends:
            self.pump(machine)

    # -- on the way: each queue is entered in the order in which the heads of blocks get there

    def _leave_rack(self, way: Way, position: int, out: float) -> None:
        """``out``: when the last byte leaves the queue before."""
        clock, rack = self._clock, way.sender.rack
        tail = out + self._latency
        if rack is None:  # the origin is between the racks
            self._enter_rack(way, (position, out))
            return
        head = max(clock.now + self._latency, rack.uplink_free)
        rack.uplink_free = head + rack.block_time
        clock.at(head, self._enter_rack, way, (position, max(tail, rack.uplink_free)))

    def _enter_rack(self, way: Way, what: tuple[int, float]) -> None:
        clock, rack = self._clock, way.enters
        position, out = what
        assert rack is not None
        tail = out + self._latency
        head = max(clock.now + self._latency, rack.downlink_free)
        rack.downlink_free = head + rack.block_time
        clock.at(head, self._enter_downlink, way, (position, max(tail, rack.downlink_free)))

    def _enter_downlink(self, way: Way, what: tuple[int, float]) -> None:
        self._reach(way, *what)

    def _reach(self, way: Way, position: int, out: float) -> None:
        """One hop before the receiver's downlink."""
        receiver = way.receiver
        head = max(self._clock.now + self._latency, receiver.downlink_free)
        receiver.downlink_free = there = head + receiver.block_time
        self._clock.at(max(there, out + self._latency), self._arrived, way, position)

    # -- in

    def _arrived(self, way: Way, position: int) -> None:
        way.in_flight -= 1
        if way.enters is not None:
            way.enters.entered += 1
        if not way.is_open:
            return
        if way.streams and not way.in_turn:
            way.in_turn = True
            sender = way.sender
            sender.turn.append(way)
            if not sender.sends:
                self.pump(sender)
        if self._cpu:
            receiver, clock = way.receiver, self._clock
            receiver.busy_until = max(receiver.busy_until, clock.now) + self._cpu
            clock.at(receiver.busy_until, self._take, way, position)
        else:
            self._take(way, position)

    def _take(self, way: Way, position: int) -> None:
        """The receiver verifies and keeps the block."""
        machine, sender, blocks = way.receiver, way.sender.name, self._blocks
        chunk, block = divmod(position, blocks)
        if (
            not way.is_open
            or machine.stored[chunk] != block
            or not machine.peer.expects(sender, chunk)
        ):
            self.wasted += 1
            return
        block += 1
        machine.stored[chunk] = block
        self.moved_at = self._clock.now
        whole = block == blocks
        waiting = machine.forwards.get(chunk)
        if waiting is not None:
            for onward in waiting:
                self._enqueue(onward)
            if whole:
                del machine.forwards[chunk]
        self._tell(machine, BlockStored(sender, chunk, whole))
