"""The sessions of a run: begun together, kept alive, asked together, ended together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.sessions.session import Session
from fleetpush.errors import HostError, HostFailure
from fleetpush.remote import bootstrap
from fleetpush.remote.connectors import Connectors, files_for, raise_fd_limit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping

    from fleetpush.remote.connection import Target
    from fleetpush.remote.packing import Kit
    from fleetpush.remote.settings import SshSettings

BEAT = 8.0
SILENT = 20.0
"""Seconds without a word after which an agent counts as lost."""

LAG = 5.0
"""Seconds that this program may be held up before what it did not hear is nobody's silence."""

OPEN_FILES = 256
"""That the command itself may want."""

Answer = dict[str, Any] | HostFailure


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """A host's failure is its session's; anything else is everybody's."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, HostError):
            raise result


class Sessions:
    """By the hosts' names. An asynchronous context: at its end no agent, each made of ``kit``, is left."""

    def __init__(self, settings: SshSettings, kit: Kit | None = None) -> None:
        self._kit = kit or bootstrap.staying_kit()
        self._connectors = Connectors(settings)
        self._sessions: dict[str, Session] = {}
        self._watch: asyncio.Task[None] | None = None
        self._starting = asyncio.Semaphore(settings.forks)

    async def __aenter__(self) -> Sessions:
        self._watch = asyncio.create_task(self._keep_alive())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end(list(self._sessions))
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._connectors.close()

    @property
    def connectors(self) -> Connectors:
        return self._connectors

    @property
    def warnings(self) -> list[str]:
        return self._connectors.warnings

    def __getitem__(self, name: str) -> Session:
        return self._sessions[name]

    async def begin(self, targets: Mapping[str, Target]) -> dict[str, HostFailure]:
        """Connects to those that have no session yet, and starts their agents; returns why some have none.

        Raises InputError for what no host could mend (an unreadable ssh_config, too few open files).
        """
        new = self._add(targets)

        async def one(session: Session) -> None:
            await session.connect(self._connectors)
            await self._begin(session)

        await _all(one(session) for session in new)
        return self._failures(targets)

    async def connect(self, targets: Mapping[str, Target]) -> dict[str, HostFailure]:
        """As ``begin``, but that no agent is started: ``start`` does that when one is wanted."""
        new = self._add(targets)
        await _all(session.connect(self._connectors) for session in new)
        return self._failures(targets)

    async def start(self, names: Iterable[str]) -> dict[str, HostFailure]:
        """Starts the agents of those that are connected and have none; returns why some have none."""
        wanted = list(names)
        idle = [self._sessions[name] for name in wanted if not self._sessions[name].begun]
        await _all(self._begin(session) for session in idle)
        return self._failures(wanted)

    async def _begin(self, session: Session) -> None:
        """So many at once as there are handshakes: each agent's code waits in memory until it is sent."""
        async with self._starting:
            await session.begin()

    def add_beside(self, name: str, target: Target, other: str) -> None:
        """A session called ``name`` over the connection of ``other``, if there is none yet."""
        if name not in self._sessions:
            self._sessions[name] = Session(name, target, self._kit)
            self._sessions[name].share(self._sessions[other])

    def _add(self, targets: Mapping[str, Target]) -> list[Session]:
        new = {name: target for name, target in targets.items() if name not in self._sessions}
        known = [session.target for session in self._sessions.values()]
        raise_fd_limit(files_for([*known, *new.values()]) + OPEN_FILES)
        made = {name: Session(name, target, self._kit) for name, target in new.items()}
        self._sessions.update(made)
        return list(made.values())

    def _failures(self, names: Iterable[str]) -> dict[str, HostFailure]:
        failures = {name: self._sessions[name].failure for name in names}
        return {name: failure for name, failure in failures.items() if failure is not None}

    async def ask(self, tasks: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Answer]:
        """One task a host, all at once: what each answered, or why it failed."""

        async def one(name: str, what: str, arguments: Mapping[str, Any]) -> Answer:
            try:
                return await self._sessions[name].task(what, arguments)
            except HostError as error:
                return error.failure

        asked = [one(name, what, arguments) for name, (what, arguments) in tasks.items()]
        return dict(zip(tasks, await asyncio.gather(*asked), strict=True))

    async def end(self, names: Iterable[str]) -> None:
        """Those hosts are not needed any more."""
        ending = [self._sessions.pop(name) for name in names if name in self._sessions]
        for borrows in (True, False):  # a connection ends with its owner
            same = [session for session in ending if session.borrows == borrows]
            await asyncio.gather(*(session.end() for session in same))

    async def _keep_alive(self) -> None:
        """Beats to the agents and gives up the silent."""
        loop = asyncio.get_running_loop()
        beat_at, looked_at = 0.0, loop.time()
        while True:
            await asyncio.sleep(0.5)
            now = loop.time()
            held_up, looked_at = now - looked_at, now
            beats = now >= beat_at
            if beats:
                beat_at = now + BEAT
            for session in list(self._sessions.values()):
                if held_up > LAG:
                    session.heard_at += held_up
                if beats:
                    session.beat()
                if session.usable and session.heard_at and now - session.heard_at > SILENT:
                    text = f"no word from its agent for {SILENT:.0f} s: it was cut off"
                    session.cut(HostFailure("agent_silent", text))
