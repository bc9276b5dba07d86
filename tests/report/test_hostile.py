"""Every text of a run is hostile at once, in every place where it is shown: nothing drives a terminal."""

import io
import json
import unicodedata
from dataclasses import fields, is_dataclass, replace
from xml.etree import ElementTree

import pytest

from fleetpush.cli.output import Conclusion, Output
from fleetpush.errors import InputError
from fleetpush.report.github import SUMMARY_LIMIT, annotate, summary
from fleetpush.report.html.page import page
from fleetpush.report.jsonl import JsonLinesPrinter
from fleetpush.report.junit import junit
from fleetpush.report.live import LivePrinter
from fleetpush.report.logfile import LogFile
from fleetpush.report.metrics import metrics
from fleetpush.report.plain import PlainPrinter
from fleetpush.report.quiet import QuietPrinter
from fleetpush.report.recap import recap
from tests.report.endings import ended
from tests.report.feed import ESCAPES, feed
from tests.report.html.runs import course_of, record
from tests.report.test_live import Terminal, screen

OURS = {"level", "topology", "discovery", "command", "digest", "manifest_digest", "sha256"}
"""What only this program chooses or computes."""

RAW = [each for each in ESCAPES if unicodedata.category(each)[0] == "C"]


def poisoned(value):
    """``value`` with an attack at the end of every text in it."""
    if type(value) is str:
        return value + ESCAPES
    if type(value) is tuple:
        return tuple(map(poisoned, value))
    if is_dataclass(value):
        changes = {f.name: poisoned(getattr(value, f.name)) for f in fields(value) if f.init}
        return replace(value, **{name: new for name, new in changes.items() if name not in OURS})
    return value


EVENTS = [poisoned(event) for event in feed(12)]
REPORT = EVENTS[-1].report


def told(printer):
    for event in EVENTS:
        printer.handle(event)
    printer.close()


def plain_lines(tmp_path):
    file = io.StringIO()
    told(PlainPrinter(file, verbose=True))
    return file.getvalue()


def quiet_lines(tmp_path):
    file = io.StringIO()
    told(QuietPrinter(file))
    return file.getvalue()


def json_lines(tmp_path):
    file = io.StringIO()
    told(JsonLinesPrinter(file))
    assert all(json.loads(line) for line in file.getvalue().splitlines())
    return file.getvalue()


def log_lines(tmp_path):
    log = LogFile(tmp_path / "log")
    told(log.printer())
    log.close()
    return (tmp_path / "log").read_text()


def summary_of_a_step(tmp_path):
    return summary(ended(REPORT), SUMMARY_LIMIT)


def annotations(tmp_path):
    return "\n".join(annotate(ended(REPORT)))


def junit_report(tmp_path):
    text = junit(ended(REPORT))
    ElementTree.fromstring(text)
    return text


def metrics_of_it(tmp_path):
    return metrics(ended(REPORT), f"job{ESCAPES}", "")


def html_page(tmp_path):
    run = replace(record(), source=f"source{ESCAPES}", error=f"error{ESCAPES}")
    return page(run, REPORT, course_of(EVENTS))


def the_recap(tmp_path):
    return "\n".join(line.plain for line in recap(REPORT))


SHOWN = [
    plain_lines,
    quiet_lines,
    json_lines,
    log_lines,
    summary_of_a_step,
    annotations,
    junit_report,
    metrics_of_it,
    html_page,
    the_recap,
]


@pytest.mark.parametrize("show", SHOWN, ids=lambda show: show.__name__)
def test_nothing_of_it_is_raw(show, tmp_path):
    text = show(tmp_path)
    assert "owned" in text or show is metrics_of_it, "the attack is shown, as what it is"
    assert [each for each in RAW if each in text] == []


def test_the_live_view_draws_nothing_but_its_own():
    terminal = Terminal()
    told(LivePrinter(screen(terminal)))
    text = terminal.getvalue()
    for part in ("\x1b]", "\x07", "\u202e", "\x9b", "\x1b[2J"):
        assert part not in text
    assert "owned" in text


def test_errors_and_results_of_all_verbs(capsys):
    output = Output(command=f"deploy{ESCAPES}")
    output.fail(InputError(f"no inventory {ESCAPES}"))
    output.warn(f"careful {ESCAPES}")
    output.tell({}, [f"a line {ESCAPES}"], 0)
    output.show(Conclusion(REPORT, 3, (f"proof {ESCAPES}",)))
    Output(command="deploy", format="json").show(Conclusion(REPORT, 3, (ESCAPES,)))
    shown = capsys.readouterr()
    for text in (shown.out, shown.err):
        assert "owned" in text
        assert [each for each in RAW if each in text] == []
