"""``--junit``: the run as a test report, a case a host, as GitLab, Jenkins and GitHub's viewers read it.

A failed host is a failure, one that was never reached an error. The names of cases do not change from run to
run, so that a viewer can say since when a host fails.
"""

from __future__ import annotations

import socket
from datetime import UTC
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from fleetpush.deploy.results import HostStatus
from fleetpush.report.exit_status import meaning
from fleetpush.report.recap import recap
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from fleetpush.deploy.results import HostResult, RunReport
    from fleetpush.report.ending import Ending

THE_RUN = "the run as a whole"
"""The case that fails where no host's does: the run did not begin, or was ended from outside."""


def junit(ending: Ending) -> str:
    """The document. Every text in it is safe: no character that XML forbids, none that drives a terminal."""
    report = ending.report
    total = report.timing.total_s if report else (ending.ended - ending.began).total_seconds()
    suite = Element("testsuite", {"name": f"fleetpush {clean(ending.command)}"})
    _properties(suite, ending)
    for result in report.results if report else ():
        _host(suite, ending, result)
    if not ending.ok and not ending.lost:
        case = _case(suite, ending, THE_RUN, total)
        _problem(case, "error", ending.slug or f"exit_{ending.exit_code}", _why(ending))
    SubElement(suite, "system-out").text = (
        "\n".join(line.plain for line in recap(report)) if report else ""
    )
    SubElement(suite, "system-err").text = clean(ending.error)
    _count(suite, ending, total)
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _count(suite: Element, ending: Ending, total: float) -> None:
    """The attributes that both usual schemas, Ant's and Jenkins', want or allow."""
    began = ending.began.astimezone(UTC).replace(tzinfo=None)
    suite.attrib |= {
        "tests": str(len(suite.findall("testcase"))),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "skipped": "0",
        "time": f"{total:.3f}",
        "timestamp": began.isoformat(timespec="seconds"),
        "hostname": clean(socket.gethostname()) or "localhost",
        "package": "fleetpush",
        "id": "0",
    }


def _properties(suite: Element, ending: Ending) -> None:
    found = {"exit_code": str(ending.exit_code)}
    if ending.report is not None:
        found |= _figures(ending.report)
    properties = SubElement(suite, "properties")
    for name, value in found.items():
        SubElement(properties, "property", {"name": name, "value": clean(value)})


def _figures(report: RunReport) -> dict[str, str]:
    found = {"run_id": report.run_id, "topology": report.topology, "source": report.manifest_name}
    found |= {"size": str(report.size), "digest": report.manifest_digest}
    if report.timing.makespan_s is not None:
        found["makespan_s"] = f"{report.timing.makespan_s:.3f}"
    if report.timing.ratio is not None:
        found["ratio"] = f"{report.timing.ratio:.3f}"
    return found


def _host(suite: Element, ending: Ending, result: HostResult) -> None:
    at = ending.finished_at.get(result.host, result.verified_at_s or 0.0)
    case = _case(suite, ending, result.host, at)
    if result.status is HostStatus.UNREACHABLE:
        _problem(case, "error", result.slug, result.message)
    elif not result.status.good:
        _problem(case, "failure", result.slug, result.message)


def _case(suite: Element, ending: Ending, name: str, seconds: float) -> Element:
    attributes = {"classname": f"fleetpush.{clean(ending.command)}", "name": clean(name)}
    return SubElement(suite, "testcase", {**attributes, "time": f"{seconds:.3f}"})


def _problem(case: Element, kind: str, slug: str, message: str) -> None:
    sentence = clean(message)
    problem = SubElement(case, kind, {"type": clean(slug), "message": sentence})
    problem.text = f"{clean(slug)}: {sentence}"


def _why(ending: Ending) -> str:
    told = ending.error or (ending.report.error if ending.report else "")
    return told or f"exit {ending.exit_code}: {meaning(ending.exit_code)}"
