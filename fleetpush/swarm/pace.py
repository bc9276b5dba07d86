"""How many uploads it takes to keep the line busy: enough to cover the time that offers take.

An offer travels behind whatever waits on the way to the neighbour, and its answer behind what waits on the
way back. While it is on its way its slot carries nothing, so there must be others that do: as many more as
streams end meanwhile (a window of the bandwidth-delay product, with as much again since both are medians).
More than that would only make every chunk take longer.
"""

from __future__ import annotations

MOST_BUNDLES = 12
"""What a path of the longest round trip gets at most: a peer keeps track of each upload."""

RECENT = 16


class Pace:
    """``slots`` is never fewer than at first. Times are in seconds."""

    def __init__(self, slots: int, bundle: int) -> None:
        self.slots = slots
        self._least = slots
        self._bundle = bundle
        self._answers: list[float] = []
        self._ends: list[float] = []

    def answered(self, took: float) -> None:
        """A neighbour answered an offer."""
        self._answers.append(took)
        del self._answers[:-RECENT]

    def ended(self, now: float) -> None:
        """A stream ended: counts the slots anew."""
        ends = self._ends
        ends.append(now)
        del ends[:-RECENT]
        spent = ends[-1] - ends[0]
        if len(ends) < RECENT or not self._answers or spent <= 0:
            return
        answer = sorted(self._answers)[len(self._answers) // 2]
        ended_meanwhile = int(2 * answer * (len(ends) - 1) / spent)
        most = max(self._least, MOST_BUNDLES * self._bundle)
        self.slots = min(most, max(self._least, 2 * self._bundle + 1 + ended_meanwhile))
