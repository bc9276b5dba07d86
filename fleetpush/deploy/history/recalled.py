"""The report of a run that is over, as it was, or as far as its killed process had come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.history.record import intact
from fleetpush.deploy.results import HostResult, HostStatus, RunReport, Timing, Traffic

if TYPE_CHECKING:
    from fleetpush.deploy.history.history import History
    from fleetpush.deploy.history.record import HostRecord, RunRecord


def report_of(history: History, run: RunRecord) -> RunReport:
    """Its report. Hosts of a run that ended without one, and had no last word, count as failed.

    Of a run that still goes on it has the hosts that are done. Raises HistoryError for a damaged record.
    """
    document = history.document(run.id)
    if document is not None:
        with intact(run.id):
            return RunReport.from_json(document)
    hosts = history.hosts(run.id)
    course = history.course(run.id)
    with intact(run.id):
        results = [_result(run, host) for host in hosts if host.status or not run.lives]
    last = max((host.ended or 0.0 for host in hosts), default=0.0)
    total = (
        run.ended - run.began if run.ended is not None else max(last, course.at if course else 0)
    )
    return RunReport(
        run_id=run.id,
        command=run.command,
        exit_code=run.exit_code or 0,
        topology=run.topology,
        discovery=run.discovery,
        encrypt=run.encrypt,
        manifest_digest=run.digest,
        manifest_name=run.source,
        size=run.size,
        chunk_size=run.chunk_size,
        chunks=run.chunks,
        files=(),
        results=tuple(results),
        timing=Timing(total_s=total),
        traffic=Traffic(),
        error=run.error,
    )


def document_of(history: History, run: RunRecord) -> dict[str, Any]:
    """What ``-o json`` printed; for a run that came to no report, its like."""
    found = history.document(run.id)
    if found is not None:
        return found
    made: dict[str, Any] = json.loads(json.dumps(report_of(history, run).as_json()))
    return {**made, "exit_code": run.exit_code, "status": run.status}


def _result(run: RunRecord, host: HostRecord) -> HostResult:
    if host.status is None:
        why = (
            run.error or "the command was killed before this host was done; deploy again to resume"
        )
        return HostResult(host.name, HostStatus.FAILED, slug="interrupted", message=why)
    status = HostStatus(host.status)
    return HostResult(
        host.name,
        status,
        slug=host.slug,
        message=host.message,
        verified_at_s=host.ended if status.good else None,
        digest=run.digest if status.good else None,
    )
