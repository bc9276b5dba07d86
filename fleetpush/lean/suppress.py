"""``contextlib.suppress``: that module takes ``functools`` and ``collections`` to import."""

from __future__ import annotations


class suppress:  # noqa: N801 - as contextlib has it
    """Ends the block at the first of these exceptions, as if nothing had been."""

    __slots__ = ("_kinds",)

    def __init__(self, *kinds: type[BaseException]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> bool:
        return kind is not None and issubclass(kind, self._kinds)
