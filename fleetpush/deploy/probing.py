"""One host under ``fleetpush check``: logging in, the probe's conversation, and what came of them."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any

from fleetpush.deploy import kits
from fleetpush.deploy.channel import AgentChannel, no_sense
from fleetpush.deploy.member import why_not_begun
from fleetpush.deploy.said import address_in, count_in, port_in, sentence_in, text_in
from fleetpush.errors import HostError, HostFailure
from fleetpush.remote import become, bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.fleet import Place
    from fleetpush.remote.connection import Connection
    from fleetpush.remote.connectors import Connectors

HELLO_WITHIN = 60.0
"""Seconds that a slow host may take to start a Python."""

DIALS_WITHIN = 15.0
"""Seconds until a probe must have said how its calls went; each may take three."""

_SOME_NAME = ".fleetpush-check"
"""What a file is called that nobody has named yet; no such file is made."""


class ProbedHost:
    """``failure`` is what would end a deploy here; what was learned before stays."""

    def __init__(self, number: int, place: Place) -> None:
        self.id = str(number)
        self.place = place
        self.failure: HostFailure | None = None
        self.login_s: float | None = None
        """Seconds that logging in took, the wait for a turn included."""
        self.python = ""
        self.dest = ""
        self.free = 0
        """Bytes, at the destination."""
        self.address = ""
        self.port = 0
        """Where peers would reach it; 0 where it could not listen."""
        self.inside = ""
        """The address where its own sshd would."""
        self.skew: float | None = None
        """Seconds that its clock is ahead of ours, as far as the time of the question tells."""
        self.calls: dict[str, str] = {}
        """How its calls to other hosts went, by their id: "" if well, else why not."""
        self.called_from_here: str | None = None
        """The same for our own call; None where none was made."""
        self.forwarding = ""
        """Why its SSH connection could not carry that call either."""
        self.connection: Connection | None = None
        self._channel = AgentChannel(self)
        self._greeted = asyncio.Event()
        self._dialled = asyncio.Event()
        self._gone = asyncio.Event()
        self._asked_at = 0.0

    @property
    def listens(self) -> bool:
        """Others can be told to call it, and it to call others."""
        return self.port > 0 and not self._gone.is_set()

    async def greet(
        self, connectors: Connectors, files: Sequence[tuple[str, int]], token: str
    ) -> None:
        """Logs in and hears what the host is like. Raises nothing but InputError."""
        try:
            began = time.monotonic()
            self.connection = await connectors.connect(self.place.target)
            self.login_s = time.monotonic() - began
            await self._start(self.connection, files, token)
        except HostError as error:
            self.fail(error.failure)

    async def _start(
        self, connection: Connection, files: Sequence[tuple[str, int]], token: str
    ) -> None:
        place = self.place
        local = place.target.connection == "local"
        config = {
            "ssh": not local,
            "address": place.address or ("127.0.0.1" if local else ""),
            "ports": place.ports,
            "dest": place.dest,
            "files": files or [(_SOME_NAME, 0)],
            "token": token,
            "marker": self._channel.marker,
        }
        kit = bootstrap.PROBE
        kits.prepare(kit)
        line = bootstrap.command(place.target.python, kit)
        process = await become.start(connection, line, self._channel, place.target.become)
        self._asked_at = time.time()
        self._channel.attach(process, bootstrap.payload(config, b"", kit))
        try:
            async with asyncio.timeout(HELLO_WITHIN):
                await self._greeted.wait()
        except TimeoutError:
            self.fail(
                HostFailure(
                    "bootstrap_timeout",
                    f"no answer within {HELLO_WITHIN:.0f} s; is its Python broken?",
                )
            )
            self._channel.kill()

    async def dial(self, others: Sequence[ProbedHost]) -> None:
        """Lets it call ``others``; fills ``calls``."""
        calls = [
            {"host": other.id, "address": other.address, "port": other.port} for other in others
        ]
        self._channel.say({"do": "dial", "calls": calls})
        try:
            async with asyncio.timeout(DIALS_WITHIN):
                await self._dialled.wait()
        except TimeoutError:
            self.fail(HostFailure("agent_silent", "it stopped answering while it called others"))
            self._channel.kill()

    def beat(self) -> None:
        """A sign of life: a probe goes after 20 s without one."""
        self._channel.say({"do": "beat"})

    async def leave(self) -> None:
        """Sends the probe away and hangs up; raises nothing."""
        if self._channel.running:
            self._channel.say({"do": "leave"})
            try:
                async with asyncio.timeout(2.0):
                    await self._gone.wait()
            except TimeoutError:
                self._channel.kill()
        if self.connection is not None:
            await self.connection.close()

    def fail(self, failure: HostFailure) -> None:
        """The first failure stands."""
        self.failure = self.failure or failure

    # -- the channel reports (Listener)

    def heard(self, message: dict[str, Any]) -> None:
        try:
            if message["is"] == "hello":
                self._take_greeting(message)
            elif message["is"] == "dialled":
                found = dict(message["found"])
                self.calls = {host: sentence_in(found, host, 300) for host in found}
                self._dialled.set()
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            self.channel_broken(no_sense(message["is"], error))

    def _take_greeting(self, message: dict[str, Any]) -> None:
        now = time.time()
        self.python = sentence_in(message, "python", 40)
        self.address, self.inside = address_in(message, "address"), address_in(message, "inside")
        self.port = port_in(message, "port", 0)
        self.dest = text_in(message, "dest").removesuffix(_SOME_NAME)
        self.free = count_in(message, "free")
        theirs = float(message["time"])
        if not math.isfinite(theirs):
            raise ValueError("time is no time")
        # It looked at its clock at some moment between the question and its answer.
        self.skew = min(0.0, theirs - self._asked_at) or max(0.0, theirs - now)
        failed = message.get("failed")
        if failed is not None:
            slug, why = sentence_in(failed, "slug", 40), sentence_in(failed, "message")
            self.fail(HostFailure(slug, why))
        self._greeted.set()

    def channel_broken(self, reason: str) -> None:
        self.fail(HostFailure("bad_agent", f"it sent {reason}; it was cut off"))
        self._channel.kill()

    def channel_ended(self, status: int | None, reason: str) -> None:
        if not self._greeted.is_set():
            said = self._channel.stderr_tail.decode(errors="replace").strip()
            last = said.splitlines()[-1][:300] if said else ""
            becomes = self.place.target.become is not None
            self.fail(why_not_begun(status, reason, said, last, becomes=becomes))
        for event in (self._gone, self._greeted, self._dialled):
            event.set()
