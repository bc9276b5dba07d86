"""Several origins: who hands out which chunks first, so that about one copy leaves all of them together.

Every origin gets a run of chunks that it holds; the runs are dealt so that the largest total is as small as
it can be with whole runs. Of an origin that is gone the others take over what they hold.
"""

from __future__ import annotations

from fleetpush.swarm import bitfield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Shares:
    """``holdings``: the origins, in order, and the sets of chunks that they hold."""

    def __init__(self, holdings: Mapping[str, int]) -> None:
        self._holdings = dict(holdings)
        self._shares = deal(self._holdings, self.held_by(self._holdings))

    @property
    def origins(self) -> tuple[str, ...]:
        """Those that are not gone."""
        return tuple(self._holdings)

    def of(self, origin: str) -> int:
        """The chunks that ``origin`` hands out first."""
        return self._shares.get(origin, 0)

    def holds(self, origin: str) -> int:
        """The chunks that ``origin`` has; none once it is gone."""
        return self._holdings.get(origin, 0)

    def held_by(self, origins: Iterable[str]) -> int:
        """The chunks that one of ``origins`` has, or several."""
        held = 0
        for origin in origins:
            held |= self.holds(origin)
        return held

    def leave(self, origin: str) -> dict[str, int]:
        """``origin`` is gone. What each of the others takes over."""
        if self._holdings.pop(origin, None) is None:
            return {}
        left = deal(self._holdings, self._shares.pop(origin))
        for other, mask in left.items():
            self._shares[other] |= mask
        return {other: mask for other, mask in left.items() if mask}


def deal(holdings: Mapping[str, int], chunks: int) -> dict[str, int]:
    """Of ``chunks`` those that somebody holds, each to one of its holders, in runs and evenly."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for chunk in bitfield.chunks(chunks):
        holders = tuple(name for name, mask in holdings.items() if mask >> chunk & 1)
        groups.setdefault(holders, []).append(chunk)
    loads = dict.fromkeys(holdings, 0)
    shares = dict.fromkeys(holdings, 0)
    # Where there is least choice first: what can go to many evens it out.
    for holders in sorted(groups, key=len):
        if not holders:
            continue
        counts = dict.fromkeys(holders, 0)
        for _ in groups[holders]:
            least = min(holders, key=loads.__getitem__)
            loads[least] += 1
            counts[least] += 1
        at = 0
        for name, count in counts.items():
            shares[name] |= bitfield.of(groups[holders][at : at + count])
            at += count
    return shares
