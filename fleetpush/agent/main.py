"""An agent's life: greet, take part in an exchange or in several, do tasks, leave.

What it is told comes on stdin behind the archive it was imported from: two 4-byte lengths, a JSON
configuration, an encoded manifest; then control messages. An agent of one deploy is configured with its
exchange and ends with it. One that *stays* is told of each exchange and task when its time comes, and ends
when it is told to, or with its lease.
"""

from __future__ import annotations

import errno
import gc
import sys

from fleetpush.agent.control import Control
from fleetpush.agent.exchange import Exchange
from fleetpush.agent.place import explain
from fleetpush.errors import HostError, ManifestError, RemoteProtocolError
from fleetpush.lean.system import os
from fleetpush.lean.threads import stack_size
from fleetpush.net.loop import Loop
from fleetpush.swarm.manifest import Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fleetpush.agent.tasks import Tasks

LEASE = 20.0
"""Seconds without a word from the CLI after which the agent leaves."""

MAX_GRACE = 1e8
"""Seconds that it may go on alone: no more than any clock has."""


class Agent:
    """Every method runs in the loop's thread."""

    def __init__(self, loop: Loop, control: Control, config: dict[str, Any]) -> None:
        self._loop = loop
        self._control = control
        self._config = config
        self._stays = bool(config["stays"])
        self._exchange: Exchange | None = None
        self._tasks: Tasks | None = None
        self._over = False
        """Whatever else it is told is for nobody."""

    def begin(self, manifest: bytes) -> None:
        """``manifest`` is that of the one exchange; of no account to an agent that stays."""
        self._control.mark(self._config["marker"])
        if self._stays:
            # Shipped to those alone.
            from fleetpush.agent.cores import forbid

            forbid()
            python = "{}.{}.{}".format(*sys.version_info[:3])
            self._control.say({"is": "up", "python": python, "pid": os.getpid()})
        else:
            self._take_part(self._config, manifest)

    def hear(self, message: dict[str, Any]) -> None:
        """Raises whatever comes of a message that makes no sense."""
        if self._over:
            return
        what = message["do"]
        if what == "beat":
            return
        if what == "push":
            self._take_part(message["config"], bytes.fromhex(message["manifest"]))
        elif what == "task":
            self._task(message)
        elif what == "quit":
            self._quit("told to")
        elif what not in Exchange.ACTS:
            raise RemoteProtocolError(
                f"it was told to do {str(what)[:40]!r}, which is unknown to it"
            )
        elif self._exchange is not None:
            self._exchange.hear(message)

    def lost_contact(self, reason: str, nonsense: bool) -> None:
        """The CLI is gone: trade on for the agreed grace, else leave. What makes no sense is raised."""
        if nonsense and not self._over:
            raise RemoteProtocolError(reason)
        self._loop.call_later(self._control.grace, lambda: self._quit(reason))

    def break_off(self, failure: HostError) -> None:
        """It cannot go on: says so, and leaves."""
        try:
            if self._exchange is not None:
                self._exchange.store_failed(failure)
            else:
                self._say_failed(failure.slug, str(failure))
        finally:
            self._quit(str(failure))

    def _say_failed(self, slug: str, message: str) -> None:
        self._control.say({"is": "failed", "slug": slug, "message": message})
        self._control.say({"is": "bye"})

    def _take_part(self, config: dict[str, Any], manifest: bytes) -> None:
        if self._exchange is not None:
            raise RemoteProtocolError("it was told of an exchange while another is under way")
        if not 0 <= config["grace"] <= MAX_GRACE:
            raise RemoteProtocolError("it was told of a grace that no clock has")
        self._control.grace = config["grace"]
        try:
            decoded = Manifest.decode(manifest)
        except ManifestError as error:
            self._say_failed(error.slug, str(error))
            self._exchange_ended()
            return
        self._exchange = Exchange(self._loop, self._control, config, decoded, self._exchange_ended)
        self._exchange.begin()

    def _exchange_ended(self) -> None:
        self._exchange = None
        self._control.grace = 0.0
        if self._stays:
            # It is all cycles, and the collector does not weigh their buffers and TLS: it would come for them
            # after a hundred exchanges and twenty megabytes.
            self._loop.call_soon(_collect)
        else:
            self._loop.stop()

    def _task(self, message: dict[str, Any]) -> None:
        if self._tasks is None:
            # Only an agent that stays has them, and only if it is asked for one.
            from fleetpush.agent.tasks import Tasks

            self._tasks = Tasks(self._control)
        self._tasks.begin(message)

    def _quit(self, reason: str) -> None:
        """Ends whatever is under way, and then the loop."""
        self._stays, self._over = False, True
        if self._tasks is not None:
            self._tasks.stop()
        if self._exchange is not None:
            self._exchange.leave(reason)
        else:
            self._loop.call_soon(self._loop.stop)


def _collect() -> None:
    gc.collect()


def run(loop: Loop, agent: Agent) -> int:
    """Until it is done; its exit status. What makes no sense ends it as an error of its own does."""
    status, failure = 0, None
    while True:
        try:
            if failure is not None:
                agent.break_off(failure)
            loop.run()
            return status
        except Exception as error:  # noqa: BLE001 - the host fails by a sentence, whatever it is
            if status:
                return status  # not even leaving works
            status, failure = 1, _failure(error)
            sys.stderr.write(f"fleetpush agent: {failure}\n")


def _failure(error: Exception) -> HostError:
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return explain(error, "the agent")
    return HostError("agent_error", _said(error))


def _said(error: BaseException) -> str:
    """What went wrong, and where if nobody foresaw it."""
    if isinstance(error, RemoteProtocolError):
        return str(error)
    trace, name = error.__traceback__, ""
    while trace is not None:
        name, trace = trace.tb_frame.f_code.co_name, trace.tb_next
    return f"{type(error).__name__} in {name}: {error}"[:1000]


def main() -> None:
    """Called by the bootstrap with the archive's bytes already consumed from stdin."""
    stack_size(256 * 1024)
    # What start-up made stays until the end: the collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()
    loop = Loop()
    agent: list[Agent] = []
    control = Control(
        LEASE,
        lambda message: loop.call_soon(lambda: agent[0].hear(message)),
        lambda reason, wrong: loop.call_soon(lambda: agent[0].lost_contact(reason, wrong)),
    )
    try:
        config, manifest = control.told()
        agent.append(Agent(loop, control, config))
    except (EOFError, ValueError, KeyError) as error:
        sys.stderr.write(f"fleetpush agent: {error}\n")
        os._exit(2)  # noqa: SLF001 - its public name
    # Before anything can be heard: what comes close behind is for the exchange that this begins.
    loop.call_soon(lambda: agent[0].begin(manifest))
    control.start()
    status = run(loop, agent[0])
    control.finish()
    # At once: tearing down an interpreter with threads costs time and could still block.
    os._exit(status)  # noqa: SLF001 - its public name
