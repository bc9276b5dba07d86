"""Who does not keep up with a route is told from who does, and from who has nothing to pass on."""

import random

import pytest

from fleetpush.swarm import bitfield
from fleetpush.swarm.events import Behind, Edge, Route
from fleetpush.swarm.lag import AGAIN, CONFIRMED, LEAST, LOOK_EVERY, MUCH, SLOW, Lag
from fleetpush.swarm.neighbour import Neighbour
from fleetpush.swarm.state import State

CHUNKS = 300
MOST = 4
"""Chunks that one may fall behind of so many."""


class Watch:
    """A peer that has ``have`` chunks of each tree, in order, with children in tree 0 and parents."""

    def __init__(self, children=("a", "b"), parents=()):
        self.state = State(
            CHUNKS, 0, lambda chunk: 0, random.Random(0), slots=2, bundle=1, ahead=False,
            sifts=lambda chunk: False, skips=lambda chunk: 0,
        )  # fmt: skip
        for name in children:
            self.join(name, Route((0,), (), 2))
        for number, name in enumerate(parents):
            self.join(name, Route((), (number,), 2))
        self.lag = Lag()

    def join(self, name, route):
        n = self.state.neighbours[name] = Neighbour(name, Edge(route=route), CHUNKS)
        n.greeted = True
        self.state.find_routes()

    def __getitem__(self, name):
        return self.state.neighbours[name]

    def look(self):
        """What is reported."""
        self.state.now += 2 * LOOK_EVERY
        self.state.out = []
        self.lag.look(self.state)
        assert all(isinstance(effect, Behind) for effect in self.state.out)
        return [(effect.paces, effect.all) for effect in self.state.out]


def first(count, tree=0):
    """So many chunks of ``tree``."""
    return bitfield.of(range(tree, 2 * count, 2))


def reports(watch, steps, **paces):
    """What is said while ``steps`` chunks come here and each child takes its share of them."""
    said = []
    for step in range(1, steps + 1):
        watch.state.have = first(step)
        for name, pace in paces.items():
            watch[name].sent = watch[name].has = first(int(step * pace))
        said += watch.look()
    return said


def test_who_takes_what_comes_is_never_reported():
    assert reports(Watch(), 150, a=1.0, b=0.97) == []


def test_who_takes_next_to_nothing_is_reported_within_some_chunks_and_with_its_pace():
    (told, *_) = reports(Watch(), MOST + CONFIRMED + 4, a=1.0, b=0.1)
    assert told[0].keys() == {"b"}
    assert told[0]["b"] <= SLOW
    assert told[1] is False, "the other one keeps up"


def test_nobody_is_reported_on_one_look_alone():
    """A machine that does not run for a moment catches up."""
    watch = Watch()
    assert reports(watch, MOST + 1, a=1.0, b=0.0) == []
    watch["b"].has = watch.state.have
    assert watch.look() == []
    watch.state.have = first(MOST + 2)
    assert watch.look() == []


def test_who_takes_half_is_given_more_time():
    watch = Watch()
    assert reports(watch, 2 * MUCH * MOST, a=1.0, b=0.5) == []
    (told, *_) = reports(watch, 8 * MUCH * MOST, a=1.0, b=0.5)
    assert told[0]["b"] == pytest.approx(0.5, abs=0.1)


def test_who_lacks_much_from_the_start_is_not_behind_for_that():
    watch = Watch(children=("a",))
    watch.state.have = first(100)
    for step in range(100, 140):
        watch.state.have = first(step)
        watch["a"].sent = watch["a"].has = first(step - 100)
        assert watch.look() == []


def test_that_all_are_behind_is_said():
    said = reports(Watch(), MOST + CONFIRMED + 4, a=0.0, b=0.1)
    assert said[-1][0].keys() == {"a", "b"}
    assert said[-1][1] is True


def test_a_report_is_not_said_over_and_over():
    said = reports(Watch(), AGAIN, a=1.0, b=0.0)
    assert len(said) == 1
    assert len(reports(Watch(), AGAIN + 20, a=1.0, b=0.0)) == 2


def test_who_takes_all_and_never_says_it_has_it_is_reported():
    watch, said = Watch(), []
    for step in range(1, 60):
        watch.state.have = watch["a"].sent = watch["a"].has = watch["b"].sent = first(step)
        said += watch.look()
    assert said[0][0] == {"b": 0.0}


def test_a_new_route_is_measured_anew():
    watch = Watch()
    reports(watch, MOST + 1, a=1.0, b=0.0)
    watch.lag.forget("b")
    for step in range(MOST + 1, 2 * MOST + 2):
        watch.state.have = watch["a"].has = first(step)
        assert watch.look() == []


def brought(watch, steps, *, has):
    """What is said while one parent brings its tree and the other, which has ``has``, nothing."""
    said = []
    for step in range(1, steps + 1):
        watch.state.have = first(step, 0)
        watch["p"].has = watch.state.have
        watch["q"].has = has
        said += watch.look()
    return said


def test_a_parent_that_has_what_it_does_not_bring_is_reported():
    watch = Watch(children=(), parents=("p", "q"))
    (told, *_) = brought(watch, MOST + CONFIRMED + 4, has=first(100, 1))
    assert told == ({"q": 0.0}, False)


def test_a_parent_that_has_nothing_to_bring_is_not_to_blame():
    watch = Watch(children=(), parents=("p", "q"))
    assert brought(watch, 60, has=first(LEAST, 1)) == []


def test_who_has_everything_blames_nobody():
    watch = Watch(children=(), parents=("p", "q"))
    watch.state.have = bitfield.full(CHUNKS)
    watch["q"].has = bitfield.full(CHUNKS)
    assert watch.look() == []
