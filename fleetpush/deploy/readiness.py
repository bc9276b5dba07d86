"""``fleetpush check``: is every host fit for a deploy? Looks at all of them, changes nothing.

Every host is logged in to as a deploy would, with the same bootstrap; a probe takes the agent's place. When
all are up, each is called by two others and by this machine where its peers would call it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from fleetpush.deploy.fitness import FitnessReport, fitness
from fleetpush.deploy.fleet import choose
from fleetpush.deploy.named_sources import refuse_here
from fleetpush.deploy.probing import ProbedHost
from fleetpush.deploy.source import layout_of
from fleetpush.errors import HostError, HostFailure
from fleetpush.remote.connectors import Connectors, files_for, raise_fd_limit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from fleetpush.deploy.options import DeployOptions

CALL_WITHIN = 3.0
CALLS_AT_ONCE = 128
BEAT = 8.0


class Check:
    """One look at a fleet. ``execute`` once; ``interrupt`` at any time from the event loop's thread.

    ``watch`` hears how many of how many hosts have answered; ``warn`` hears each warning.
    """

    def __init__(
        self,
        options: DeployOptions,
        warn: Callable[[str], None],
        watch: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self._options = options
        self._warn = warn
        self._watch = watch
        self._hosts: list[ProbedHost] = []
        self._over = asyncio.Event()
        self._interrupted: int | None = None
        self._answered = 0
        self._token = f"fleetpush-check-{secrets.token_hex(8)}"

    def interrupt(self, exit_code: int) -> None:
        """130 or 143: what is known by then is told."""
        self._interrupted = self._interrupted or exit_code
        self._over.set()

    async def execute(self) -> FitnessReport:
        """Raises FleetpushError for what is wrong before any host is touched."""
        began = time.monotonic()
        options = self._options
        refuse_here(options, "check")
        places = choose(options, self._warn, without_sources=True)
        files: list[tuple[str, int]] = []
        if options.sources:
            layout, _ = layout_of(options.sources, None, len(places), options.exclude)
            files = [(file.path, file.size) for file in layout.files]
        opened = files_for(place.target for place in places)
        raise_fd_limit(opened + 2 * CALLS_AT_ONCE + 256)
        self._hosts = [ProbedHost(number, place) for number, place in enumerate(places)]
        connectors = Connectors(options.ssh)
        beating = asyncio.create_task(self._beat())
        try:
            await self._until_over(self._look(connectors, files))
        finally:
            beating.cancel()
            await asyncio.gather(*(host.leave() for host in self._hosts))
            await connectors.close()
            for text in connectors.warnings:
                self._warn(text)
        return FitnessReport(fitness(self._hosts), time.monotonic() - began, self._interrupted)

    async def _until_over(self, work: Awaitable[None]) -> None:
        working = asyncio.ensure_future(work)
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait([working, over], return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if not working.done():
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            for host in self._hosts:
                if host.called_from_here is None:
                    host.fail(HostFailure("interrupted", "interrupted before it was looked at"))
        else:
            working.result()

    async def _look(self, connectors: Connectors, files: Sequence[tuple[str, int]]) -> None:
        async with asyncio.TaskGroup() as group:
            for host in self._hosts:
                group.create_task(self._greet(host, connectors, files))
        listening = [host for host in self._hosts if host.listens]
        ring = call_ring(listening)
        here = asyncio.Semaphore(CALLS_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for host in listening:
                group.create_task(host.dial(ring[host]))
                group.create_task(self._call(host, here))

    async def _greet(
        self, host: ProbedHost, connectors: Connectors, files: Sequence[tuple[str, int]]
    ) -> None:
        await host.greet(connectors, files, self._token)
        self._answered += 1
        self._watch(self._answered, len(self._hosts))

    async def _call(self, host: ProbedHost, at_once: asyncio.Semaphore) -> None:
        """Calls it as the origin would; where that fails, through its SSH connection."""
        async with at_once:
            host.called_from_here = await self._try_to_call(host)
        if host.called_from_here and host.connection is not None:
            try:
                stream = await host.connection.forward(host.inside, host.port)
            except HostError as error:
                host.forwarding = str(error)
            else:
                stream.close()

    async def _try_to_call(self, host: ProbedHost) -> str:
        wanted = self._token.encode()
        try:
            async with asyncio.timeout(CALL_WITHIN):
                reader, writer = await asyncio.open_connection(host.address, host.port)
                try:
                    heard = await reader.readexactly(len(wanted))
                finally:
                    writer.close()
        except TimeoutError:
            return "timed out"
        except asyncio.IncompleteReadError:
            return "something else answers there"
        except OSError as error:
            return os.strerror(error.errno) if error.errno else str(error)
        return "" if heard == wanted else "something else answers there"

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            for host in self._hosts:
                host.beat()


def call_ring(hosts: Iterable[ProbedHost]) -> dict[ProbedHost, list[ProbedHost]]:
    """Whom each host calls: two others (or all there are), each host being called equally often.

    In the order of racks the one is next door and the other half the fleet away, in another rack if there
    are several: a firewall within a rack shows as much as one between them.
    """
    order = sorted(hosts, key=lambda host: host.place.rack)
    count = len(order)
    steps = dict.fromkeys((1, max(2, count // 2)))
    return {
        host: [order[(at + step) % count] for step in steps if step % count]
        for at, host in enumerate(order)
    }
