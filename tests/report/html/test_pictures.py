"""What the pictures are made of: axes, pixels, and the reasons why somebody was slow."""

import base64
import struct
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.progress import (
    HostFinished,
    HostPhase,
    HostPhaseChanged,
    HostProgress,
    RunStarted,
    SourceReady,
)
from fleetpush.deploy.results import HostStatus
from fleetpush.report.html import palette, png
from fleetpush.report.html.columns import COLUMNS, LEVELS, Columns, State
from fleetpush.report.html.heat import ROWS, heat_map
from fleetpush.report.html.scale import Plot, ticks, time_ticks, whole_ticks
from fleetpush.report.html.slow import SHOWN, laggards
from tests.report.feed import feed
from tests.report.html.runs import course_of

# -- axes


@given(st.floats(1e-6, 1e15), st.integers(1, 10))
def test_ticks_are_few_and_inside(top, most):
    found = ticks(top, most)
    assert found[0] == 0
    assert found[-1] <= top * 1.00001
    assert 1 <= len(found) <= most + 1


@given(st.integers(1, 100_000))
def test_counted_ticks_are_whole_and_end_at_all(top):
    found = whole_ticks(top)
    assert found[-1] == top
    assert found == sorted(set(found))
    assert len(found) <= 7


@given(st.floats(0.01, 1e7))
def test_moments_are_few_told_apart_and_inside(end):
    found = time_ticks(end)
    assert 1 <= len(found) <= 11
    assert all(at <= end * 1.00001 for at, _ in found)
    texts = [text for _, text in found]
    assert len(set(texts)) == len(texts)


@given(st.floats(0, 100), st.floats(0.1, 100), st.floats(0, 50))
def test_what_is_drawn_is_inside(at, end, value):
    plot = Plot(end, 50, height=200, left=80)
    assert plot.left <= plot.x(min(at, end)) <= plot.width - plot.right
    assert plot.above <= plot.y(value) <= plot.height - plot.below


# -- pixels


def decoded(uri):
    """Width, height, colours and rows of a picture of ours."""
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(
            kind + body
        )
        chunks[kind] = body
        at += 12 + length
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    raw = zlib.decompress(chunks[b"IDAT"])
    rows = [raw[n * (width + 1) + 1 : (n + 1) * (width + 1)] for n in range(height)]
    return width, height, chunks[b"PLTE"], rows


@given(
    st.lists(st.binary(min_size=5, max_size=5).map(lambda b: bytes(x % 7 for x in b)), min_size=1)
)
def test_a_picture_holds_its_pixels(rows):
    colours = [bytes([n, n, n]) for n in range(7)]
    width, height, found, again = decoded(png.data_uri(rows, colours))
    assert (width, height, found, again) == (5, len(rows), b"".join(colours), rows)


def test_worse_is_greater_and_each_pixel_has_a_colour():
    receiving = [palette.pixel(State.RECEIVING, level / LEVELS) for level in range(LEVELS)][::-1]
    order = [
        palette.pixel(State.DONE, 1.0),
        palette.pixel(State.VERIFYING, 1.0),
        *receiving,
        *(palette.pixel(state, 0.0) for state in list(State)[3:]),
    ]
    assert order == list(range(len(palette.pixels(dark=False))))
    for dark in (False, True):
        assert len(set(palette.pixels(dark))) == len(order)
    assert palette.pixel(State.RECEIVING, 1.0) == palette.pixel(State.RECEIVING, 0.95)


def test_a_thousand_hosts_share_rows_and_the_worst_is_seen():
    columns = Columns(course_of(feed(1000)), {})
    heat = heat_map(columns)
    assert heat.together == 2
    width, height, _, rows = decoded(heat.light)
    assert (width, height) == (COLUMNS, ROWS)
    failed = palette.pixel(State.FAILED, 0.0)
    assert rows[17 // 2][-1] == failed, "node18 is out of space"
    assert decoded(heat.dark)[3] == rows


def test_twenty_hosts_have_a_row_each_and_are_named():
    heat = heat_map(Columns(course_of(feed(20)), {}))
    assert (heat.together, decoded(heat.light)[1]) == (1, 20)
    for n in range(1, 21):
        assert f">node{n}</text>" in heat.drawing


# -- who was slow


def run_with(odd):
    """Nine hosts that are alike, and what ``odd`` makes of a tenth."""
    names = tuple(f"n{n}" for n in range(10))
    events = [RunStarted(0.0, "r", "deploy", names, "mesh", "tracker", True)]
    events.append(SourceReady(0.0, "m", "ab", 1000, 10, 100, 1))
    times = {HostPhase.CONNECTING: 0.5, HostPhase.BOOTSTRAPPING: 1.0, HostPhase.SCANNING: 1.2}
    times |= {HostPhase.EXCHANGING: 1.5, HostPhase.VERIFYING: 6.5, HostPhase.DONE: 7.0}
    for name in names:
        own = times if name != "n9" else {phase: odd(phase, at) for phase, at in times.items()}
        for phase, at in own.items():
            if phase is not HostPhase.DONE:
                events.append(HostPhaseChanged(at, name, phase))
        events.append(HostFinished(own[HostPhase.DONE], name, HostStatus.VERIFIED))
    return sorted(events, key=lambda event: event.at)


def later_from(start):
    """Ten seconds more from this phase on."""
    order = list(HostPhase)
    return lambda phase, at: at + (10 if order.index(phase) >= order.index(start) else 0)


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (HostPhase.CONNECTING, "waited 10.5s for its turn, the others 0.50s"),
        (HostPhase.BOOTSTRAPPING, "took 10.5s to connect, the others 0.50s"),
        (
            HostPhase.SCANNING,
            "took 10.5s to start its agent and look at what it had, the others 0.50s",
        ),
        (HostPhase.VERIFYING, "received at 67 B/s, the others at 200 B/s"),
        (HostPhase.DONE, "took 10.5s to verify and activate, the others 0.50s"),
    ],
)
def test_the_phase_that_made_it_late_is_named(start, why):
    found = laggards(course_of(run_with(later_from(start))))
    assert [host.name for host in found.hosts] == ["n9"]
    assert found.hosts[0].late == pytest.approx(10.0)
    assert list(found.hosts[0].why) == [why]
    spans = found.hosts[0].spans
    assert all(before.ended == after.began for before, after in pairwise(spans))
    assert spans[-1].ended == found.hosts[0].ended


def test_what_it_said_of_its_receiving_is_told():
    events = run_with(later_from(HostPhase.VERIFYING))
    events += [HostProgress(at, "n9", 200, 1000, 1.0, 0.0, "one peer link") for at in range(2, 14)]
    found = laggards(course_of(sorted(events, key=lambda event: event.at)))
    told = found.hosts[0].why[1:]
    assert told == ["one peer link for 11.5s", "not one new byte for 14.5s, from 0:02 on"]


def test_where_all_are_alike_nobody_was_slow():
    found = laggards(course_of(run_with(lambda phase, at: at + 0.01)))
    assert list(found.hosts) == []
    assert found.median == 7.0


def test_a_great_many_are_counted():
    found = laggards(course_of(feed(1000)))
    assert len(found.hosts) == SHOWN
    assert found.more > 0
    assert [host.ended for host in found.hosts] == sorted(
        (host.ended for host in found.hosts), reverse=True
    )


def test_a_run_without_a_fresh_host_has_no_laggards():
    assert laggards(course_of(feed(20)[:1])).median is None
