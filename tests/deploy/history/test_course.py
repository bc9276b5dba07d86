"""The course of a run: phases, progress and what held hosts up, and that JSON gives it back."""

import json

from fleetpush.deploy.history.course import NOTICES, Course
from fleetpush.deploy.progress import (
    HostFinished,
    HostPhase,
    HostPhaseChanged,
    HostProgress,
    Notice,
    RunStarted,
    SourceReady,
)
from fleetpush.deploy.results import HostStatus
from tests.report.feed import SIZE, feed


def folded(events):
    course = Course()
    for event in events:
        course.fold(event)
    return course


def one_host(*events):
    started = RunStarted(0.0, "r", "deploy", ("a",), "mesh", "tracker", True)
    return folded([started, *events]).hosts["a"]


def test_a_run_of_every_kind_of_host():
    course = folded(feed(300))
    assert list(course.hosts) == [f"node{n}" for n in range(1, 301)]
    assert isinstance(course.source, SourceReady)
    assert course.hashed == (0.1, 1.0)
    done = course.hosts["node1"]
    assert [phase for _, phase in done.phases][:3] == list(HostPhase)[1:4]
    assert done.status is HostStatus.VERIFIED
    assert done.done.points()[-1][1] == done.bytes_done == SIZE
    assert course.hosts["node200"].status is HostStatus.UNREACHABLE
    slow = course.hosts["node151"]
    assert slow.reasons["disk"] > 10
    assert course.done.points()[-1][1] == sum(h.bytes_done for h in course.hosts.values())


def test_json_gives_it_back():
    course = folded(feed(40))
    document = json.loads(json.dumps(course.as_json()))
    again = Course.from_json(document)
    assert json.loads(json.dumps(again.as_json())) == document
    assert again.source == course.source
    assert again.notices == course.notices
    assert list(again.hosts) == list(course.hosts)


def test_the_longest_pause_is_found():
    exchanging = HostPhaseChanged(1.0, "a", HostPhase.EXCHANGING)
    progress = [
        HostProgress(at, "a", done, 100, 0.0, 0.0, reason)
        for at, done, reason in [(2, 10, ""), (3, 10, "disk"), (9, 10, "disk"), (10, 40, "disk")]
    ]
    host = one_host(
        exchanging, *progress, HostFinished(12.0, "a", HostStatus.FAILED, "stalled", "no")
    )
    assert (host.paused_at, host.pause) == (2, 8)
    assert host.reasons == {"disk": 8}
    assert (host.status, host.slug, host.ended) == (HostStatus.FAILED, "stalled", 12.0)


def test_strangers_and_afterthoughts_are_left_out():
    course = folded(
        [
            RunStarted(0.0, "r", "deploy", ("a",), "mesh", "tracker", True),
            HostFinished(1.0, "a", HostStatus.VERIFIED),
            HostProgress(2.0, "a", 5, 10, 0.0, 0.0),
            HostPhaseChanged(2.0, "a", HostPhase.EXCHANGING),
            HostProgress(2.0, "b", 5, 10, 0.0, 0.0),
            HostFinished(2.0, "b", HostStatus.VERIFIED),
        ]
    )
    assert list(course.hosts) == ["a"]
    assert course.hosts["a"].phases == []
    assert course.bytes_done == 0


def test_a_run_that_complains_without_end_is_bounded():
    course = folded([Notice(1.0, "warning", f"odd {n}") for n in range(NOTICES + 7)])
    assert len(course.notices) == NOTICES
    assert course.notices_dropped == 7
