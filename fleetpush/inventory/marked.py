"""Values that are more than they look: what ansible-vault encrypted, and text that is no template."""

from __future__ import annotations

from typing import NoReturn

from fleetpush.errors import InputError

VAULT_HEADER = "$ANSIBLE_VAULT;"


class Verbatim(str):
    """Text as ``!unsafe`` marks it: braces in it are braces."""

    __slots__ = ()


class Vaulted:
    """A value that ansible-vault encrypted. Whoever carries it along is free to; using it raises InputError.

    ``place`` is its file and line. ``repr`` is what stands for it where variables are shown.
    """

    __slots__ = ("place",)

    def __init__(self, place: str) -> None:
        self.place = place

    def __repr__(self) -> str:
        return "(vault-encrypted)"

    @property
    def reason(self) -> str:
        """What is the matter with it, where it is, and what to do: the end of a sentence."""
        return (
            f"vault-encrypted ({self.place}), which fleetpush cannot decrypt: keep the secret out of the "
            "inventory (an SSH agent, or -k and -K ask for passwords), or override it with -e"
        )

    def _refuse(self, *_: object) -> NoReturn:
        raise InputError(f"a template needs a value that is {self.reason}")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # what protocols look for and may miss
            raise AttributeError(name)
        self._refuse()

    # Every operation that a template or a caller could mistake for the plain value's.
    __str__ = __bool__ = __iter__ = __len__ = __int__ = __float__ = _refuse
    __format__ = __getitem__ = __contains__ = __call__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __mul__ = __rmul__ = __mod__ = __rmod__ = _refuse
    __hash__ = object.__hash__
