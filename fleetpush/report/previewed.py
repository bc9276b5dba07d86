"""A look beforehand as people read it: what a deploy would do where, alike hosts together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.report.errand import errand
from fleetpush.report.quantities import size
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fleetpush.deploy.errand import HostAnswer
    from fleetpush.deploy.preview import Finding, PreviewReport

SHOWN = 8
"""Paths of each kind that are spelled out; -o json has all of them."""


def previewed(report: PreviewReport) -> Iterator[str]:
    """The lines to print on stdout."""
    total = ""
    if report.source is not None:
        manifest = report.source.manifest
        files = f"{len(manifest.files):,} files, " if len(manifest.files) != 1 else ""
        total = size(manifest.size)
        yield f"{clean(report.source.name)}: {files}{total}; nothing was changed"

    def said(result: HostAnswer) -> str:
        return _said(report.findings[result.host], total, single=report.single)

    def more(result: HostAnswer) -> tuple[str, ...]:
        return () if report.single else tuple(_lists(report.findings[result.host]))

    yield from errand(report.errand, said, more)


def _said(finding: Finding, total: str, *, single: bool) -> str:
    if finding.would == "nothing":
        return f"already there at {finding.dest}"
    if finding.would == "create":
        return f"would be created at {finding.dest}, {total}"
    if finding.would == "switch":
        return f"would switch {finding.dest} to a release that is there"
    if single and finding.replaced:
        return f"would be replaced at {finding.dest}, {size(finding.replaced[0].size)} by {total}"
    if single:
        return f"would get another mode or owner at {finding.dest}"
    counts = ", ".join(f"{count:,} {what}" for what, count in _counts(finding) if count)
    return f"would be brought up to date at {finding.dest}: {counts}"


def _counts(finding: Finding) -> Iterator[tuple[str, int]]:
    yield "created", len(finding.created)
    yield "replaced", len(finding.replaced)
    yield "with another mode, time or owner", len(finding.adjusted)
    yield "links", len(finding.links)
    yield "directories", len(finding.directories)
    yield "removed", len(finding.removed)


def _lists(finding: Finding) -> Iterator[str]:
    replaced = [f"{each.path} ({size(each.size)} now)" for each in finding.replaced]
    kinds = (
        ("created", finding.created),
        ("replaced", replaced),
        ("mode, time or owner", finding.adjusted),
        ("links", finding.links),
        ("directories", finding.directories),
        ("removed", finding.removed),
    )
    for kind, paths in kinds:
        if paths:
            yield f"{kind}: {_some(paths)}"


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more
