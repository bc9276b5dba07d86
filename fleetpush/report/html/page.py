"""The page: figures, failures, pictures, who was slow, every host. All text that is not ours is escaped.

It needs no network and no script, and its own policy allows it neither.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
from markupsafe import Markup

from fleetpush.deploy.results import HostStatus
from fleetpush.inventory.nodeset import fold
from fleetpush.report.exit_status import meaning
from fleetpush.report.failures import FailureGroups
from fleetpush.report.html import charts, palette
from fleetpush.report.html.columns import Columns, State
from fleetpush.report.html.heat import heat_map, margin
from fleetpush.report.html.slow import laggards
from fleetpush.report.lost import lost_time
from fleetpush.report.quantities import duration, hosts, rate, size
from fleetpush.report.recap import served_over_ssh
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fleetpush.deploy.history.course import Course
    from fleetpush.deploy.history.record import RunRecord
    from fleetpush.deploy.results import RunReport
    from fleetpush.report.html.slow import Span

_HERE = Path(__file__).parent
_BAR = 240.0
_NOTICES_SHOWN = 50


class Figure(NamedTuple):
    """One of the figures at the top."""

    name: str
    value: str
    note: str = ""


def page(run: RunRecord, report: RunReport, course: Course | None) -> str:
    """The whole document. ``course`` is None where nothing is known of how it went."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        finalize=_cleaned,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "size": size, "hosts": hosts}
    context = {
        **_colours(),
        "run": run,
        "report": report,
        "began": _moment(run.began),
        "title": clean(report.manifest_name) or "nothing",
        "verdict": _verdict(run),
        "figures": list(_figures(report)),
        "failures": _failures(report),
        "facts": list(_facts(run, report)),
        "status": HostStatus,
        **_pictures(report, course),
    }
    return environment.get_template("page.html.jinja").render(context)


def _cleaned(value: object) -> object:
    """Control characters and the like are spelled out; what is markup of ours stays."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _colours() -> dict[str, Any]:
    return {
        "style": Markup((_HERE / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - a file of ours
        "light": Markup(palette.variables(dark=False)),  # noqa: S704 - our own words and numbers
        "dark": Markup(palette.variables(dark=True)),  # noqa: S704 - as above
        "ramps": [
            Markup(f"linear-gradient(90deg, {', '.join(palette.ramp(dark))})")  # noqa: S704 - as above
            for dark in (False, True)
        ],
        "legend": [palette.WORDS[state] for state in State],
    }


def _pictures(report: RunReport, course: Course | None) -> dict[str, Any]:
    if course is None or not course.hosts:
        return {"heat": None, "notices": [], "more_notices": 0}
    reused = {r.host: r.chunks_reused * report.chunk_size for r in report.results}
    columns = Columns(course, reused)
    slow = laggards(course)
    left = margin(columns)
    mean = charts.mean_rate(columns, report)
    completion = charts.completion(columns, report, left)
    moved = any(columns.rates)
    end = max((host.ended for host in slow.hosts), default=0.0)
    told = [notice for notice in course.notices if notice.level != "info"]
    return {
        "completion": completion,
        "throughput": charts.throughput(columns, report, left) if moved else None,
        "peak": rate(max(columns.rates)),
        "mean": rate(mean) if mean is not None else "",
        "bound": "bound" if 'class="bound"' in completion else "",
        "heat": heat_map(columns),
        "slow": slow,
        "bars": {host.name: _bar(host.spans, end) for host in slow.hosts},
        "notices": told[:_NOTICES_SHOWN],
        "more_notices": len(told[_NOTICES_SHOWN:]) + course.notices_dropped,
        "seen": {state for counts in columns.counts for state in State if counts[state]},
    }


def _bar(spans: Sequence[Span], end: float) -> Markup:
    """A host's phases, one after the other; the longest host of the table fills the width."""
    parts = [
        Markup(
            '<rect x="{:.1f}" y="0" width="{:.1f}" height="12" style="fill:var(--{})">'
            "<title>{} for {}</title></rect>"
        ).format(
            _BAR * span.began / end,
            max(0.5, _BAR * span.seconds / end),
            palette.WORDS[span.state],
            palette.WORDS[span.state],
            duration(span.seconds),
        )
        for span in spans
        if end
    ]
    return Markup('<svg class="bar" viewBox="0 0 {:g} 12" role="img">{}</svg>').format(
        _BAR, Markup("").join(parts)
    )


