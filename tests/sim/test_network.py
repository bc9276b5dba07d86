"""The network's arithmetic, against what one reckons by hand."""

from types import SimpleNamespace

import pytest

from fleetpush.sim.clock import Clock
from fleetpush.sim.fleet import Fleet
from fleetpush.sim.machine import Machine, Rack, joined
from fleetpush.sim.outcome import simulate
from fleetpush.sim.scenario import Scenario
from fleetpush.sim.traffic import Tally
from fleetpush.sim.transport import Transport
from fleetpush.swarm import wire
from fleetpush.swarm.events import BlockStored, SendEnded, SendEnding
from fleetpush.swarm.manifest import BLOCK

BLOCK_TIME = 1.0
HOP = 0.01


class Wire:
    """Machines whose blocks take a second, without cores: ``told`` is what those would have heard."""

    def __init__(self, *, racks=(), window=100, **scenario):
        self.clock = Clock()
        self.told = []
        self.racks = [Rack(time) for time in racks]
        scenario = {"blocks": 3, "chunks": 2, "latency": HOP, **scenario}
        if racks:
            scenario["racks"] = len(racks)
        self.scenario = Scenario(hosts=9, **scenario)
        self.window = window
        self.transport = Transport(self.clock, self.scenario, self.tell)

    def tell(self, machine, event):
        self.told.append((round(self.clock.now, 6), machine.name, event))
        if machine.turn and not machine.sends:
            self.transport.pump(machine)

    def machine(self, name, *, full=False, rack=None, slowness=1.0):
        stored = [3 if full else 0] * 2
        place = None if rack is None else self.racks[rack]
        machine = Machine(name, None, place, BLOCK_TIME * slowness, stored)
        machine.peer = SimpleNamespace(expects=lambda peer, chunk: True)
        return machine

    def link(self, one, other):
        return joined(one, other, HOP, self.window)[0]

    def stream(self, way, chunk=0, block=0):
        self.transport.start(way, chunk, block)
        if not way.sender.sends:
            self.transport.pump(way.sender)

    def stored(self, name):
        return [at for at, who, event in self.told if who == name and type(event) is BlockStored]

    def run(self, until=1000.0):
        self.clock.run(until)


def test_a_stream_takes_its_blocks_and_one_latency():
    net = Wire()
    a, b = net.machine("a", full=True), net.machine("b")
    net.stream(net.link(a, b))
    net.run()
    assert net.stored("b") == [1.01, 2.01, 3.01]
    assert [(at, type(e)) for at, who, e in net.told if who == "a"] == [
        (2.0, SendEnding),
        (3.0, SendEnded),
    ]
    assert b.stored == [3, 0]


def test_a_block_is_passed_on_as_soon_as_it_is_there():
    net = Wire()
    a, b, c = net.machine("a", full=True), net.machine("b"), net.machine("c")
    net.stream(net.link(b, c))
    net.stream(net.link(a, b))
    net.run()
    assert net.stored("c") == [2.02, 3.02, 4.02]


def test_an_uplink_serves_its_streams_in_turn():
    net = Wire()
    a, b, c = net.machine("a", full=True), net.machine("b"), net.machine("c")
    net.transport.start(net.link(a, b), 0, 0)
    net.stream(net.link(a, c))
    net.run()
    assert net.stored("b") == [1.01, 3.01, 5.01]
    assert net.stored("c") == [2.01, 4.01, 6.01]


def test_a_downlink_takes_one_block_at_a_time_first_come_first_served():
    net = Wire()
    a, b, c = net.machine("a", full=True), net.machine("b", full=True), net.machine("c")
    net.stream(net.link(a, c), chunk=0)
    net.stream(net.link(b, c), chunk=1)
    net.run()
    assert net.stored("c") == [1.01, 2.01, 3.01, 4.01, 5.01, 6.01]


def test_a_slow_receiver_does_not_hold_up_what_its_sender_has_for_others():
    net = Wire(window=1)
    a, b = net.machine("a", full=True), net.machine("b", slowness=100.0)
    c = net.machine("c")
    net.stream(net.link(a, b))
    net.stream(net.link(a, c))
    net.run()
    assert net.stored("c") == [2.01, 3.02, 4.03]
    assert net.stored("b") == [100.01, 200.02, 300.03]


def test_a_slow_sender_leaves_room_on_its_receivers_downlink():
    net = Wire()
    a, b, c = (
        net.machine("a", full=True, slowness=10.0),
        net.machine("b", full=True),
        net.machine("c"),
    )
    net.stream(net.link(a, c), chunk=0)
    net.stream(net.link(b, c), chunk=1)
    net.run()
    assert net.stored("c") == [2.01, 3.01, 4.01, 10.01, 20.01, 30.01]


