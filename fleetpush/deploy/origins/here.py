"""The operator's own machine as the origin: the usual case."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from fleetpush.deploy.cache import default_place
from fleetpush.deploy.member import ORIGIN, Member
from fleetpush.deploy.source import make_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from fleetpush.deploy.enlist import Enlistment
    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.results import OriginResult
    from fleetpush.deploy.source import Source
    from fleetpush.swarm.plan.shares import Shares

    Changed = Callable[[Member, str, dict[str, Any]], None]
    Hashed = Callable[[int, int], None]
    """Bytes that were hashed, and bytes in all. Called from any thread."""


class Origins(Protocol):
    """``members``: one for each origin, before anybody knows whether it is of use.

    ``shares``: of several, or of one that may go without the run's end, who holds what; None before
    ``source``, and for the operator's own machine.
    """

    members: list[Member]
    shares: Shares | None

    @property
    def warnings(self) -> Sequence[str]:
        """Of the connections to them."""

    def left_out(self) -> Sequence[tuple[str, str]]:
        """Host and reason of what is not sent from where it was named."""

    async def source(self, hosts: int, hashed: Hashed, stop: Callable[[], bool]) -> Source:
        """The content, for so many ``hosts``. Raises FleetpushError for what cannot be deployed."""

    def lives(
        self, enlistment: Enlistment, places: list[Place]
    ) -> Sequence[Coroutine[None, None, None]]:
        """The origins' part in the exchange."""

    def results(self) -> tuple[OriginResult, ...]:
        """What became of each, where they are hosts."""

    async def close(self) -> None:
        """Nothing is asked of them any more."""


class Here:
    """One origin, whose agent is a process of this machine."""

    shares: Shares | None = None
    warnings: Sequence[str] = ()

    def __init__(self, options: DeployOptions, changed: Changed) -> None:
        self._options = options
        self.members = [Member(ORIGIN, "the origin", "", changed)]

    async def source(self, hosts: int, hashed: Hashed, stop: Callable[[], bool]) -> Source:
        return await asyncio.to_thread(
            make_manifest,
            self._options.sources,
            self._options.chunk_size,
            hosts,
            default_place(),
            hashed,
            exclude=self._options.exclude,
            stop=stop,
        )

    def lives(
        self, enlistment: Enlistment, places: list[Place]
    ) -> Sequence[Coroutine[None, None, None]]:
        return [enlistment.origin(self.members[0], places)]

    def left_out(self) -> Sequence[tuple[str, str]]:
        return ()

    def results(self) -> tuple[OriginResult, ...]:
        return ()

    async def close(self) -> None:
        """It ends with the exchange."""
