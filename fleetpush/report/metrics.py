"""``--metrics``: the last run in figures, for the textfile collector of Prometheus' node_exporter.

The text is both at once: Prometheus' text format 0.0.4, which the collector reads, and OpenMetrics. A run
that failed or never began is in it too, and keeps the time of the last one that was well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.deploy.results import HostStatus
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleetpush.deploy.results import RunReport
    from fleetpush.report.ending import Ending

_SUCCESS_AT = "fleetpush_last_success_timestamp_seconds"


class _Gauge(NamedTuple):
    name: str
    help: str
    value: float | None
    """None: the run never got there, and the series is left out."""


def metrics(ending: Ending, job_name: str, before: str = "") -> str:
    """The file's text. ``before`` is what stands in it now: the last success is taken over from there."""
    label = f'job_name="{_escaped(job_name)}"'
    blocks = [_block(gauge, f"{{{label}}}") for gauge in _of_any(ending, label, before)]
    if ending.report is not None:
        blocks.append(_hosts(ending.report, label))
        blocks += [_block(gauge, f"{{{label}}}") for gauge in _of_report(ending.report)]
    return "".join(blocks) + "# EOF\n"


def _of_any(ending: Ending, label: str, before: str) -> Iterator[_Gauge]:
    at = ending.ended.timestamp()
    well_at = at if ending.ok else _value(before, f"{_SUCCESS_AT}{{{label}}}")
    yield _Gauge("fleetpush_last_run_timestamp_seconds", "When the last run ended.", at)
    yield _Gauge(_SUCCESS_AT, "When the last run with exit code 0 ended.", well_at)
    yield _Gauge("fleetpush_last_run_success", "Whether its exit code was 0.", int(ending.ok))
    yield _Gauge(
        "fleetpush_last_run_exit_code",
        "Its exit code: see the table in fleetpush deploy --help.",
        ending.exit_code,
    )
    total = ending.report.timing.total_s if ending.report else None
    seconds = (ending.ended - ending.began).total_seconds() if total is None else total
    yield _Gauge("fleetpush_last_run_duration_seconds", "How long it took in all.", seconds)


def _hosts(report: RunReport, label: str) -> str:
    name = "fleetpush_last_run_hosts"
    lines = [f"# HELP {name} Its hosts, each in one status.", f"# TYPE {name} gauge"]
    for status in HostStatus:
        lines.append(f'{name}{{{label},status="{status.value}"}} {report.count(status)}')
    return "\n".join(lines) + "\n"


def _of_report(report: RunReport) -> Iterator[_Gauge]:
    timing, traffic = report.timing, report.traffic
    prefix = "fleetpush_last_run_"
    yield _Gauge(f"{prefix}content_bytes", "Size of what was deployed.", report.size)
    yield _Gauge(
        f"{prefix}origin_sent_bytes",
        "Sent to peers by this machine, or by the hosts that sources are on.",
        traffic.origin_bytes_sent,
    )
    yield _Gauge(
        f"{prefix}peers_sent_bytes", "Sent to each other by the hosts.", traffic.peer_bytes_sent
    )
    yield _Gauge(
        f"{prefix}cross_rack_sent_bytes", "Sent from rack to rack.", traffic.cross_rack_bytes
    )
    yield _Gauge(
        f"{prefix}makespan_seconds", "First byte sent to last host verified.", timing.makespan_s
    )
    yield _Gauge(f"{prefix}bound_seconds", "The least time that physics allows.", timing.bound_s)
    yield _Gauge(f"{prefix}makespan_ratio", "The makespan by the bound.", timing.ratio)


def _block(gauge: _Gauge, labels: str) -> str:
    if gauge.value is None:
        return ""
    value = gauge.value if isinstance(gauge.value, int) else repr(float(gauge.value))
    return f"# HELP {gauge.name} {gauge.help}\n# TYPE {gauge.name} gauge\n{gauge.name}{labels} {value}\n"


def _escaped(text: str) -> str:
    """A label's value as both formats write it."""
    return clean(text).replace("\\", "\\\\").replace('"', '\\"')


def _value(text: str, series: str) -> float | None:
    """What ``text`` says of ``series``, as this module wrote it; None if nothing."""
    found = re.search(rf"^{re.escape(series)} (\d+(?:\.\d+)?)$", text, re.MULTILINE)
    return float(found[1]) if found else None
