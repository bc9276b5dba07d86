"""The run's clock: beats to the agents, notices the silent, the stalled and the end of time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleetpush.errors import HostFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleetpush.deploy.admission import Admission
    from fleetpush.deploy.member import Member
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.reporting import Chronicle

AGENT_SILENT = 20.0
"""Seconds without a word from it after which an agent counts as lost."""

BEAT = 8.0
LAG = 5.0
"""Seconds that the event loop may be late before the operator is told."""

LOOK_EVERY = 0.5


class Vigil:
    """``everyone``: the origin's member and the hosts'. ``tick`` is called at every look."""

    def __init__(
        self,
        options: DeployOptions,
        chronicle: Chronicle,
        everyone: Sequence[Member],
        admission: Admission,
        tick: Callable[[], None],
    ) -> None:
        self.deadline_passed = False
        self._options = options
        self._chronicle = chronicle
        self._everyone = everyone
        self._admission = admission
        self._tick = tick
        self._excused_until = 0.0

    @property
    def excuses(self) -> bool:
        """Who falls silent now may do so because of us."""
        return asyncio.get_running_loop().time() < self._excused_until

    async def keep(self, over: asyncio.Event) -> None:
        """Until it is cancelled. Sets ``over`` when the deadline passes."""
        loop = asyncio.get_running_loop()
        beat_at, looked_at = 0.0, loop.time()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now = loop.time()
            if now - looked_at > LAG:
                held_up = f"this machine was too busy to run fleetpush for {now - looked_at:.0f} s"
                self._chronicle.notice(
                    "warning", f"{held_up}: agents leave after {AGENT_SILENT:.0f} s"
                )
                self._excuse(now - looked_at)
            looked_at = now
            deadline = self._options.deadline
            if deadline is not None and self._chronicle.at() > deadline:
                self.deadline_passed = True
                over.set()
            if now >= beat_at:
                beat_at = now + BEAT
                for member in self._everyone:
                    member.channel.say({"do": "beat"})
            for member in self._everyone:
                self._look_at(member, now)
            self._tick()

    def _excuse(self, seconds: float) -> None:
        """What was not heard while this program did not run is nobody's silence."""
        self._excused_until = asyncio.get_running_loop().time() + LAG
        for member in self._everyone:
            member.heard_at += seconds
            member.moved_at += seconds

    def _look_at(self, member: Member, now: float) -> None:
        if member.gone.is_set() or member.address is None:
            return
        if member.waits:
            member.moved_at = now
        if now - member.heard_at > AGENT_SILENT:
            text = f"no word from its agent for {AGENT_SILENT:.0f} s: it was cut off"
            member.fail(HostFailure("agent_silent", text))
            member.channel.kill()
        elif (
            not member.is_origin
            and not member.settled.is_set()
            and not self._admission.holds(member)
            and now - member.moved_at > self._options.stall
        ):
            text = f"no progress for {self._options.stall:.0f} s (--stall): cut loose"
            member.fail(HostFailure("stalled", text))
            member.channel.say({"do": "leave"})
