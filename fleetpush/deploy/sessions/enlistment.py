"""How hosts that have a session take part in an exchange: nobody connects, no agent is started."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fleetpush.deploy.enlist import Enlistment
from fleetpush.deploy.progress import HostPhase

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from fleetpush.deploy.enlist import Memory
    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.member import Member
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.sessions.session import Session
    from fleetpush.remote.connection import Target
    from fleetpush.remote.connectors import Connectors


class Gathering(NamedTuple):
    """Hosts that are to take part in an exchange, each with a session of its name."""

    places: list[Place]
    sessions: Mapping[str, Session]
    connectors: Connectors
    stamp: str = ""
    """How a release begins that none of them has yet; "" for the time of this exchange."""


class SessionEnlistment(Enlistment):
    """The origin's agent is started for each exchange as for a deploy; the hosts' are there."""

    def __init__(
        self,
        options: DeployOptions,
        among: Gathering,
        run_id: str,
        draining: asyncio.Event,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(options, among.connectors, run_id, draining, memory)
        self._sessions = among.sessions
        self._stamp = among.stamp or self._stamp

    async def _connect(self, member: Member, target: Target) -> None:
        member.enter(HostPhase.CONNECTING)
        session = self._sessions[member.name]
        member.channel = session.lend(member)
        member.connection = session.connection
        member.connected()

    async def _let_go(self, member: Member) -> None:
        if member.is_origin:
            await super()._let_go(member)
            return
        member.gone.set()
        member.greeted.set()
        self._sessions[member.name].take_back()
