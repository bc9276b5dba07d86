"""GitHub Actions: the summary of a step in Markdown, and annotations, which are commands on a line each.

Host names and messages are foreign: in the summary every character that Markdown or HTML could take for its
own is a reference to it, in an annotation what ends a property or a line is escaped as the runner wants it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.deploy.results import HostStatus
from fleetpush.inventory.nodeset import fold
from fleetpush.report.exit_status import meaning
from fleetpush.report.failures import FailureGroups
from fleetpush.report.quantities import hosts
from fleetpush.report.recap import facts, verdict
from fleetpush.report.sanitise import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleetpush.deploy.results import RunReport
    from fleetpush.report.ending import Ending
    from fleetpush.report.failures import FailureGroup

SUMMARY_LIMIT = 1024 * 1024
"""Bytes that all summaries of a step may have together; a longer one is not shown at all."""

ANNOTATIONS = 10
"""More of one level in a step are not shown."""

REASONS_SHOWN = 100
REASONS_BYTES = 256 * 1024
NAMES_SHOWN = 2000
"""Characters of a folded list of hosts."""

SENTENCE_SHOWN = 1000
MESSAGES_IN_ANNOTATION = 5

_PLAIN = frozenset(" -,/()=%;'")


# -- the summary


def summary(ending: Ending, room: int = SUMMARY_LIMIT) -> str:
    """Markdown of at most ``room`` bytes: all of it, else the headline, else nothing."""
    report = ending.report
    title = markdown(clean(ending.command))
    if report is not None and report.manifest_name:
        title += f" of {_code(clean(report.manifest_name))} to {hosts(len(report.results))}"
    head = [
        f"### fleetpush {title}: {'passed' if ending.ok else 'failed'}",
        "",
        _verdict(ending),
        "",
    ]
    body = [*head, *_table(report), *_reasons(FailureGroups.of(report))] if report else head
    for lines in (body, head):
        text = "\n".join(lines) + "\n"
        if len(text.encode()) <= room:
            return text
    return ""


def _verdict(ending: Ending) -> str:
    code, report = ending.exit_code, ending.report
    if report is None:
        # Never at the beginning of a line, where a hyphen or a number would make a list.
        return f"error: {markdown(clean(ending.error))} (exit {code}: {markdown(meaning(code))})"
    error = f"error: {markdown(clean(report.error))}. " if report.error else ""
    return error + markdown(verdict(report))


def _table(report: RunReport) -> Iterable[str]:
    present = report.count(HostStatus.ALREADY_PRESENT)
    good = report.count(HostStatus.VERIFIED) + present
    rows = [("verified", f"{good:,}" + (f" ({present:,} already there)" if present else ""))]
    for status in (HostStatus.FAILED, HostStatus.UNREACHABLE):
        rows.append((status.value, f"{report.count(status):,}"))
    rows += facts(report)
    yield from (f"| hosts | {len(report.results):,} |", "|---|---|")
    for name, value in rows:
        yield f"| {markdown(name)} | {markdown(value)} |"
    yield ""


def _reasons(groups: FailureGroups) -> Iterable[str]:
    if not groups.count:
        return
    yield f"#### {markdown(groups.headline())}"
    yield from ("", "| reason | hosts | what happened |", "|---|---|---|")
    left, room = len(groups), REASONS_BYTES
    for group in groups.largest()[:REASONS_SHOWN]:
        names = shorten(group.folded(), NAMES_SHOWN)
        sentence = shorten(group.sentence(), SENTENCE_SHOWN)
        line = f"| {_code(group.slug)} | {_code(names)} | {markdown(sentence)} |"
        room -= len(line.encode())
        if room < 0:
            break
        left -= 1
        yield line
    if left:
        yield from ("", f"and {left:,} more reasons")
    names = clean(fold([host for group in groups for host in group.hosts]))
    if len(names) <= NAMES_SHOWN:
        flag = _code(f"-l '{names}'")
        yield from ("", f"to try these again: the same command with {flag}")


def markdown(text: str) -> str:
    """``text``, already clean, so that Markdown shows it as it is, inside a table too."""
    return "".join(_reference(text, at) for at in range(len(text)))


def _reference(text: str, at: int) -> str:
    character = text[at]
    # GitHub makes a link of what follows "www."; nothing else that is plain here begins anything.
    linked = character == "." and text[max(0, at - 3) : at].lower() == "www"
    if character.isalnum() or character in _PLAIN or (character == "." and not linked):
        return character
    return f"&#{ord(character)};" if character.isascii() else character


def _code(text: str) -> str:
    """In the type of code, where nobody looks for ``@mentions`` either."""
    return f"<code>{markdown(text)}</code>"


# -- annotations


def annotate(ending: Ending) -> list[str]:
    """A line for each class of failures: errors, or warnings where enough hosts were well all the same."""
    report = ending.report
    groups = FailureGroups.of(report) if report else FailureGroups()
    found = [_of_class(slug, same) for slug, same in groups.by_class()]
    error = ending.error or (report.error if report else "")
    if error or not (ending.ok or found):
        code = ending.exit_code
        found.insert(0, (ending.slug or f"exit {code}", [clean(error) or meaning(code)]))
    if len(found) > ANNOTATIONS:
        rest = found[ANNOTATIONS - 1 :]
        found[ANNOTATIONS - 1 :] = [(f"{len(rest)} more reasons", [title for title, _ in rest])]
    level = "warning" if ending.ok else "error"
    return [_annotation(level, f"fleetpush {ending.command}: {t}", lines) for t, lines in found]


def _of_class(slug: str, same: list[FailureGroup]) -> tuple[str, list[str]]:
    count = sum(len(group.hosts) for group in same)
    lines = [
        f"{shorten(group.folded(), NAMES_SHOWN)}: {shorten(group.sentence(), SENTENCE_SHOWN)}"
        for group in same[:MESSAGES_IN_ANNOTATION]
    ]
    if len(same) > MESSAGES_IN_ANNOTATION:
        lines.append(f"and {len(same) - MESSAGES_IN_ANNOTATION:,} other messages")
    return f"{slug} ({hosts(count)})", lines


def _annotation(level: str, title: str, lines: list[str]) -> str:
    return f"::{level} title={command_property(clean(title))}::{command_data(chr(10).join(lines))}"


def command_data(text: str) -> str:
    """What stands behind the last ``::`` of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def command_property(text: str) -> str:
    """What stands behind a ``=`` in one."""
    return command_data(text).replace(":", "%3A").replace(",", "%2C")