def _verdict(run: RunRecord) -> str:
    if run.exit_code is None:
        return (
            "still going on" if run.status == "running" else "its process was killed before the end"
        )
    return f"exit {run.exit_code}: {meaning(run.exit_code)}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="seconds")


def _figures(report: RunReport) -> Iterator[Figure]:
    timing, traffic = report.timing, report.traffic
    good = report.count(HostStatus.VERIFIED, HostStatus.ALREADY_PRESENT)
    present = report.count(HostStatus.ALREADY_PRESENT)
    note = f"{present:,} had it already" if present else ""
    yield Figure("verified", f"{good:,}/{len(report.results):,}", note)
    if timing.makespan_s is not None:
        yield Figure("makespan", duration(timing.makespan_s), "first byte to last host verified")
    if timing.bound_s is not None:
        yield Figure("bound", duration(timing.bound_s), timing.bound_source or "the least possible")
    if timing.ratio is not None:
        yield Figure("ratio", f"{timing.ratio:.2f}", "makespan / bound")
    if timing.makespan_s:
        yield Figure("a host's rate", rate(report.size / timing.makespan_s), "size / makespan")
    if report.size and traffic.origin_bytes_sent:
        copies = traffic.origin_bytes_sent / report.size
        yield Figure("from this machine", f"{copies:.2f} copies", size(traffic.origin_bytes_sent))
    yield Figure("in all", duration(timing.total_s), "with connecting and leaving")


def _failures(report: RunReport) -> FailureGroups:
    groups = FailureGroups()
    for result in report.results:
        if not result.status.good:
            unreachable = result.status is HostStatus.UNREACHABLE
            groups.add(result.host, result.slug, result.message, unreachable=unreachable)
    return groups


def _facts(run: RunRecord, report: RunReport) -> Iterator[tuple[str, str]]:
    yield "run", run.id
    if run.retry_of:
        yield "a retry of", run.retry_of
    encrypt = "" if report.encrypt else ", not encrypted between peers"
    yield "topology", f"{report.topology}, {report.discovery}{encrypt}"
    for dest, names in sorted(_destinations(report).items(), key=lambda item: -len(item[1]))[:5]:
        yield (
            "destination",
            f"{dest} on {fold(names)}" if len(names) < len(report.results) else dest,
        )
    if report.manifest_digest:
        chunks = f"{report.chunks:,} chunk{'' if report.chunks == 1 else 's'}"
        yield "content", f"{size(report.size)} in {chunks} of {size(report.chunk_size)}"
        yield "digest", report.manifest_digest
    for file in report.files[:20]:
        yield "sha256", f"{file.sha256 or 'not known'}  {file.path} ({size(file.size)})"
    for lost in report.lost_time:
        yield "lost time", lost_time(lost)
    for names, why in served_over_ssh(report):
        yield "over SSH", f"{fold(names)}: {why}"
    traffic = report.traffic
    if traffic.peer_bytes_sent or traffic.origin_bytes_sent:
        yield "sent by this machine", size(traffic.origin_bytes_sent)
        yield "sent by the hosts", size(traffic.peer_bytes_sent)
        if traffic.cross_rack_bytes:
            yield "between racks", size(traffic.cross_rack_bytes)
        yield "over SSH", size(traffic.control_bytes)
    yield "fleetpush", run.version


def _destinations(report: RunReport) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for result in report.results:
        if result.status.good and result.dest:
            found.setdefault(result.dest, []).append(result.host)
    return found
