"""Whether every chunk is still somewhere, once a host that was an origin of it is gone.

Nobody keeps books of who has which chunk, so the hosts are asked, and only then. A chunk that nobody says he
has several times in a row, with nobody on the way who might, will not come any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleetpush.deploy.said import text_in
from fleetpush.errors import HostFailure
from fleetpush.swarm import bitfield

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleetpush.deploy.member import Member
    from fleetpush.swarm.manifest import Manifest
    from fleetpush.swarm.plan.shares import Shares

LOOKS = 4
"""Answers in a row that lack the same chunks: what was on its way when an origin died may still arrive."""

ANSWER_LOOKS = 10
"""Ticks after which an answer is not waited for any more."""


class Remains:
    """``gone`` is told, once, why the hosts that are not done never will be."""

    def __init__(
        self,
        manifest: Manifest,
        shares: Shares,
        origins: Sequence[Member],
        hosts: Sequence[Member],
        gone: Callable[[HostFailure], None],
    ) -> None:
        self._manifest = manifest
        self._shares = shares
        self._origins = origins
        self._hosts = hosts
        self._gone = gone
        self._held = {name: shares.holds(name) for name in shares.origins}
        self._doubt = False
        """Somebody is gone since all was found."""
        self._round = 0
        self._waited = 0
        self._answers: dict[str, int] = {}
        self._missing = self._looks = 0

    def lost(self) -> None:
        """An origin or a host is gone."""
        self._doubt, self._looks = True, 0

    def heard(self, member: Member, message: dict[str, Any]) -> None:
        """A host's answer. Raises ValueError for one that makes no sense."""
        mask = bitfield.from_bytes(bytes.fromhex(text_in(message, "mask")), self._manifest.chunks)
        if message.get("asked") == self._round:
            self._answers[member.peer] = mask

    def tick(self) -> None:
        """Wanted about twice a second."""
        risk = bitfield.full(self._manifest.chunks) & ~self._shares.held_by(self._shares.origins)
        waiting = [m for m in self._hosts if not m.settled.is_set()]
        if not self._doubt or not risk or not waiting:
            return
        if any(member.ready_at is None for member in waiting):
            return  # it may hold what is missing
        living = [m for m in self._hosts if m.channel.running and m.ready_at is not None]
        self._waited += 1
        answered = all(member.peer in self._answers for member in living)
        if self._round and (answered or self._waited > ANSWER_LOOKS):
            self._judge(risk)
        elif self._round:
            return
        if self._doubt:
            self._ask(living)

    def _ask(self, living: Sequence[Member]) -> None:
        self._round += 1
        self._waited, self._answers = 0, {}
        for member in living:
            member.channel.say({"do": "own", "asked": self._round})

    def _judge(self, risk: int) -> None:
        missing = risk
        for mask in self._answers.values():
            missing &= ~mask
        self._looks = self._looks + 1 if missing == self._missing else 1
        self._missing = missing
        if not missing:
            self._doubt, self._round = False, 0
        elif self._looks >= LOOKS:
            self._doubt = False
            self._gone(self._why())

    def _why(self) -> HostFailure:
        first = next(bitfield.chunks(self._missing))
        had = [m for m in self._origins if self._held.get(m.peer, 0) >> first & 1]
        names = " and ".join(m.name for m in had) or "nobody"
        whose = "its agent is" if len(had) == 1 else "their agents are"
        failures = [m.failure for m in had if m.failure is not None]
        if failures and all(failure.slug == "source_changed" for failure in failures):
            return HostFailure("source_changed", f"{names}: {failures[0].message}")
        text = (
            f"{described(self._manifest, self._missing)} cannot be had any more: {names} alone had"
            f" {'it' if self._missing & (self._missing - 1) == 0 else 'them'}, and {whose} gone"
        )
        if failures:
            text += f" ({failures[0].message})"
        return HostFailure("source_lost", f"{text}; deploy again when it is back, to resume")


def described(manifest: Manifest, mask: int) -> str:
    """The first chunk of ``mask`` by file and bytes, and how many more there are."""
    first, count = next(bitfield.chunks(mask)), bitfield.count(mask)
    start = first * manifest.chunk_size
    part = manifest.extents(start, manifest.chunk_length(first))[0]
    end = part.offset + part.length - 1
    where = f"{manifest.files[part.file].path}, bytes {part.offset:,} to {end:,}"
    more = f", and {count - 1:,} more" if count > 1 else ""
    return f"chunk {first} ({where}){more}"
