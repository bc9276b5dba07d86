"""``--log-file``: whole lines that say when and who, also where two runs share the file."""

import io
import logging
import re
import subprocess
import sys
from datetime import UTC, datetime

from fleetpush.report.logfile import LogFile
from fleetpush.report.plain import PlainPrinter
from tests.report.feed import feed

WRITER = """
import sys
from pathlib import Path
from fleetpush.report.logfile import LogFile
log = LogFile(Path(sys.argv[1]))
for n in range(50):
    log.say(f"line {n} " + sys.argv[2] * 20_000)
"""


def test_lines_of_several_processes_stay_whole(tmp_path):
    path = tmp_path / "run.log"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), mark]) for mark in "abcd"]
    assert [writer.wait() for writer in writers] == [0] * 4
    lines = path.read_text().splitlines()
    assert len(lines) == 200
    pids = {str(writer.pid): mark for writer, mark in zip(writers, "abcd", strict=True)}
    for line in lines:
        time, pid, text = line.split(" ", 2)
        assert datetime.fromisoformat(time).tzinfo
        assert re.fullmatch(rf"line \d+ {pids[pid.strip('[]')]}{{20000}}", text)


def test_a_run_is_in_it_from_beginning_to_end(tmp_path):
    path = tmp_path / "run.log"
    log = LogFile(path)
    printer = log.printer()
    for event in feed(12):
        printer.handle(event)
    log.close()
    lines = path.read_text().splitlines()
    assert all(log.mark in line for line in lines)
    assert "deploy to 12 hosts" in lines[0]
    assert sum(" verified: node" in line for line in lines) == 10
    assert any(" failed: node6: no_python: " in line for line in lines)
    assert lines[-1].endswith(
        "; exit 3: at least one host failed in transfer, verification or activation"
    )


def test_what_libraries_say_has_its_time_and_what_they_quote_stays_on_its_line(tmp_path):
    log = LogFile(tmp_path / "run.log")
    record = logging.LogRecord("asyncssh", logging.WARNING, "", 0, "odd", None, None)
    log.handler().handle(record)
    log.say("one\ntwo")
    log.close()
    first, second = (tmp_path / "run.log").read_text().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} \[\d+\] asyncssh: odd", first)
    assert second.endswith("one; two")


def test_what_is_said_before_a_run_does_not_set_its_clock():
    from fleetpush.deploy.progress import Notice

    times = iter([datetime(2026, 1, 5, 3, n, tzinfo=UTC) for n in (0, 10)])
    file = io.StringIO()
    printer = PlainPrinter(file, now=lambda: next(times))
    printer.handle(Notice(0.0, "info", "beginning in 10m00s"))
    for event in feed(4)[:1]:
        printer.handle(event)
    first, second, *_ = file.getvalue().splitlines()
    assert first == "2026-01-05T03:00:00+00:00 beginning in 10m00s"
    assert second.startswith("2026-01-05T03:10:00+00:00 run ")
