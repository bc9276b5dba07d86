"""A frame fits its terminal, shows every host, and reads the same without colours."""

import functools
import io
import itertools

import pytest
from rich.console import Console

from fleetpush.deploy.progress import HostFinished, Notice, RunStarted
from fleetpush.deploy.results import HostStatus
from fleetpush.report.cells import ASCII, UNICODE, Cell, grid
from fleetpush.report.frame import frame, head
from fleetpush.report.state import RunState
from fleetpush.report.svg import live_svg
from tests.report.feed import feed, names

MOMENTS = (0.0, 1.5, 4.0, 9.0, 18.0, 20.0, 30.0, 60.0)
SIZES = ((80, 24), (200, 50), (40, 10), (20, 5), (1, 1))


events_of = functools.cache(feed)


def state_at(moment, hosts=1000):
    state = RunState()
    for event in events_of(hosts):
        if event.at <= moment:
            state.fold(event)
    return state


def drawn(state, now, width, height, **options):
    """What a terminal of that size shows, as plain lines."""
    file = io.StringIO()
    console = Console(
        file=file, width=width, height=height, force_terminal=True, no_color=True, _environ={}
    )
    for line in frame(state, now, width, height, **options):
        console.print(line, soft_wrap=True)
    return console, file.getvalue()


@pytest.mark.parametrize(
    ("hosts", "moment"),
    [*itertools.product((1, 12, 1000), MOMENTS), (10_000, 9.0), (10_000, 30.0)],
)
def test_a_frame_fits_whatever_the_terminal(hosts, moment):
    state = state_at(moment, hosts)
    for width, height in SIZES:
        _assert_fits(state, moment, width, height)


def _assert_fits(state, moment, width, height):
    lines = frame(state, moment, width, height)
    assert len(lines) <= max(1, height - 1)
    assert all(line.cell_len <= width for line in lines)
    assert all("\n" not in line.plain for line in lines)


@pytest.mark.parametrize("moment", [9.0, 18.0])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50)])
def test_a_thousand_hosts_each_have_a_cell_beside_everything_else(moment, width, height):
    state = state_at(moment)
    lines = [line.plain for line in frame(state, moment, width, height)]
    glyphs = set(UNICODE.cells.values())
    cells = [line for line in lines if len(line) > 20 and set(line) <= glyphs]
    assert sum(map(len, cells)) == 1000
    text = "\n".join(lines)
    assert "1,000 hosts" in text
    assert " left" in lines[1]
    assert "node151" in text[text.index("slowest") :]
    assert "failures: " in text
    assert next(state.failures.newest()).folded() in text


def test_nothing_is_cut_off_at_200_by_50():
    text = "\n".join(line.plain for line in frame(state_at(18.0), 18.0, 200, 50))
    assert "…" not in text
    assert "free some or change --dest" in text
    assert "did not answer on port 22 within 15 s; check that it is up" in text


@pytest.mark.parametrize("hosts", [12, 1000])
def test_no_host_can_send_escapes_to_the_terminal(hosts):
    lines = frame(state_at(9.0, hosts), 9.0, 200, 50)
    text = "\n".join(line.plain for line in lines)
    assert "\\x1b[2J" in text
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)


def test_a_hostile_inventory_and_notice_are_spelled_out():
    state = RunState()
    state.fold(RunStarted(0.0, "r\x1b", "deploy", ("ho\x1b[1mst",), "mesh", "tracker", True))
    state.fold(Notice(1.0, "warning", "watch\x1bout", "ho\x1b[1mst"))
    text = "\n".join(line.plain for line in frame(state, 1.0, 80, 24))
    assert "\x1b" not in text
    assert "ho\\x1b[1mst" in text


def test_glyphs_differ_without_colours():
    for glyphs in (UNICODE, ASCII):
        assert len(set(glyphs.cells.values())) == len(Cell)
    assert all(glyph.isascii() for glyph in ASCII.cells.values())


def test_no_color_leaves_only_glyphs():
    _, output = drawn(state_at(9.0), 9.0, 80, 24)
    assert "38;" not in output
    assert "\x1b[3" not in output


def test_an_ascii_terminal_gets_ascii():
    for hosts in (12, 1000):
        lines = frame(state_at(18.0, hosts), 18.0, 60, 16, ASCII)
        assert "\n".join(line.plain for line in lines).isascii()


def test_hosts_that_share_a_cell_show_the_worst():
    cells = [Cell.VERIFIED] * 7 + [Cell.FAILED] + [Cell.RECEIVING_0] * 2
    (line,) = grid(cells, 5, 1, UNICODE)
    assert line.plain == "███X▁"


def test_a_small_fleet_has_a_line_a_host():
    state = state_at(9.0, 12)
    lines = [line.plain for line in frame(state, 9.0, 80, 24)]
    for name in names(12):
        assert sum(f" {name} " in line for line in lines) >= 1
    assert any("already there" in line and "node4" in line for line in lines)


def test_a_stalled_host_is_named_with_how_long():
    text = "\n".join(line.plain for line in frame(state_at(21.9), 40.0, 200, 50))
    assert "? " in text
    assert "stalled" in text
    assert "no data for" in text


def test_the_end_says_what_came_of_it():
    failed = head(state_at(100.0), 43.0, 80)
    assert failed[1].plain.startswith("ended")
    assert "990 of 1,000 hosts verified" in failed[1].plain


def test_all_hosts_lost_is_drawable():
    state = RunState()
    state.fold(RunStarted(0.0, "r", "deploy", names(3), "mesh", "tracker", True))
    for name in names(3):
        state.fold(HostFinished(1.0, name, HostStatus.UNREACHABLE, "refused", "no"))
    text = "\n".join(line.plain for line in frame(state, 2.0, 80, 24))
    assert "failures: 3 hosts, 1 reason" in text
    assert "! node[1-3] (3)" in text


def test_the_picture_as_svg():
    svg = live_svg(state_at(9.0), 9.0)
    assert svg.startswith("<svg")
    assert "1,000" in svg
    assert "\x1b" not in svg
