"""Small values with named fields: what ``NamedTuple`` is for, without its cost at import.

Making one ``NamedTuple`` class compiles code, and ``typing`` alone takes as long to import as all of the
agent's own modules; an agent pays for that on every host.
"""

from __future__ import annotations


class Record:
    """Compared, hashed and printed by its fields, which are its ``__slots__``, in order.

    A record is never changed after it was made.
    """

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self.__slots__)))

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({inside})"
