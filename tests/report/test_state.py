"""The state keeps its sums in step with what the hosts said."""

from fleetpush.deploy.progress import (
    HostFinished,
    HostPhase,
    HostPhaseChanged,
    HostProgress,
    RunStarted,
    SourceHashing,
    SourceReady,
)
from fleetpush.deploy.results import HostStatus
from fleetpush.report.state import RunPhase, RunState
from tests.report.feed import feed, names

SIZE = 1000


def started(*hosts):
    state = RunState()
    state.fold(RunStarted(0.0, "r", "deploy", hosts, "mesh", "tracker", True))
    state.fold(SourceReady(0.0, "f", "ab", SIZE, 65536, 1, 1))
    return state


def exchanging(state, at, *hosts):
    for host in hosts:
        state.fold(HostPhaseChanged(at, host, HostPhase.EXCHANGING))


def test_sums_agree_with_the_hosts_after_every_event():
    state = RunState()
    for event in feed(120):
        state.fold(event)
        kept = [host for host in state.hosts.values() if not host.lost]
        assert state.bytes_done == sum(host.bytes_done for host in kept)
        assert abs(state.rate - sum(host.rate_in for host in kept)) < 1
        assert sum(state.phases.values()) == len(state.hosts)
        assert state.lost + state.good + len(state.unfinished()) == len(state.hosts)


def test_what_hosts_held_before_is_summed_but_for_those_that_are_lost():
    state = started("a", "b")
    exchanging(state, 1.0, "a", "b")
    for host, reused in (("a", 300), ("b", 500), ("a", 400)):
        state.fold(HostProgress(2.0, host, 0, SIZE, 0.0, 0.0, "", reused))
    assert state.bytes_reused == 900
    state.fold(HostFinished(3.0, "b", HostStatus.FAILED, "io_error", "a disk broke"))
    assert state.bytes_reused == 400


def test_phases_come_in_order():
    state, seen = RunState(), []
    for event in feed(40):
        state.fold(event)
        if state.phase not in seen:
            seen.append(state.phase)
    assert seen == sorted(RunPhase, key=lambda phase: phase.rank)


def test_hashing_is_shown_until_the_source_is_known():
    state = RunState()
    state.fold(RunStarted(0.0, "r", "deploy", names(2), "mesh", "tracker", True))
    state.fold(SourceHashing(0.5, 10, 100))
    assert state.phase is RunPhase.HASHING


def test_a_lost_host_no_longer_counts_as_work():
    state = started("a", "b")
    exchanging(state, 1.0, "a", "b")
    state.fold(HostProgress(2.0, "a", 400, SIZE, 100.0, 0.0))
    state.fold(HostProgress(2.0, "b", 600, SIZE, 100.0, 0.0))
    state.fold(HostFinished(3.0, "a", HostStatus.FAILED, "no_space", "full"))
    assert (state.bytes_done, state.bytes_total, state.rate) == (600, SIZE, 100.0)


def test_a_host_has_one_last_word():
    state = started("a")
    state.fold(HostFinished(1.0, "a", HostStatus.FAILED, "no_space", "full"))
    state.fold(HostFinished(2.0, "a", HostStatus.VERIFIED))
    state.fold(HostProgress(3.0, "a", 10, SIZE, 5.0, 0.0))
    assert (state.good, state.lost, state.rate) == (0, 1, 0.0)


def test_unknown_hosts_are_left_out():
    state = started("a")
    state.fold(HostFinished(1.0, "z", HostStatus.VERIFIED))
    exchanging(state, 1.0, "z")
    assert (state.good, list(state.hosts)) == (0, ["a"])


def test_the_time_left_is_that_of_the_slowest_host():
    state = started("fast", "slow")
    exchanging(state, 0.0, "fast", "slow")
    for at in (0.0, 1.0, 2.0):
        state.fold(HostProgress(at, "fast", int(at * 400), SIZE, 400.0, 0.0))
        state.fold(HostProgress(at, "slow", int(at * 10), SIZE, 10.0, 0.0))
    assert state.time_left(2.0) == (SIZE - 20) / 10.0


def test_a_pause_of_a_moment_does_not_foretell_hours():
    state = started("a", "b")
    exchanging(state, 0.0, "a", "b")
    for host, rate in (("a", 50.0), ("b", 0.0)):
        state.fold(HostProgress(0.0, host, 0, SIZE, 50.0, 0.0))
        state.fold(HostProgress(10.0, host, 500, SIZE, rate, 0.0))
    assert state.time_left(10.0) == 20.0


def test_a_host_without_new_bytes_is_stalled_until_one_comes():
    state = started("a")
    exchanging(state, 0.0, "a")
    host = state.hosts["a"]
    assert not host.stalled(9.0)
    assert host.stalled(10.0)
    state.fold(HostProgress(10.0, "a", 0, SIZE, 0.0, 0.0))
    assert host.stalled(10.0)
    state.fold(HostProgress(11.0, "a", 1, SIZE, 1.0, 0.0))
    assert not host.stalled(11.0)
