"""What a terminal, a log, a program and cron get of a roll-out."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleetpush.report.jsonl import JsonLinesPrinter
from fleetpush.report.play.choose import play_printer
from fleetpush.report.play.plain import PlayPlainPrinter
from fleetpush.report.play.quiet import PlayQuietPrinter
from fleetpush.report.play.recap import recap
from tests.report.play.feed import feed, report_of

GOLDEN = Path(__file__).parent / "golden"
NIGHT = datetime(2026, 1, 5, 3, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return feed(tmp_path_factory.mktemp("play"))


def shown(told, printer):
    for event in told:
        printer.handle(event)
    printer.close()


def test_plain_lines_are_as_agreed(told):
    file = io.StringIO()
    shown(told, PlayPlainPrinter(file, now=lambda: NIGHT))
    assert file.getvalue() == (GOLDEN / "plain.txt").read_text()


def test_a_terminal_gets_them_without_their_times(told):
    file = io.StringIO()
    shown(told, PlayPlainPrinter(file, stamped=False))
    stamped = (GOLDEN / "plain.txt").read_text().splitlines()
    assert file.getvalue().splitlines() == [line.partition(" ")[2] for line in stamped]


def test_the_recap_is_as_agreed(told):
    lines = [line.plain for line in recap(report_of(told))]
    assert "\n".join(lines) + "\n" == (GOLDEN / "recap.txt").read_text()


def test_nothing_that_is_shown_can_drive_a_terminal(told):
    file = io.StringIO()
    shown(told, PlayPlainPrinter(file))
    text = file.getvalue() + "".join(line.plain for line in recap(report_of(told)))
    assert "\x1b" not in text
    assert "\\x1b[31m" in text


def test_every_event_is_a_line_of_json(told):
    file = io.StringIO()
    shown(told, JsonLinesPrinter(file))
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert len(lines) == len(told)
    assert lines[0]["event"] == "playbooks_started"
    first = next(line for line in lines if line["event"] == "task_result")
    assert (first["task"], first["host"], first["status"]) == ("push", "node1", "changed")
    assert lines[-1]["event"] == "playbooks_finished"
    assert lines[-1]["report"]["schema"] == 1


def test_quiet_speaks_only_of_failure(told, tmp_path):
    file = io.StringIO()
    shown(told, PlayQuietPrinter(file))
    assert file.getvalue() == (GOLDEN / "recap.txt").read_text()
    from dataclasses import replace

    file = io.StringIO()
    shown([replace(told[-1], report=replace(told[-1].report, exit_code=0))], PlayQuietPrinter(file))
    assert file.getvalue() == ""


def test_the_document_has_what_is_documented(told):
    document = report_of(told).as_json()
    assert json.loads(json.dumps(document)) == document
    assert document["exit_code"] == 8
    assert document["hosts"] == {
        "total": 100, "done": 1, "failed": 2, "unreachable": 1, "stopped": 7, "untouched": 89,
        "changed": 11,
    }  # fmt: skip
    (play,) = document["plays"]
    assert [len(batch) for batch in play["batches"]] == [1, 10, 89]
    assert (play["batches_done"], play["stopped"]["reason"]) == (1, "max_fail_percentage")
    node7 = next(result for result in document["results"] if result["host"] == "node7")
    assert node7 == {
        "host": "node7", "status": "failed", "ok": 3, "changed": 1, "unreachable": 0, "failed": 1,
        "skipped": 0, "rescued": 0, "ignored": 0,
        "reason": {"slug": "command_failed", "message": "node7: it ended with 1", "task": "health"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("style", "terminal", "environ", "kind", "stamped"),
    [
        ("auto", True, {"TERM": "xterm"}, PlayPlainPrinter, False),
        ("auto", True, {"TERM": "xterm", "CI": "true"}, PlayPlainPrinter, True),
        ("auto", False, {}, PlayPlainPrinter, True),
        ("tty", False, {}, PlayPlainPrinter, False),
        ("plain", True, {"TERM": "xterm"}, PlayPlainPrinter, True),
        ("json", True, {}, JsonLinesPrinter, None),
        ("quiet", True, {}, PlayQuietPrinter, None),
    ],
)
def test_the_place_decides_on_the_printer(style, terminal, environ, kind, stamped):
    file = io.StringIO()
    file.isatty = lambda: terminal
    printer = play_printer(style, file, environ)
    assert type(printer) is kind
    if stamped is not None:
        assert printer._stamped is stamped


def test_a_thousand_hosts_that_share_their_counts_are_one_line():
    from fleetpush.deploy.play.report import HostRecap, PlayReport

    results = tuple(HostRecap(f"n{n}", "done", (1, 0, 0, 0, 0, 0, 0)) for n in range(1, 1001))
    report = PlayReport("x", 0, False, ("x.yaml",), (), results, 1.0)
    lines = [line.plain for line in recap(report)]
    assert len(lines) == 2
    assert lines[1].startswith("n[1-1000] (1,000) : ok=1    changed=0    unreachable=0 ")
