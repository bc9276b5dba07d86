"""One host's agent that stays: tasks asked of it, exchanges it takes part in, and its end."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from fleetpush.deploy import kits
from fleetpush.deploy.channel import AgentChannel, no_sense
from fleetpush.deploy.member import why_not_begun
from fleetpush.deploy.said import sentence_in
from fleetpush.deploy.sessions import answers
from fleetpush.deploy.sessions.lent import LentChannel
from fleetpush.errors import HostError, HostFailure
from fleetpush.remote import become, bootstrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleetpush.deploy.member import Member
    from fleetpush.remote.connection import Connection, Target
    from fleetpush.remote.connectors import Connectors
    from fleetpush.remote.packing import Kit

UP_WITHIN = 60.0
"""Seconds that a slow host may take to start a Python."""

QUIT_WITHIN = 10.0
"""Seconds that an agent may take to end: longer than it gives a command that it must end."""


class Session:
    """``failure``: why nothing more can be asked of it; ``kit``: what its agent is shipped.

    Every method runs in the event loop.
    """

    def __init__(self, name: str, target: Target, kit: Kit) -> None:
        self.name = name
        self._kit = kit
        self.target = target
        self.connection: Connection | None = None
        self.failure: HostFailure | None = None
        self.heard_at = 0.0
        self._channel = AgentChannel(self)
        self._up = asyncio.Event()
        self._gone = asyncio.Event()
        self._numbers = itertools.count(1)
        self._asked: dict[int, tuple[str, asyncio.Future[dict[str, Any]]]] = {}
        """By number: the task, and who waits for its answer."""
        self._lent: LentChannel | None = None
        self.borrows = False
        """Its connection is another session's."""

    @property
    def begun(self) -> bool:
        """An agent was started, or never will be."""
        return self._up.is_set() or self._channel.running

    @property
    def usable(self) -> bool:
        return self.failure is None and self._channel.running

    async def connect(self, connectors: Connectors) -> None:
        """Raises HostError."""
        try:
            self.connection = await connectors.connect(self.target)
        except HostError as error:
            self._fail(error.failure)
            raise

    def share(self, other: Session) -> None:
        """Goes over the connection of ``other``, which must end later: another user's agent there."""
        self.connection = other.connection
        self.borrows = True

    async def begin(self) -> None:
        """Starts the agent over the connection that there is. Raises HostError."""
        assert self.connection is not None
        try:
            kits.prepare(self._kit)
            line = bootstrap.command(self.target.python, self._kit)
            process = await become.start(self.connection, line, self._channel, self.target.become)
        except HostError as error:
            self._fail(error.failure)
            raise
        config = {"stays": True, "marker": self._channel.marker}
        self._channel.attach(process, bootstrap.payload(config, b"", self._kit))
        try:
            async with asyncio.timeout(UP_WITHIN):
                await self._up.wait()
        except TimeoutError:
            text = f"no agent came up within {UP_WITHIN:.0f} s; is its Python broken?"
            self.cut(HostFailure("bootstrap_timeout", text))
        self._raise_if_failed()

    async def task(self, what: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What the agent answers. Raises HostError: the task's failure, or the host's."""
        self._raise_if_failed()
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[number] = what, answer
        self._channel.say(
            {"do": "task", "task": number, "what": what, "arguments": dict(arguments)}
        )
        try:
            return await answer
        finally:
            self._asked.pop(number, None)

    def lend(self, member: Member) -> LentChannel:
        """The channel as ``member`` uses it for one exchange. Raises HostError."""
        self._raise_if_failed()
        self._lent = LentChannel(self._channel, member, self.cut)
        return self._lent

    def take_back(self) -> None:
        """The exchange is over for it; an agent that is still in it is of no more use."""
        if self._lent is not None:
            self.cut(HostFailure("agent_silent", "its agent did not end the exchange: cut off"))
        self._lent = None

    def beat(self) -> None:
        self._channel.say({"do": "beat"})

    def cut(self, failure: HostFailure) -> None:
        """Ends the agent from here."""
        self._fail(failure)
        self._channel.kill()

    async def end(self) -> None:
        """Sends the agent away and hangs up. Raises nothing."""
        if self._channel.running:
            self._channel.say({"do": "quit"})
            try:
                async with asyncio.timeout(QUIT_WITHIN):
                    await self._gone.wait()
            except TimeoutError:
                self._channel.kill()
        self._fail(HostFailure("session_over", "the run is over"))
        if self.connection is not None and not self.borrows:
            await self.connection.close()

    def _raise_if_failed(self) -> None:
        if self.failure is not None:
            raise HostError(
                self.failure.slug, self.failure.message, unreachable=self.failure.unreachable
            )

    def _fail(self, failure: HostFailure) -> None:
        """The first failure stands; whoever waits for an answer gets it."""
        self.failure = self.failure or failure
        for _, answer in self._asked.values():
            if not answer.done():
                answer.set_exception(
                    HostError(
                        self.failure.slug,
                        self.failure.message,
                        unreachable=self.failure.unreachable,
                    )
                )
        self._up.set()

    # -- the channel reports (Listener)

    def heard(self, message: dict[str, Any]) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        kind = message["is"]
        try:
            if kind == "up":
                self._up.set()
            elif kind == "result":
                self._answered(message)
            elif self._lent is not None and kind == "bye":
                lent, self._lent = self._lent, None
                lent.over(0, "")
            elif self._lent is not None:
                self._lent.member.heard(message)
        except (KeyError, TypeError, ValueError) as error:
            self.channel_broken(no_sense(kind, error))

    def _answered(self, message: dict[str, Any]) -> None:
        what, answer = self._asked.get(message["task"], ("", None))
        if answer is None or answer.done():
            return
        failed = message.get("failed")
        if failed is not None:
            slug, text = sentence_in(failed, "slug", 40), sentence_in(failed, "message")
            answer.set_exception(HostError(slug, text))
            return
        if not isinstance(message["result"], dict):
            raise ValueError("its result is no mapping")
        answers.check(what, message["result"])
        answer.set_result(message["result"])

    def channel_broken(self, reason: str) -> None:
        self.cut(HostFailure("bad_agent", f"its agent sent {reason}; it was cut off"))

    def channel_ended(self, status: int | None, reason: str) -> None:
        self._gone.set()
        said = self._channel.stderr_tail.decode(errors="replace").strip()
        last = said.splitlines()[-1][:300] if said else ""
        if not self._up.is_set():
            becomes = self.target.become is not None
            self._fail(why_not_begun(status, reason, said, last, becomes=becomes))
        elif status is None:
            why = f"its agent is gone: {reason or 'the connection broke'}"
            self._fail(HostFailure("agent_lost", why, unreachable=True))
        else:
            why = f"its agent ended unexpectedly (exit {status}): {last or reason}"
            self._fail(HostFailure("agent_lost", why))
        if self._lent is not None:
            lent, self._lent = self._lent, None
            lent.over(status, reason)
