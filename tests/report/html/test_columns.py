"""Columns add up: every host is in one state at every moment, and what arrived is what was moved."""

import pytest

from fleetpush.deploy.history.course import Course
from fleetpush.deploy.progress import (
    HostFinished,
    HostPhase,
    HostPhaseChanged,
    HostProgress,
    RunStarted,
    SourceReady,
)
from fleetpush.deploy.results import HostStatus
from fleetpush.report.html.columns import COLUMNS, Columns, State
from tests.report.feed import SIZE, feed
from tests.report.html.runs import course_of


@pytest.mark.parametrize("hosts", [1, 7, 300])
def test_every_host_is_somewhere_at_every_moment(hosts):
    columns = Columns(course_of(feed(hosts)), {})
    assert [sum(counts) for counts in columns.counts] == [hosts] * COLUMNS
    report = feed(hosts)[-1].report
    last = columns.counts[-1]
    good = report.count(HostStatus.VERIFIED, HostStatus.ALREADY_PRESENT)
    assert last[State.DONE] == good
    assert last[State.FAILED] == report.count(HostStatus.FAILED)
    assert last[State.UNREACHABLE] == report.count(HostStatus.UNREACHABLE)


def test_bytes_only_grow_and_end_at_what_hosts_have():
    columns = Columns(course_of(feed(300)), {})
    for host in columns.hosts:
        assert list(host.fractions) == sorted(host.fractions)
        if host.host.status is not None and host.host.status.good:
            assert host.fractions[-1] == 1.0


def test_what_arrived_is_what_was_moved():
    events = [e for e in feed(100) if not (isinstance(e, HostFinished) and not e.status.good)]
    columns = Columns(course_of(events), {})
    moved = sum(columns.rates) * columns.end / COLUMNS
    present = sum(h.host.status is HostStatus.ALREADY_PRESENT for h in columns.hosts)
    assert present > 0
    assert moved == pytest.approx(columns.bytes_done[-1] - present * SIZE)


def test_what_a_host_held_before_did_not_arrive():
    course = course_of(
        [
            RunStarted(0.0, "r", "deploy", ("a",), "mesh", "tracker", True),
            SourceReady(0.0, "m", "ab", 1000, 10, 100, 1),
            HostPhaseChanged(1.0, "a", HostPhase.EXCHANGING),
            HostProgress(2.0, "a", 700, 1000, 1.0, 0.0),
            HostPhaseChanged(4.0, "a", HostPhase.VERIFYING),
            HostFinished(5.0, "a", HostStatus.VERIFIED),
        ]
    )
    columns = Columns(course, {"a": 600})
    assert sum(columns.rates) * columns.end / COLUMNS == pytest.approx(400)
    at_one = next(i for i, at in enumerate(columns.times) if at >= 1.0)
    assert columns.hosts[0].fractions[at_one] == pytest.approx(0.6, abs=0.01)


def test_a_run_without_hosts_or_source_is_no_trouble():
    assert Columns(Course(), {}).hosts == []
    started = RunStarted(0.0, "r", "deploy", ("a",), "mesh", "tracker", True)
    columns = Columns(course_of([started]), {})
    assert columns.counts[-1][State.WAITING] == 1
    assert columns.rates == columns.bytes_done == [0.0] * COLUMNS
