"""Who may sign: OpenSSH's allowed_signers files, as ``ssh-keygen -Y verify`` reads them.

A line names principals, options and a key: ``alice@example.com namespaces="file" ssh-ed25519 AAAA``.
Lines of certificate authorities are passed over: signatures by certificates are not read here.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from fleetpush.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_KINDS = re.compile(r"(?:ssh|ecdsa|sk|rsa|webauthn)-[A-Za-z0-9@.-]+")
_WORD = re.compile(r'(?:[^\s"]|"(?:\\"|[^"])*")+')
_OPTION = re.compile(r'([A-Za-z-]+)(?:="((?:\\"|[^"])*)")?')
_OPTIONS = re.compile(rf"{_OPTION.pattern}(?:,{_OPTION.pattern})*")
_KNOWN = frozenset(("cert-authority", "namespaces", "valid-after", "valid-before"))
_TIMES = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


@dataclass(frozen=True, slots=True)
class Signer:
    """One line. ``after`` and ``before`` in seconds since the epoch; ``namespaces`` "" for all."""

    principals: str
    blob: bytes
    namespaces: str = ""
    after: float = 0.0
    before: float = float("inf")

    def allows(self, namespace: str, now: float) -> bool:
        return self.after <= now < self.before and (
            not self.namespaces or matches(self.namespaces, namespace)
        )


class AllowedSigners:
    """The signers that a file names."""

    def __init__(self, signers: Iterable[Signer]) -> None:
        self._signers = tuple(signers)

    @classmethod
    def read(cls, path: Path) -> AllowedSigners:
        """Raises InputError, naming the line."""
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise InputError(
                f"cannot read --allowed-signers {path}: {error.strerror}", slug="allowed_signers"
            ) from error
        found = []
        for number, line in enumerate(lines, 1):
            try:
                signer = _signer(line.strip())
            except ValueError as error:
                raise InputError(
                    f"{path}, line {number}: {error}", slug="allowed_signers"
                ) from error
            if signer is not None:
                found.append(signer)
        return cls(found)

    def who(self, blob: bytes, namespace: str, identity: str | None) -> str | None:
        """Whose key it is: the principals of the line that says so; None if none does.

        ``identity``: only this principal counts.
        """
        now = time.time()
        for signer in self._signers:
            if signer.blob != blob or not signer.allows(namespace, now):
                continue
            if identity is None:
                return signer.principals
            if matches(signer.principals, identity):
                return identity
        return None


def matches(patterns: str, text: str) -> bool:
    """Whether one of the comma-separated patterns matches, and none that begins with ``!``."""
    found = False
    for pattern in patterns.split(","):
        wanted = pattern.removeprefix("!")
        # OpenSSH's patterns know * and ? and nothing else.
        if fnmatchcase(text, wanted.replace("[", "[[]")):
            if pattern != wanted:
                return False
            found = True
    return found


def _signer(line: str) -> Signer | None:
    """None for a line that names nobody. Raises ValueError."""
    if not line or line.startswith("#"):
        return None
    words = _WORD.findall(line)
    options: dict[str, str] = {}
    if len(words) > 1 and not _KINDS.fullmatch(words[1]):
        options = _options(words.pop(1))
    if len(words) < 3 or not _KINDS.fullmatch(words[1]):
        raise ValueError("it has no key: write PRINCIPALS [OPTIONS] KEYTYPE KEY")
    if "cert-authority" in options:
        return None
    try:
        blob = base64.b64decode(words[2], validate=True)
    except binascii.Error as error:
        raise ValueError(f"its key cannot be read: {error}") from error
    return Signer(
        words[0].strip('"'),
        blob,
        options.get("namespaces", ""),
        _seconds(options.get("valid-after"), 0.0),
        _seconds(options.get("valid-before"), float("inf")),
    )


def _options(text: str) -> dict[str, str]:
    """By their names, in small letters. Raises ValueError."""
    if not _OPTIONS.fullmatch(text):
        raise ValueError(f"the options {text!r} cannot be read")
    found = {name.lower(): value.replace('\\"', '"') for name, value in _OPTION.findall(text)}
    unknown = set(found) - _KNOWN
    if unknown:
        raise ValueError(f"the option {min(unknown)!r} is not known here")
    return found


def _seconds(text: str | None, default: float) -> float:
    """``YYYYMMDD[HHMM[SS]]``, in local time or with a Z. Raises ValueError."""
    if text is None:
        return default
    digits = text.removesuffix("Z")
    if len(digits) not in _TIMES or not digits.isdecimal():
        raise ValueError(f"{text!r} is no time: write YYYYMMDD or YYYYMMDDHHMM[SS], with Z for UTC")
    found = datetime.strptime(digits, _TIMES[len(digits)])  # noqa: DTZ007 - the next lines give it its zone
    return (found.replace(tzinfo=UTC) if digits != text else found.astimezone()).timestamp()
