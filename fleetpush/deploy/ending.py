"""The end of a run: why hosts that are not done never will be, and everybody sent away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleetpush.errors import FleetpushError, HostFailure, InputError, SourceChangedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.member import Member
    from fleetpush.deploy.source import Source

LOOSE = ("stalled", "agent_silent")
"""The failures of hosts that nobody waits for."""

LEAVE_WITHIN = 15.0


def why_over(
    interrupted: int | None, origin_failure: HostFailure | None, *, deadline_passed: bool
) -> HostFailure:
    """What becomes the failure of a host that is not done when the run is broken off."""
    again = "deploy again to resume"
    if interrupted is not None:
        return HostFailure("interrupted", f"interrupted before this host was done; {again}")
    if deadline_passed:
        return HostFailure("deadline", f"not done when the deadline passed; {again}")
    if origin_failure is not None and origin_failure.slug == "source_changed":
        return HostFailure("source_changed", "the source changed before this host was done")
    return HostFailure("origin_lost", f"the origin's agent went before it was done; {again}")


async def send_away(everyone: Sequence[Member], *, settled: bool) -> None:
    """Tells every agent to go, and waits (bounded). ``settled``: nobody will want to go back."""
    for member in everyone:
        if settled:
            member.channel.say({"do": "settle"})
        member.channel.say({"do": "leave"})
    # Who was cut loose was told long ago, and who fell silent will not hear: neither holds anybody up, and
    # both leave when their connection or their lease ends.
    loose = [m for m in everyone if m.failure is not None and m.failure.slug in LOOSE]
    running = [m.gone.wait() for m in everyone if m.channel.running and m not in loose]
    if running:
        waits = [asyncio.ensure_future(wait) for wait in running]
        await asyncio.wait(waits, timeout=LEAVE_WITHIN)
        for wait in waits:
            wait.cancel()


async def end_tasks(
    agents: Sequence[asyncio.Task[None]], watch: asyncio.Task[None], hashing: asyncio.Task[Source]
) -> Exception | None:
    """Ends all of them, whatever state they are in. What is the whole run's fault, to be raised."""
    for task in (*agents, watch):
        task.cancel()
    results = await asyncio.gather(*agents, watch, hashing, return_exceptions=True)
    failed = results[-1]
    if isinstance(failed, FleetpushError) and not isinstance(failed, SourceChangedError):
        return None  # raised by whoever awaited it
    for result in results[:-2]:
        if isinstance(result, InputError):
            return result
        if isinstance(result, Exception):
            error = FleetpushError(f"internal error: {result!r}")
            error.__cause__ = result
            return error
    return None
