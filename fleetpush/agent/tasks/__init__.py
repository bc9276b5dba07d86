"""What an agent that stays can be asked beside exchanges: commands, waiting, releases.

Shipped only where it may be wanted. A task runs in a thread of its own; its result is one message with the
task's number.
"""

from __future__ import annotations

import threading

from fleetpush.agent.tasks import cleaning, command, comparing, releasing, waiting
from fleetpush.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from fleetpush.agent.control import Control

    Job = Callable[[dict[str, Any], threading.Event], dict[str, Any]]


def _of_sources(name: str) -> Job:
    """Only an agent whose host has sources is shipped these."""

    def job(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
        from fleetpush.agent.tasks import sources

        answer: dict[str, Any] = getattr(sources, name)(arguments, stop)
        return answer

    return job


JOBS: dict[str, Job] = {
    "command": command.run,
    "wait_for": waiting.wait_for,
    "clean": cleaning.clean,
    "compare": comparing.compare,
    "roll_back": releasing.roll_back,
    "undo": releasing.undo,
    "settle": releasing.settle,
    "measure": _of_sources("measure"),
    "digest": _of_sources("digest"),
    "sum": _of_sources("plain_sum"),
}
"""By name: gets its arguments and an event that says it is to stop. Raises HostError, OSError."""


class Tasks:
    """Those under way."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self, message: dict[str, Any]) -> None:
        """Starts what ``message`` asks for. Raises KeyError where nobody could hear of it."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        arguments = message["task"], message
        thread = threading.Thread(target=self._run, args=arguments, name="task", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Ends them, and what they started; waits (bounded) until that is done."""
        self._stop.set()
        for thread in self._threads:
            thread.join(command.KILL_AFTER + 2.0)

    def _run(self, number: object, message: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"is": "result", "task": number}
        try:
            answer["result"] = JOBS[message["what"]](message["arguments"], self._stop)
        except HostError as error:
            answer["failed"] = {"slug": error.failure.slug, "message": error.failure.message}
        except Exception as error:  # noqa: BLE001 - whatever it is, the operator waits for an answer
            answer["failed"] = {
                "slug": "task_failed",
                "message": f"{type(error).__name__}: {error}",
            }
        self._control.say(answer)
