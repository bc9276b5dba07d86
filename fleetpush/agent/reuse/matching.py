"""Where the parts of one new file may lie in old ones: the shifts at which anchors are found again.

Between two anchors with one shift everything is taken to have it; where they differ, either may hold, and
the digests decide. One edit needs no search: what is before it is where it was, and what is behind it is
where it was as counted from the end.
"""

from __future__ import annotations

from fleetpush.agent.reuse.anchors import find, lies_at
from fleetpush.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fleetpush.agent.files import OpenFiles
    from fleetpush.agent.reuse.anchors import Anchor, Old

FEW = 4
"""Anchors that say nothing by not being found: something changed may lie under each."""


class Place(Record):
    """Old content, and what is added to a position in the new file to get the one in the old."""

    __slots__ = ("old", "shift")

    def __init__(self, old: Old, shift: int) -> None:
        self.old = old
        self.shift = shift


class Piece(Record):
    """From ``start`` to ``end`` the new file may be what lies at ``place``."""

    __slots__ = ("start", "end", "place")

    def __init__(self, start: int, end: int, place: Place) -> None:
        self.start = start
        self.end = end
        self.place = place


class Matching:
    """One new file of ``size`` bytes and the old ones, the likeliest first; ``anchors`` lie in it, in order,
    by their places in the file. ``step``: see ``anchors.find``."""

    def __init__(
        self,
        size: int,
        olds: Sequence[Old],
        anchors: Sequence[Anchor],
        fds: OpenFiles,
        step: Callable[[int], bool],
    ) -> None:
        self._size = size
        self._olds = olds
        self._anchors = anchors
        self._fds = fds
        self._step = step
        self._places = [place for old in olds for place in ends(old, size)]
        self._found: dict[int, Place] = {}

    def pieces(self) -> tuple[list[Piece], list[Piece]]:
        """The guesses, and second guesses for some of the same parts."""
        if not self._olds:
            return [], []
        for index in range(len(self._anchors)):
            self._try_known(index)
        for first, last in self._gaps():
            self._search(first, last)
        if not self._found and len(self._anchors) >= FEW:
            return [], []
        return guesses(self._size, self._olds[0], self._anchors, self._found)

    def _try_known(self, index: int) -> bool:
        before = self._found.get(index - 1)
        known = [before] if before is not None else []
        for place in [*known, *self._places]:
            if self._lies(index, place):
                self._found[index] = place
                return True
        return False

    def _lies(self, index: int, place: Place) -> bool:
        anchor = self._anchors[index]
        offset = anchor.at + place.shift
        inside = 0 <= offset <= place.old.size - anchor.span
        return inside and lies_at(self._fds[place.old.key], offset, anchor)

    def _gaps(self) -> list[tuple[int, int]]:
        """Runs of anchors not found, but for those within what is merely changed in place."""
        gaps, first = [], 0
        usual = ends(self._olds[0], self._size)
        for index in range(len(self._anchors) + 1):
            if index < len(self._anchors) and index not in self._found:
                continue
            if first < index:
                before = self._found.get(first - 1, usual[0])
                after = self._found.get(index, usual[-1])
                if before != after or not self._found:
                    gaps.append((first, index))
            first = index + 1
        return gaps

    def _search(self, first: int, end: int) -> None:
        """The first of a gap, and if that is found then those behind it; else the one in the middle."""
        index, vain = first, 0
        while index < end and vain < 2:
            if not self._try_known(index) and not self._seek(index):
                vain += 1
                index = (index + 1 + end) // 2
            else:
                index, vain = index + 1, 0

    def _seek(self, index: int) -> bool:
        anchor = self._anchors[index]
        for old in self._olds:
            offset = find(self._fds[old.key], old, anchor, self._step)
            if offset is not None:
                self._found[index] = Place(old, offset - anchor.at)
                self._places.append(self._found[index])
                return True
        return False


def ends(old: Old, size: int) -> list[Place]:
    """Where it was, and where it was as counted from the end."""
    places = [Place(old, 0)]
    if old.size != size:
        places.append(Place(old, old.size - size))
    return places


def guesses(
    size: int, usual: Old, anchors: Sequence[Anchor], found: Mapping[int, Place]
) -> tuple[list[Piece], list[Piece]]:
    """What the anchors that were found say of the whole file, ``usual`` where they say nothing."""
    first, *rest = ends(usual, size)
    last = rest[0] if rest else first
    marks = [(anchors[index].at, found[index]) for index in sorted(found)]
    likely: list[Piece] = []
    second: list[Piece] = []
    start, before = 0, first
    for number, (end, after) in enumerate([*marks, (size, last)]):
        leading = after if not number and marks else before
        likely += _clipped(start, end, leading)
        if after != before:
            second += _clipped(start, end, after if leading == before else before)
        start, before = end, after
    return likely, second


def _clipped(start: int, end: int, place: Place) -> list[Piece]:
    """As far as the old file goes."""
    start = max(start, -place.shift)
    end = min(end, place.old.size - place.shift)
    return [Piece(start, end, place)] if start < end else []
