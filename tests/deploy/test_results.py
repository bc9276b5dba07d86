"""A report and its JSON document say the same."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.results import (
    FileSum,
    HostResult,
    HostStatus,
    LostTime,
    OriginResult,
    RunReport,
    Timing,
    Traffic,
)
from tests.report.feed import feed

SECONDS = st.none() | st.floats(0, 1e9)
COUNT = st.integers(0, 2**63 - 1)
REPORTS = st.builds(
    RunReport,
    files=st.lists(st.builds(FileSum, size=COUNT), max_size=3).map(tuple),
    results=st.lists(
        st.builds(
            HostResult,
            dest=st.text(),
            slug=st.text(),
            message=st.text(),
            chunks_reused=COUNT,
            bytes_received=COUNT,
            bytes_sent=COUNT,
            connected_at_s=SECONDS,
            verified_at_s=SECONDS,
            activated=st.booleans(),
            digest=st.none() | st.text(),
            over_ssh=st.text(),
        ),
        max_size=4,
    ).map(tuple),
    timing=st.builds(
        Timing,
        connect_s=SECONDS,
        bootstrap_s=SECONDS,
        makespan_s=SECONDS,
        bound_s=SECONDS,
        bound_source=st.text(),
        total_s=st.floats(0, 1e9),
    ),
    traffic=st.builds(Traffic, COUNT, COUNT, COUNT, COUNT),
    error=st.text(),
    origins=st.lists(
        st.builds(
            OriginResult,
            slug=st.text(),
            message=st.text(),
            files=st.lists(st.text(), max_size=2).map(tuple),
            bytes_sent=COUNT,
        ),
        max_size=2,
    ).map(tuple),
    lost_time=st.lists(
        st.builds(
            LostTime,
            seconds=st.floats(0, 1e9),
            hosts=st.lists(st.text(), max_size=2).map(tuple),
            rate=SECONDS,
            held_by=st.text(),
        ),
        max_size=3,
    ).map(tuple),
)


@given(REPORTS)
def test_json_gives_the_report_back(report):
    document = json.loads(json.dumps(report.as_json()))
    assert RunReport.from_json(document) == report
    for name in ("origins", "lost_time"):  # as earlier versions wrote it
        del document[name]
    assert RunReport.from_json(document) == replace(report, origins=(), lost_time=())


def test_what_is_counted_comes_from_the_results():
    report = feed(300)[-1].report
    hosts = report.as_json()["hosts"]
    assert hosts["total"] == hosts["verified"] + hosts["failed"] + hosts["unreachable"] == 300
    assert hosts["already_present"] == report.count(HostStatus.ALREADY_PRESENT) > 0


@pytest.mark.parametrize("gone", ["run_id", "manifest", "results", "timing"])
def test_what_is_no_report_is_refused(gone):
    document = replace(feed(2)[-1].report, error="odd").as_json()
    del document[gone]
    with pytest.raises(KeyError):
        RunReport.from_json(document)
