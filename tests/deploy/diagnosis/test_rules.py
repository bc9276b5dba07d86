"""Where the time of a run went: by rules that say no more than what was measured."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.diagnosis.evidence import Evidence, Passage, Sender
from fleetpush.deploy.diagnosis.rules import MOST, diagnose
from fleetpush.deploy.said import Spent
from fleetpush.report.lost import lost_time

SIZE = 100_000_000
EASY = Spent(10.0, 2.0, 0.1, 0.1)
"""An agent that mostly had nothing to do."""


def passage(number, **more):
    """A host that was there from the beginning, and done 10 s after the first block."""
    usual = {
        "calling": 0.1,
        "connected": 0.4,
        "greeted": 0.8,
        "ready": 0.9,
        "joined": 0.9,
        "complete": 10.9,
        "verified": 11.0,
        "lacked": SIZE,
        "rack": "",
        "spent": EASY,
    }
    return Passage(f"node{number}", **(usual | more))


def run(*special, hosts=10, bound=10.0, **more):
    """The last hosts are ``special``, the others as usual."""
    usual = [passage(number) for number in range(hosts - len(special))]
    passages = (*usual, *special)
    end = max(host.verified for host in passages)
    return Evidence(1.0, end - 1.0, bound, SIZE, passages, **more)


def told(evidence):
    return [(lost.cause, lost.held_by) for lost in diagnose(evidence)]


SLOW = {"complete": 30.0, "verified": 30.1}


def test_a_run_near_its_bound_has_nothing_to_explain():
    assert diagnose(run()) == ()
    assert diagnose(run(passage(9, complete=11.2, verified=12.0))) == ()


def test_a_short_run_has_nothing_to_explain_though_its_ratio_is_poor():
    assert diagnose(run(bound=9.7)) == ()


def test_who_received_slowly_is_named_with_both_rates():
    (lost,) = diagnose(run(passage(9, **SLOW)))
    assert (lost.cause, lost.hosts) == ("slow_hosts", ("node9",))
    assert lost.seconds == pytest.approx(19.1)
    assert lost.rate == pytest.approx(SIZE / 29)
    assert lost.usual_rate == pytest.approx(SIZE / 9.9)
    assert lost_time(lost) == "19.1s to node9: 3.4 MB/s in, others 10.1 MB/s"


@pytest.mark.parametrize(
    ("more", "held_by", "words"),
    [
        ({"spent": Spent(29, 28, 0.1, 0)}, "whole_core", "; a core busy"),
        ({"spent": Spent(29, 5, 20, 1)}, "processor", "; CPU waits 68%"),
        ({"spent": Spent(29, 5, 1, 20)}, "disk", "; disk waits 68%"),
        ({"over_ssh": "no way"}, "over_ssh", "; over SSH"),
        ({"pause": 15.0}, "paused", "; stuck for 15.0s"),
        ({"spent": None}, "", ""),
        ({"spent": Spent(0.1, 0.1, 0, 0)}, "", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_why_a_host_was_slow_is_said_where_a_figure_says_it(more, held_by, words):
    (lost,) = diagnose(run(passage(9, **SLOW, **more)))
    assert lost.held_by == held_by
    assert lost_time(lost) == "19.1s to node9: 3.4 MB/s in, others 10.1 MB/s" + words


def test_a_whole_rack_that_was_slow_is_called_that():
    racks = [passage(number, rack="r1") for number in range(6)]
    slow = [passage(number, rack="r2", **SLOW) for number in range(6, 9)]
    (lost,) = diagnose(run(*racks, *slow, hosts=9))
    assert (lost.cause, lost.racks) == ("slow_hosts", ("r2",))
    assert lost_time(lost).startswith("19.1s to rack r2 (3 hosts): ")
    one_is_not = [*slow[:-1], replace(slow[-1], complete=10.9, verified=11.0)]
    (lost,) = diagnose(run(*racks, *one_is_not, hosts=9))
    assert (lost.racks, lost.hosts) == ((), ("node6", "node7"))


def test_who_came_late_is_named_with_the_step_that_took_so_long():
    late = {"greeted": 20.4, "ready": 20.9, "joined": 20.9, "complete": 30.0, "verified": 30.1}
    (lost,) = diagnose(run(passage(8, **late), passage(9, **late)))
    assert (lost.cause, lost.held_by, lost.hosts) == ("late_hosts", "agent", ("node8", "node9"))
    assert lost_time(lost) == "19.1s until node[8-9] joined: 20.0s to start an agent"


def test_the_step_is_told_where_most_hosts_were_late_by_it():
    late = {"greeted": 20.4, "ready": 20.9, "joined": 20.9, "complete": 30.0, "verified": 30.1}
    (lost,) = diagnose(run(*(passage(n, **late) for n in range(2, 10))))
    assert (lost.held_by, lost.held_s) == ("agent", pytest.approx(20.0))


def test_hosts_that_all_connected_one_after_another_are_late_by_that():
    hosts = [
        passage(n, calling=0.1, connected=3.0 * n, greeted=3.0 * n + 0.1, ready=3.0 * n + 0.2)
        for n in range(10)
    ]
    hosts = [replace(h, joined=h.ready, complete=h.ready + 3, verified=h.ready + 3) for h in hosts]
    lost = diagnose(Evidence(0.3, 29.9, 3.0, SIZE, tuple(hosts)))[0]
    assert (lost.cause, lost.held_by) == ("late_hosts", "connecting")


def test_who_took_long_to_get_it_all_onto_the_disk_is_named():
    (lost,) = diagnose(run(passage(9, verified=20.9)))
    assert (lost.cause, lost.usual_s) == ("proving", pytest.approx(0.1))
    assert lost_time(lost) == "9.90s from the last block to its proof on node9 (others 0.10s)"


@pytest.mark.parametrize(
    ("more", "held_by", "words"),
    [
        ({}, "", ""),
        ({"bwlimit": 5_000_000}, "bwlimit", "; --bwlimit"),
        ({"spent": Spent(20, 19, 0, 0)}, "whole_core", "; a core busy"),
        ({"hosts": ("nas1",)}, "", ""),
    ],
)
def test_an_origin_that_sends_its_one_copy_until_the_end_sets_the_pace(more, held_by, words):
    hosts = [passage(n, complete=20.9, verified=21.0) for n in range(10)]
    sender = Sender(SIZE + 5, whole_at=20.8, last_at=20.8, **more)
    (lost,) = diagnose(run(*hosts, sender=sender))
    assert (lost.cause, lost.held_by, lost.hosts) == ("origin", held_by, more.get("hosts", ()))
    who = "nas1" if "hosts" in more else "this machine"
    assert lost_time(lost) == f"9.80s: {who} sent one copy in 19.8s, 5.1 MB/s{words}"


def test_an_origin_that_was_done_early_has_set_no_pace():
    hosts = [passage(n, complete=20.9, verified=21.0) for n in range(10)]
    assert diagnose(run(*hosts, sender=Sender(SIZE + 5, whole_at=9.0, last_at=9.0))) == ()


def test_a_star_is_told_by_its_copies():
    hosts = [passage(n, complete=99.0, verified=101.0) for n in range(10)]
    sender = Sender(10 * SIZE, whole_at=11.0, last_at=101.0)
    (lost,) = diagnose(run(*hosts, sender=sender))
    assert lost_time(lost) == "1m30s: this machine sent 10.0 copies, 10.0 MB/s"


@pytest.mark.parametrize(
    ("spent", "words"),
    [
        (Spent(20, 5, 12, 1), "10.0s waiting for a processor, 60% of agents' time"),
        (Spent(20, 5, 1, 8), "8.00s waiting for disks, 40% of agents' time"),
    ],
)
def test_what_most_agents_were_short_of_is_said_once(spent, words):
    hosts = [passage(n, complete=20.9, verified=21.0, spent=spent) for n in range(10)]
    assert [lost_time(lost) for lost in diagnose(run(*hosts))] == [words]


def test_a_time_in_which_nobody_got_anything_is_told_where_all_were_there():
    hosts = [passage(n, complete=20.9, verified=21.0) for n in range(10)]
    quiet = run(*hosts, quiet_from=5.0, quiet=8.0)
    assert told(quiet) == [("quiet", "")]
    assert told(replace(quiet, quiet_from=0.5)) == []


def test_a_last_host_without_a_reason_is_named_without_one():
    # It received as fast as the others when it did: it was let in when they were.
    last = passage(9, complete=None, verified=30.1)
    (lost,) = diagnose(run(last))
    assert lost_time(lost) == "19.1s from half of the hosts to the last, node9"


TIMES = st.none() | st.floats(0, 1e6)
SECONDS = st.floats(0, 1e6)
SPENTS = st.none() | st.builds(Spent, SECONDS, SECONDS, SECONDS, SECONDS)
PASSAGES = st.builds(
    Passage,
    name=st.integers(0, 1200).map("node{}".format) | st.text(max_size=200),
    rack=st.sampled_from(["", "r1", "r2"]) | st.text(max_size=80),
    verified=SECONDS,
    lacked=st.integers(0, 1 << 50),
    calling=TIMES,
    connected=TIMES,
    greeted=TIMES,
    ready=TIMES,
    joined=TIMES,
    complete=TIMES,
    pause=SECONDS,
    over_ssh=st.sampled_from(["", "no way"]),
    spent=SPENTS,
)
RUNS = st.builds(
    Evidence,
    began=SECONDS,
    makespan=SECONDS,
    bound=SECONDS,
    size=st.integers(0, 1 << 50),
    passages=st.lists(PASSAGES, max_size=12).map(tuple),
    sender=st.builds(
        Sender,
        sent=st.integers(0, 1 << 50),
        whole_at=TIMES,
        last_at=SECONDS,
        spent=SPENTS,
        bwlimit=st.none() | st.integers(1, 1 << 40),
    ),
    quiet_from=SECONDS,
    quiet=SECONDS,
)


@given(RUNS)
def test_whatever_was_measured_at_most_three_short_lines_come_of_it(evidence):
    found = diagnose(evidence)
    assert len(found) <= MOST
    for lost in found:
        assert 0 < lost.seconds <= evidence.lost
        line = lost_time(lost)
        assert line.isprintable()
        assert len(line) < 240
