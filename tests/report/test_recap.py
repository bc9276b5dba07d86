"""The recap names every host that failed, why, and how fast the others were."""

from dataclasses import replace
from pathlib import Path

import pytest

from fleetpush.deploy.results import HostResult, HostStatus, Timing, Traffic
from fleetpush.inventory.nodeset import expand
from fleetpush.report.recap import recap
from tests.report.feed import ESCAPES, SIZE, feed

GOLDEN = Path(__file__).parent / "golden"


def text(report):
    return "\n".join(line.plain for line in recap(report)) + "\n"


@pytest.mark.parametrize("hosts", [4, 1000])
def test_the_recap_is_as_agreed(hosts):
    assert text(feed(hosts)[-1].report) == (GOLDEN / f"recap-{hosts}.txt").read_text()


def test_the_pattern_to_try_again_is_the_hosts_that_failed():
    report = feed(1000)[-1].report
    last = text(report).splitlines()[-1]
    pattern = last.partition("-l '")[2].removesuffix("'")
    failed = {r.host for r in report.results if not r.status.good}
    assert set(expand(pattern)) == failed


def test_a_thousand_different_messages_stay_readable_and_name_every_host():
    report = feed(4)[-1].report
    results = tuple(
        HostResult(f"node{n}", HostStatus.FAILED, slug="io_error", message=f"sector {n * 7919}")
        for n in range(1000)
    )
    shown = text(replace(report, results=results, exit_code=3))
    assert len(shown.splitlines()) < 40
    assert "995 other messages" in shown
    assert "failed: io_error (1,000 hosts)" in shown


def test_destinations_are_told_apart_and_staged_files_are_called_staged():
    report = feed(4)[-1].report
    first, *rest = report.results
    results = (replace(first, dest="/data/model.pt", activated=False), *rest)
    shown = text(replace(report, results=results))
    assert "/srv/models/model.pt on node[2-4]" in shown
    assert "/data/model.pt on node1 (staged, not activated)" in shown


def test_hosts_that_were_served_over_ssh_are_named_once_with_the_reason():
    report = feed(4)[-1].report
    assert "over SSH" not in text(report)
    results = tuple(replace(r, over_ssh="no way") for r in report.results[:3])
    shown = text(replace(report, results=(*results, *report.results[3:])))
    assert "over SSH     node[1-3]: no way" in shown


def test_a_run_that_never_moved_a_byte_has_no_makespan():
    report = replace(feed(4)[-1].report, timing=Timing(total_s=1.0), traffic=Traffic())
    shown = text(report)
    assert "makespan" not in shown
    assert "ratio" not in shown
    assert "origin" not in shown


def test_an_error_of_the_whole_run_is_said():
    report = replace(feed(4)[-1].report, error="model.pt changed while it was sent", exit_code=5)
    shown = text(report)
    assert "error: model.pt changed while it was sent" in shown
    assert "exit 5: bad inventory, playbook, source or configuration" in shown


def test_failures_and_yet_success_say_that_enough_hosts_have_it():
    shown = text(replace(feed(1000)[-1].report, exit_code=0))
    assert "exit 0: 99% of the hosts have it, which is enough (--min-success)" in shown
    assert "connect_timeout" in shown


def test_a_missed_threshold_says_how_far():
    shown = text(replace(feed(12)[-1].report, exit_code=8))
    assert "exit 8: stopped by the failure threshold; 91.66% of the hosts have it" in shown


def test_nothing_from_a_host_can_drive_the_terminal():
    shown = text(feed(1000)[-1].report)
    assert ESCAPES not in shown
    assert "\x1b" not in shown


def test_what_was_there_before_is_told():
    report = replace(
        feed(4)[-1].report,
        results=(
            HostResult("a", HostStatus.VERIFIED, bytes_reused=SIZE * 95 // 100),
            HostResult("b", HostStatus.VERIFIED, bytes_reused=SIZE * 85 // 100),
            HostResult("c", HostStatus.ALREADY_PRESENT, bytes_reused=SIZE),
            HostResult("d", HostStatus.VERIFIED),
        ),
    )
    assert "reused       90% of it was there before, on 2 hosts" in text(report)
