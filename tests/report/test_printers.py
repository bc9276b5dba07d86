"""Plain lines, JSON lines and quiet: what logs and programs get."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleetpush.deploy.progress import Notice
from fleetpush.deploy.results import HostStatus
from fleetpush.report.choose import resolve
from fleetpush.report.jsonl import JsonLinesPrinter
from fleetpush.report.plain import PlainPrinter
from fleetpush.report.quiet import QuietPrinter
from tests.report.feed import feed

GOLDEN = Path(__file__).parent / "golden"
NIGHT = datetime(2026, 1, 5, 3, 0, 0, tzinfo=UTC)


class Gone:
    """A pipe whose reader has left."""

    def write(self, text):
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError


def plain(hosts, **options):
    file = io.StringIO()
    printer = PlainPrinter(file, now=lambda: NIGHT, **options)
    for event in feed(hosts):
        printer.handle(event)
    return file.getvalue()


@pytest.mark.parametrize("hosts", [12, 1000])
def test_plain_lines_are_as_agreed(hosts):
    assert plain(hosts) == (GOLDEN / f"plain-{hosts}.txt").read_text()


def test_verbose_names_every_host():
    text = plain(12, verbose=True)
    assert text.count(" verified: node") == 10
    assert text.count(" already present: node4\n") == 1


def test_a_thousand_alike_failures_do_not_fill_the_log():
    from fleetpush.deploy.progress import HostFinished

    file = io.StringIO()
    printer = PlainPrinter(file, now=lambda: NIGHT)
    printer.handle(feed(1000)[0])
    for n in range(1, 1001):
        printer.handle(
            HostFinished(0.1, f"node{n}", HostStatus.UNREACHABLE, "refused", "no key fits")
        )
    lines = file.getvalue().splitlines()
    assert sum("refused" in line for line in lines) == 11
    assert "the recap names them all" in lines[-2] + lines[-1]


def test_json_lines_are_the_events():
    file = io.StringIO()
    printer = JsonLinesPrinter(file)
    events = feed(12)
    for event in events:
        printer.handle(event)
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert len(lines) == len(events)
    assert lines[0]["event"] == "run_started"
    assert lines[0]["hosts"] == [f"node{n}" for n in range(1, 13)]
    assert lines[-1]["report"] == json.loads(json.dumps(events[-1].report.as_json()))
    finished = next(line for line in lines if line["event"] == "host_finished")
    assert finished == {
        "event": "host_finished",
        "at": finished["at"],
        "host": "node6",
        "status": "failed",
        "slug": "no_python",
        "message": finished["message"],
    }
    assert "\x1b" not in file.getvalue()


def test_json_lines_are_as_agreed():
    file = io.StringIO()
    printer = JsonLinesPrinter(file)
    for event in feed(2):
        printer.handle(event)
    assert file.getvalue() == (GOLDEN / "events-2.jsonl").read_text()


def test_quiet_is_silent_until_it_fails():
    file = io.StringIO()
    for event in feed(4):
        QuietPrinter(file).handle(event)
    assert file.getvalue() == ""
    for event in feed(12):
        QuietPrinter(file).handle(event)
    assert "failed: no_python (1 host)" in file.getvalue()


def test_quiet_keeps_warnings_for_a_failure_that_they_may_explain():
    def shown(hosts):
        file = io.StringIO()
        printer = QuietPrinter(file)
        for n in range(30):
            printer.handle(Notice(0.0, "warning", f"odd {n % 12}\x1b", "node1"))
        printer.handle(Notice(0.0, "info", "of no interest"))
        for event in feed(hosts):
            printer.handle(event)
        return file.getvalue()

    assert shown(4) == ""
    text = shown(12)
    assert text.startswith("fleetpush deploy failed\nmodel.pt (5.0 GB) to 12 hosts\n")
    assert text.count("warning: node1: odd") == 10
    assert "and 3 more warnings" in text  # one is the script's own
    assert "of no interest" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize("kind", [PlainPrinter, JsonLinesPrinter, QuietPrinter])
def test_a_reader_that_leaves_does_not_stop_the_run(kind):
    printer = kind(Gone())
    for event in feed(12):
        printer.handle(event)
    printer.close()


@pytest.mark.parametrize(
    ("style", "terminal", "environ", "chosen"),
    [
        ("auto", True, {"TERM": "xterm"}, "tty"),
        ("auto", True, {"TERM": "xterm", "CI": "false"}, "tty"),
        ("auto", True, {"TERM": "xterm", "CI": "true"}, "plain"),
        ("auto", True, {"TERM": "dumb"}, "plain"),
        ("auto", True, {}, "plain"),
        ("auto", False, {"TERM": "xterm"}, "plain"),
        ("tty", False, {}, "tty"),
        ("quiet", True, {"TERM": "xterm"}, "quiet"),
    ],
)
def test_auto_draws_only_on_a_terminal_that_a_person_watches(style, terminal, environ, chosen):
    assert resolve(style, terminal=terminal, environ=environ) == chosen