def test_three_hops_and_two_queues_lead_from_rack_to_rack():
    net = Wire(racks=(0.25, 2.0))
    a, b = net.machine("a", full=True, rack=0), net.machine("b", rack=1)
    net.stream(net.link(a, b))
    net.run()
    # The narrow link into b's rack sets the pace, and what leaves its queue is spread over 2 s.
    assert net.stored("b") == [2.03, 4.03, 6.03]
    assert net.racks[1].entered == 3
    assert net.racks[0].entered == 0


def test_a_wide_rack_link_costs_latency_alone():
    net = Wire(racks=(0.1, 0.1))
    a, b = net.machine("a", full=True, rack=0), net.machine("b", rack=1)
    net.stream(net.link(a, b))
    net.run()
    assert net.stored("b") == [1.03, 2.03, 3.03]


def test_within_a_rack_nothing_crosses_its_link():
    net = Wire(racks=(50.0, 50.0))
    a, b = net.machine("a", full=True, rack=0), net.machine("b", rack=0)
    net.stream(net.link(a, b))
    net.run()
    assert net.stored("b") == [1.01, 2.01, 3.01]
    assert net.racks[0].entered == 0


def test_hosts_of_a_rack_share_its_link():
    net = Wire(racks=(4.0, 0.1))
    a, b = net.machine("a", full=True, rack=0), net.machine("b", full=True, rack=0)
    c, d = net.machine("c", rack=1), net.machine("d", rack=1)
    net.stream(net.link(a, c))
    net.stream(net.link(b, d))
    net.run()
    assert sorted(net.stored("c") + net.stored("d")) == [4.03, 8.03, 12.03, 16.03, 20.03, 24.03]


def test_a_stream_that_is_stopped_sends_no_more_than_the_block_on_the_uplink():
    net = Wire()
    a, b = net.machine("a", full=True), net.machine("b")
    way = net.link(a, b)
    net.stream(way)
    net.clock.at(0.5, lambda *_: net.transport.stop(way, 0))
    net.run()
    assert net.stored("b") == [1.01]
    assert a.sent == 1


def test_a_block_that_nobody_asked_for_is_thrown_away():
    net = Wire()
    a, b = net.machine("a", full=True), net.machine("b")
    b.peer.expects = lambda peer, chunk: False
    net.stream(net.link(a, b))
    net.run()
    assert net.stored("b") == []
    assert b.stored == [0, 0]
    assert net.transport.wasted == 3


def test_what_is_under_way_on_a_link_that_breaks_is_lost():
    net = Wire()
    a, b = net.machine("a", full=True), net.machine("b")
    way = net.link(a, b)
    net.stream(way)

    def sever(*_):
        way.is_open = way.back.is_open = False

    net.clock.at(2.5, sever)
    net.run()
    assert net.stored("b") == [1.01, 2.01]
    assert a.sent == 3  # the third was on the uplink


def test_a_processor_takes_its_time_over_each_block():
    net = Wire(cpu_per_message=5.0)
    a, b = net.machine("a", full=True), net.machine("b")
    net.stream(net.link(a, b))
    net.run()
    assert net.stored("b") == [6.01, 11.01, 16.01]


def test_one_host_takes_one_copy_and_one_latency():
    scenario = Scenario(hosts=1, chunks=10, latency=0.003, topology="tree", rate=1e6)
    found = simulate(scenario)
    # each stripe's first offer is on its way while a block moves: nothing is lost to it
    assert found.makespan == pytest.approx(scenario.copy_time + 0.003, rel=1e-6)
    assert found.ratio_unslowed == found.ratio


def test_events_of_one_moment_happen_in_the_order_in_which_they_were_asked_for():
    clock, seen = Clock(), []
    for number in range(50):
        clock.at(1.0, lambda one, other: seen.append(one), number)
    clock.run(1.0)
    assert seen == list(range(50))
    assert clock.happened == 50


def test_a_clock_stops_where_it_is_told():
    clock, seen = Clock(), []
    for number in range(4):
        clock.at(float(number), lambda one, other: seen.append(one), number)
    clock.at(1.0, lambda one, other: clock.stop())
    clock.run(10.0)
    assert seen == [0, 1]
    clock = Clock()
    clock.at(2.0, lambda one, other: seen.append("late"))
    clock.run(1.5)
    assert "late" not in seen


def test_control_bytes_are_what_encoding_every_frame_would_give(monkeypatch):
    sizes = []

    class Encoding(Tally):
        def add(self, frame):
            sizes.append(len(wire.encode(frame)))
            super().add(frame)

    monkeypatch.setattr("fleetpush.sim.fleet.traffic.Tally", Encoding)
    fleet = Fleet(Scenario(hosts=20, chunks=50, deaths=0.1, seed=3))
    fleet.run()
    sent = sum(m.sent for m in fleet.machines.values())
    leaves = len(wire.encode(wire.Leaves(0, bytes(4 * 32)))) * fleet.tally.streams
    heads = len(wire.data_head(0, 0, BLOCK)) * sent
    assert fleet.tally.messages == len(sizes) > 1000
    assert fleet.tally.bytes_beside_content(4, sent) == sum(sizes) + leaves + heads
