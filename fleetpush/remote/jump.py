"""Jump hosts: one connection each, shared by all hosts behind it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from fleetpush.errors import HostError
from fleetpush.remote import failures

if TYPE_CHECKING:
    from fleetpush.remote.route import Route

_DEEPEST_CHAIN = 8


class Tunnel(Protocol):
    """A logged-in connection, as far as this module needs one."""

    def is_closed(self) -> bool: ...

    def abort(self) -> None: ...

    async def wait_closed(self) -> None: ...


T = TypeVar("T", bound=Tunnel)


class Opener(Protocol[T]):
    """What a plugin does to reach a jump host."""

    async def route_to(self, chain: tuple[str, ...]) -> Route:
        """The way to the last hop of ``chain``. Raises HostError."""

    async def open(self, route: Route, tunnel: T | None = None) -> T:
        """A logged-in connection, through ``tunnel`` if there is one. Raises HostError."""


class JumpHosts(Generic[T]):
    """Keeps a connection for each chain of hops; a later caller gets a new one if it was lost."""

    def __init__(self, opener: Opener[T]) -> None:
        self._opener = opener
        self._opening: dict[tuple[str, ...], asyncio.Task[T]] = {}

    async def tunnel(self, chain: tuple[str, ...]) -> T | None:
        """A connection to the last hop, None for an empty chain.

        Raises HostError (``jump_failed``) that names the hop which failed.
        """
        return await self._tunnel(chain, 0)

    async def close(self) -> None:
        tasks, self._opening = list(self._opening.values()), {}
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(result, BaseException):
                result.abort()
                await result.wait_closed()

    async def _tunnel(self, chain: tuple[str, ...], depth: int) -> T | None:
        if not chain:
            return None
        if depth >= _DEEPEST_CHAIN:
            raise failures.unreachable(
                "jump_failed", f"the jump hosts go round in circles at {chain[-1]}"
            )
        task = self._opening.get(chain)
        if task is None or _is_spent(task):
            task = asyncio.create_task(self._open(chain, depth))
            self._opening[chain] = task
        # One host that gives up must not take the connection from the others.
        return await asyncio.shield(task)

    async def _open(self, chain: tuple[str, ...], depth: int) -> T:
        try:
            route = await self._opener.route_to(chain)
            return await self._opener.open(route, await self._tunnel(route.jump, depth + 1))
        except HostError as error:
            if error.slug == "jump_failed":
                raise
            raise failures.jump_failed(chain[-1], error) from error


def _is_spent(task: asyncio.Task[T]) -> bool:
    """Failed, cancelled, or its connection is gone."""
    if not task.done():
        return False
    return task.cancelled() or task.exception() is not None or task.result().is_closed()
