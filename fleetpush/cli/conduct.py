"""Runs a verb's work in an event loop: signals in, an exit code out, never a traceback."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
from typing import TYPE_CHECKING, Protocol

from fleetpush.cli.job import Job
from fleetpush.errors import FleetpushError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from fleetpush.cli.output import Conclusion, Output
    from fleetpush.deploy.progress import Observer

    Work = Callable[[Observer, "Signals"], Coroutine[Any, Any, Conclusion]]

_EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interruptible(Protocol):
    """What a signal is passed on to: a run."""

    def interrupt(self, exit_code: int) -> None: ...


class StoppedError(Exception):
    """A signal came while there was no run yet; nothing was touched."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class Signals:
    """Passes SIGINT and SIGTERM to the run; before there is one they end the work at once."""

    def __init__(self) -> None:
        self._run: Interruptible | None = None
        self._task: asyncio.Task[object] | None = None
        self.stopped_by = 0

    def attach(self, run: Interruptible) -> None:
        self._run = run

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """In the loop's thread; the handlers are gone afterwards."""
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        for number, exit_code in _EXIT_CODES.items():
            loop.add_signal_handler(number, self._came, exit_code)
        try:
            yield
        finally:
            for number in _EXIT_CODES:
                loop.remove_signal_handler(number)

    def _came(self, exit_code: int) -> None:
        if self._run is not None:
            self._run.interrupt(exit_code)
        elif self._task is not None:
            self.stopped_by = exit_code
            self._task.cancel()


def conduct(output: Output, prepare: Callable[[], Work], job: Job | None = None) -> int:
    """Does what ``prepare`` returns, shows it as ``output`` says, and returns the exit code.

    ``job`` says what else there is to do before and after. ``prepare`` runs before the event loop: what it
    asks the operator can be broken off with Ctrl-C.
    """

    job = job or Job()
    output.reports = job.reports()

    def run() -> int:
        with contextlib.closing(output.open()) as printer:
            output.reports.check()
            with job.around(prepare(), output.reports.begun) as work:
                conclusion = asyncio.run(_listening(work, printer))
                printer.close()  # the terminal is the recap's now
                return output.conclude(job.follow(conclusion))

    return guarded(output, run)


def guarded(output: Output, work: Callable[[], int]) -> int:
    """The exit code that ``work`` returns, or that of what it raises, which is told in one line."""
    # A core file would hold passwords and keys.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    try:
        return work()
    except StoppedError as stopped:
        return output.stopped(stopped.exit_code)
    except FleetpushError as error:
        return output.fail(error)
    except KeyboardInterrupt:
        return output.stopped(_EXIT_CODES[signal.SIGINT])
    except Exception as error:  # noqa: BLE001 - the last line: a defect of ours is one line, not a traceback
        return output.fail_internally(error)
    finally:
        output.close()


async def _listening(work: Work, observer: Observer) -> Conclusion:
    signals = Signals()
    with signals.listening():
        try:
            return await work(observer, signals)
        except asyncio.CancelledError:
            if signals.stopped_by:
                raise StoppedError(signals.stopped_by) from None
            raise
