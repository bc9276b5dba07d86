"""The live printer draws while a run goes, leaves the terminal as it was, and never raises."""

import io
import threading
import time

import pytest

from fleetpush.deploy.progress import Notice, RunStarted
from fleetpush.report.live import LivePrinter
from fleetpush.report.screen import Screen
from tests.report.feed import ESCAPES, feed, names


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


class Gone(Terminal):
    """A terminal that was closed."""

    def write(self, text):
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError


def wait_until(condition):
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("the view was not drawn")


def screen(file, **more):
    return Screen(file=file, force_terminal=True, width=80, height=24, _environ={}, **more)


def test_the_cursor_comes_back_and_two_lines_stay():
    terminal = Terminal()
    printer = LivePrinter(screen(terminal))
    for event in feed(1000):
        printer.handle(event)
    output = terminal.getvalue()
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")
    kept = output[output.rindex("\x1b[?25h") :]
    assert "990 of 1,000 hosts verified" in kept
    assert ESCAPES not in output


def test_what_is_waited_for_is_said_and_is_not_part_of_the_time():
    terminal, now = Terminal(), [0.0]
    printer = LivePrinter(screen(terminal), clock=lambda: now[0])
    printer.handle(Notice(0.0, "info", f"beginning in 10m00s {ESCAPES}"))
    assert "beginning in 10m00s" in terminal.getvalue()
    assert ESCAPES not in terminal.getvalue()
    now[0] = 600.0
    printer.handle(feed(4)[0])
    wait_until(lambda: "0:00" in terminal.getvalue())
    printer.close()
    assert "10:00" not in terminal.getvalue().replace("10m00s", "")


def test_closing_twice_or_before_the_start_is_harmless():
    printer = LivePrinter(screen(Terminal()))
    printer.close()
    printer.close()
    printer.handle(feed(3)[0])


def test_nothing_is_drawn_for_a_run_that_never_started():
    terminal = Terminal()
    printer = LivePrinter(screen(terminal))
    printer.handle(Notice(0.1, "warning", "group 'web' is empty"))
    printer.close()
    assert terminal.getvalue() == ""


def test_no_thread_is_left_behind():
    before = threading.active_count()
    printer = LivePrinter(screen(Terminal()))
    printer.handle(RunStarted(0.0, "r", "deploy", names(3), "mesh", "tracker", True))
    printer.close()
    assert threading.active_count() == before


def test_a_terminal_that_is_gone_does_not_stop_the_run():
    printer = LivePrinter(screen(Gone()))
    for event in feed(12):
        printer.handle(event)
    printer.close()


def test_a_resized_terminal_is_drawn_afresh():
    terminal = Terminal()
    console = screen(terminal)
    printer = LivePrinter(console)
    printer.handle(RunStarted(0.0, "r", "deploy", names(3), "mesh", "tracker", True))
    wait_until(lambda: "3 hosts" in terminal.getvalue())
    console.size = (120, 40)
    wait_until(lambda: "\x1b[2J" in terminal.getvalue())
    printer.close()
    afresh = terminal.getvalue().partition("\x1b[2J")[2]
    assert any(len(line) > 110 and "3 hosts" in line for line in afresh.splitlines())
