"""Runs that have ended one way or another, for the tests of what they leave behind."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from fleetpush.deploy.results import HostResult, HostStatus
from fleetpush.report.ending import Ending
from tests.report.feed import feed

NIGHT = datetime(2026, 1, 5, 3, 0, 0, tzinfo=UTC)


def ended(report, exit_code=None, **more):
    """A run with a report, 20 s after it began."""
    return Ending(
        command="deploy",
        exit_code=report.exit_code if exit_code is None else exit_code,
        began=NIGHT,
        ended=NIGHT + timedelta(seconds=20),
        report=report,
        **more,
    )


def not_begun(exit_code, error, slug):
    """A run that could not begin, after a second and a half."""
    ended = NIGHT + timedelta(seconds=1.5)
    return Ending(
        command="deploy", exit_code=exit_code, began=NIGHT, ended=ended, error=error, slug=slug
    )


def report_of(hosts=12, **changes):
    """The scripted run's report: of 12 hosts, node6 fails and speaks in escapes."""
    return replace(feed(hosts)[-1].report, **changes)


def failing(messages, *, slug="io_error", exit_code=3):
    """A report of hosts that all failed, each with its message."""
    results = tuple(
        HostResult(host, HostStatus.FAILED, slug=slug, message=message)
        for host, message in messages.items()
    )
    return report_of(results=results, exit_code=exit_code)


def figures(path):
    """The series in a file of metrics, by name and by what they are of."""
    samples = [
        s for family in text_string_to_metric_families(path.read_text()) for s in family.samples
    ]
    return {s.name.removeprefix("fleetpush_last_"): s.value for s in samples}, {
        s.labels["job_name"] for s in samples
    }
