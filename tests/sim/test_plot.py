"""The picture of a run."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from fleetpush.sim.curve import MOST
from fleetpush.sim.outcome import simulate
from fleetpush.sim.plot import HEIGHT, WIDTH, svg
from fleetpush.sim.scenario import Scenario

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(hosts=12, chunks=30),
        Scenario(hosts=1, chunks=1, blocks=1),
        Scenario(hosts=40, chunks=10, topology="star"),
        Scenario(hosts=12, chunks=30, slow=0.1, deaths=0.1, stagger=3.0),
        Scenario(hosts=4, chunks=10, rate=1e15, latency=0.0),
    ],
    ids=["mesh", "smallest", "star", "trouble", "rate without end"],
)
def test_it_is_a_labelled_picture_within_its_frame(scenario):
    found = simulate(scenario)
    document = ET.fromstring(svg(found))
    assert document.tag == f"{SVG}svg"
    words = [text.text for text in document.iter(f"{SVG}text")]
    for name in ("chunks delivered", "median host", "slowest host", "hosts complete", "bound"):
        assert words.count(name) == 1
    assert "100%" in words
    assert any("seconds" in w for w in words)
    assert any(f"ratio {found.ratio:.3f}" in w for w in words)
    lines = document.findall(f"{SVG}polyline")
    assert len(lines) == 4
    for line in lines:
        corners = [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
        assert len(corners) == len(found.curve)
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in corners)
        assert all(b[0] >= a[0] and b[1] <= a[1] for a, b in pairwise(corners))


def test_a_curve_rises_to_the_end_and_stays_short():
    found = simulate(Scenario(hosts=30, chunks=20, topology="star"))
    assert 10 < len(found.curve) <= MOST + 1
    assert found.curve[-1][1:] == (1.0, 1.0, 1.0, 1.0)
    assert found.curve[-1].at == found.makespan
    for before, after in pairwise(found.curve):
        assert all(b <= a for b, a in zip(before, after, strict=True))
    for point in found.curve:
        assert point.slowest <= point.median <= 1
        assert point.slowest <= point.delivered


def test_a_run_that_did_not_end_is_drawn_as_such(monkeypatch):
    monkeypatch.setattr("fleetpush.swarm.picker.Rarest.next_offer", lambda self, peer, room: None)
    text = svg(simulate(Scenario(hosts=12, chunks=80)))
    assert "not complete" in text
    ET.fromstring(text)
