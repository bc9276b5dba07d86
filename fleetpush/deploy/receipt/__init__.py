"""A run's receipt: what each host said it has, signed so that nobody can change it afterwards unseen."""

from __future__ import annotations

from typing import NamedTuple

NAMESPACE = "fleetpush-receipt"
"""What the signature is good for and nothing else: ``ssh-keygen -Y verify -n`` wants it."""

ENDING = ".sig"
"""Where a receipt's signature is: beside it, under its name and this, as ``ssh-keygen -Y sign`` puts it."""


class Receipt(NamedTuple):
    """``text`` and the armoured ``signature`` of its bytes in UTF-8."""

    text: str
    signature: str
