"""``--metrics``: read by both parsers of Prometheus' own library, whatever a job is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from fleetpush.deploy.results import Timing
from fleetpush.report.metrics import metrics
from fleetpush.report.sanitise import clean
from tests.report.endings import NIGHT, ended, not_begun, report_of


def read(text, job_name="nightly"):
    """The figures, by name and status; both formats say the same, and each series names its job."""
    found = []
    for parse in (prometheus, openmetrics):
        families = list(parse(text))
        assert {family.type for family in families} == {"gauge"}
        assert all(family.documentation for family in families)
        samples = [sample for family in families for sample in family.samples]
        assert {sample.labels["job_name"] for sample in samples} == {job_name}
        assert {sample.timestamp for sample in samples} == {None}
        found.append({(s.name, s.labels.get("status")): s.value for s in samples})
        assert len(found[-1]) == len(samples)
    assert found[0] == found[1]
    prefix = "fleetpush_last_"
    return {
        name.removeprefix(prefix) + (f" {of}" if of else ""): v
        for (name, of), v in found[0].items()
    }


def test_a_run_is_told_in_figures():
    report = report_of(1000)
    found = read(metrics(ended(report), "nightly"))
    assert found == {
        "run_timestamp_seconds": NIGHT.timestamp() + 20,
        "run_success": 0,
        "run_exit_code": 3,
        "run_duration_seconds": report.timing.total_s,
        "run_hosts verified": 970,
        "run_hosts already_present": 20,
        "run_hosts failed": 5,
        "run_hosts unreachable": 5,
        "run_content_bytes": report.size,
        "run_origin_sent_bytes": report.traffic.origin_bytes_sent,
        "run_peers_sent_bytes": report.traffic.peer_bytes_sent,
        "run_cross_rack_sent_bytes": 0,
        "run_makespan_seconds": report.timing.makespan_s,
        "run_bound_seconds": report.timing.bound_s,
        "run_makespan_ratio": report.timing.ratio,
    }


def test_what_was_not_measured_is_not_there():
    found = read(metrics(ended(report_of(4, timing=Timing(total_s=2.0))), "nightly"))
    assert not [name for name in found if "makespan" in name or "bound" in name]
    assert found["run_duration_seconds"] == 2.0


def test_a_run_that_never_began_is_told_too():
    found = read(metrics(not_begun(75, "another run holds the lock", "locked"), "nightly"))
    assert found == {
        "run_timestamp_seconds": NIGHT.timestamp() + 1.5,
        "run_success": 0,
        "run_exit_code": 75,
        "run_duration_seconds": 1.5,
    }


def test_the_last_success_survives_failures_and_is_that_of_the_same_job():
    well = metrics(ended(report_of(4)), "nightly")
    assert read(well)["success_timestamp_seconds"] == NIGHT.timestamp() + 20
    failed = metrics(ended(report_of(12)), "nightly", well)
    again = metrics(not_begun(5, "no", "bad_input"), "nightly", failed)
    assert read(again)["success_timestamp_seconds"] == NIGHT.timestamp() + 20
    other = metrics(ended(report_of(12)), "other", well)
    assert "success_timestamp_seconds" not in read(other, "other")


@pytest.mark.parametrize(
    "before", ["", "\0", "fleetpush_last_success_timestamp_seconds", "x" * 100_000]
)
def test_a_file_that_says_nothing_of_it_does_not_matter(before):
    text = metrics(ended(report_of(12)), "nightly", before)
    assert text == metrics(ended(report_of(12)), "nightly")


NAMES = st.text(st.one_of(st.characters(), st.sampled_from('\\"\n{},= #')), max_size=30)


@given(NAMES)
def test_whatever_a_job_is_called_it_is_one_label(name):
    text = metrics(ended(report_of(4)), name)
    found = read(text, clean(name))
    kept = read(metrics(not_begun(5, "no", "bad"), name, text), clean(name))
    assert kept["success_timestamp_seconds"] == found["success_timestamp_seconds"]
