"""What an agent tells of its time is what its loop's thread did with it."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep

import pytest

from fleetpush.agent.figures import Figures
from fleetpush.net.loop import Loop
from tests.agent.content import make_content

SAYS = Path("/proc/self/schedstat").exists()


class Said(list):
    say = list.append


class Node:
    content_in = content_out = 0

    def wire_bytes(self):
        return 0, 0, 0

    def links(self):
        return 0


class Holder:
    have = reused = 0


class Agent:
    """Its figures, a loop that has run, and what it said."""

    def __init__(self):
        self.loop, self.said, self.node = Loop(), Said(), Node()
        self.figures = Figures(self.loop, self.said, make_content({"a": 100}).manifest)
        self.loop.call_later(0.3, self.loop.stop)

    def tell(self, *, final=False):
        self.figures.tell(self.node, Holder(), Holder(), final=final)
        return self.said[-1]

    def spent(self):
        self.loop.run()
        return self.tell(final=True)["spent"]


@pytest.fixture
def agent():
    made = Agent()
    made.tell()
    made.node.content_in = 1
    yield made
    made.loop.close()


def test_time_spent_is_told_at_the_end_only(agent):
    assert "spent" not in agent.tell()
    wall, ran, queued, held = agent.spent()
    assert wall >= 300
    assert min(ran, queued, held) >= 0


@pytest.mark.skipif(not SAYS, reason="this kernel does not say how long a thread waited")
def test_a_call_that_does_not_return_is_not_sleep(agent):
    agent.loop.call_soon(lambda: sleep(0.25))
    _, _, _, held = agent.spent()
    assert held >= 200
    assert agent.loop.slept < 0.2


def test_work_is_told_as_such(agent):
    def work():
        until = monotonic() + 0.25
        while monotonic() < until:
            pass

    agent.loop.call_soon(work)
    _, ran, queued, held = agent.spent()
    assert ran + queued >= 200
    assert held < 100


def test_what_was_before_the_first_block_does_not_count(agent):
    agent.node.content_in = 0
    sleep(0.05)
    agent.tell(final=True)
    agent.node.content_in = 1
    assert agent.tell(final=True)["spent"][0] < agent.spent()[0]


def test_the_same_figures_are_told_once(agent):
    agent.tell()
    before = len(agent.said)
    agent.tell()
    assert len(agent.said) == before
