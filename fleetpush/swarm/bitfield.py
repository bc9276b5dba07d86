"""Sets of chunk numbers as plain integers: bit ``i`` is chunk ``i``.

Python's integers do unions and differences of thousands of chunks in about 100 ns, which no list or
set does; the pickers live on that.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


def full(count: int) -> int:
    """All of ``count`` chunks."""
    return (1 << count) - 1


def size(count: int) -> int:
    """Bytes that ``to_bytes`` uses for ``count`` chunks."""
    return (count + 7) // 8


def of(chunks: Iterable[int]) -> int:
    """The set that holds exactly ``chunks``."""
    mask = 0
    for chunk in chunks:
        mask |= 1 << chunk
    return mask


def chunks(mask: int) -> Iterator[int]:
    """The chunk numbers in ``mask``, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def lowest(mask: int) -> int:
    """The lowest chunk in a non-empty ``mask``."""
    return (mask & -mask).bit_length() - 1


def from_rotation(mask: int, start: int) -> int:
    """The first chunk of a non-empty ``mask`` at or after ``start``, wrapping around."""
    upper = mask >> start
    return lowest(upper) + start if upper else lowest(mask)


def _count(mask: int) -> int:
    return bin(mask).count("1")


count: Callable[[int], int] = getattr(int, "bit_count", _count)
"""How many chunks a mask holds (``int.bit_count`` came with Python 3.10)."""


def to_bytes(mask: int, count: int) -> bytes:
    """``mask`` as ``size(count)`` bytes, chunk 0 in the lowest bit of the first byte."""
    return mask.to_bytes(size(count), "little")


def from_bytes(data: bytes, count: int) -> int:
    """The reverse of ``to_bytes``; raises ValueError unless it fits ``count`` chunks exactly."""
    mask = int.from_bytes(data, "little")
    if len(data) != size(count) or mask >> count:
        raise ValueError(f"a bitfield of {len(data)} bytes does not describe {count} chunks")
    return mask
