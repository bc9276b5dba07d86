"""Lost time in words: each fits a line of eighty beside its name, however many hosts it is about."""

from dataclasses import replace

import pytest

from fleetpush.deploy.results import LostTime
from fleetpush.report.lost import COLUMNS, lost_time

REASONS = ["", "processor", "whole_core", "disk", "over_ssh", "paused", "bwlimit"]


@pytest.mark.parametrize(
    "cause", ["late_hosts", "slow_hosts", "proving", "origin", "origin_copies", "last_hosts"]
)
@pytest.mark.parametrize("count", [1, 3, 1000])
@pytest.mark.parametrize("held_by", REASONS)
def test_a_line_names_hosts_folded(cause, count, held_by):
    names = tuple(f"node{n}" for n in range(100, 100 + count))
    lost = LostTime(
        *(cause, 34.5, names),
        rate=123.4e6,
        usual_rate=567.8e6,
        copies=12.3,
        held_by=held_by,
        held_s=12.3,
        share=0.99,
    )
    line = lost_time(lost)
    assert ("node100" if count == 1 else f"node[100-{99 + count}]") in line
    assert len(line) <= COLUMNS


@pytest.mark.parametrize("held_by", REASONS[1:])
def test_of_rates_and_a_reason_the_reason_stays(held_by):
    lost = LostTime("slow_hosts", 34.5, hosts=("node7",), rate=123.4e6, usual_rate=567.8e6)
    assert lost_time(lost) == "34.5s to node7: 123.4 MB/s in, others 567.8 MB/s"
    for names in (lost.hosts, tuple(f"node{n}" for n in range(10000, 11000))):
        told = lost_time(replace(lost, hosts=names, held_by=held_by, held_s=12.3, share=0.99))
        assert ";" in told


def test_names_that_cannot_be_folded_are_counted():
    names = tuple(f"{word}.example.org" for word in ("alpha", "bravo", "charlie", "delta"))
    line = lost_time(LostTime("last_hosts", 2.0, hosts=names))
    assert line == "2.00s from half of the hosts to the last, 4 like alpha.example.org"


def test_nothing_in_a_name_drives_a_terminal():
    assert "\x1b" not in lost_time(LostTime("last_hosts", 2.0, hosts=("\x1b[2J",)))


def test_what_a_later_version_wrote_into_the_history_is_shown_as_it_is():
    assert lost_time(LostTime("sunspots", 2.0)) == "2.00s: sunspots"
