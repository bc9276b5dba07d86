"""One thread for what waits on the disk, in order, so that the loop never does."""

from __future__ import annotations

from fleetpush.lean.threads import Queue, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Worker:
    """``call_soon`` brings results back to the loop's thread."""

    def __init__(self, call_soon: Callable[[Callable[[], None]], None]) -> None:
        self._call_soon = call_soon
        self._jobs = Queue()
        self._started = False
        self._waiting = 0

    @property
    def idle(self) -> bool:
        """No job is waiting or running."""
        return self._waiting == 0

    def do(
        self,
        job: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Runs ``job`` in the thread, then ``done(result)`` or ``failed(error)`` in the loop."""
        self._waiting += 1
        self._jobs.put((job, done, failed))
        if not self._started:
            self._started = True
            start(self._run)

    def end(self) -> None:
        """Lets the thread go, behind the jobs that wait; none may follow."""
        self._jobs.put(None)

    def _run(self) -> None:
        while True:
            for given in self._jobs.take():
                if given is None:
                    return
                self._finish(*given)

    def _finish(
        self,
        job: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        try:
            result = job()
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for the job
            self._return(failed, error)
        else:
            self._return(done, result)

    def _return(self, callback: Callable[[Any], None], value: object) -> None:
        def back() -> None:
            self._waiting -= 1
            callback(value)

        self._call_soon(back)
