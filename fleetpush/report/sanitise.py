"""Text from hosts, files and inventories made safe to print: nothing in it can drive a terminal."""

from __future__ import annotations

import re
import unicodedata

_LINE_BREAKS = re.compile(r"[\r\n\u2028\u2029\x0b\x0c\x85]+")
_PRINTABLE_ASCII = re.compile(r"[\x20-\x7e]*")
_COMMAND = re.compile(r"^(\s*:):(?=[A-Za-z].*::)|##(?=\w*\[)")
"""What the runners of GitHub and Azure take for a command to them: ``::add-mask::x`` where a line begins,
``##[error]`` anywhere in it."""


def clean(text: str) -> str:
    """``text`` on one line, with control, format, private and surrogate characters spelled out.

    Escape sequences, bidirectional overrides and zero-width characters show as ``\\x1b``, ``\\u202e``. What
    would be a command to the program that runs a pipeline is broken in the same way.
    """
    if not _PRINTABLE_ASCII.fullmatch(text):
        joined = _LINE_BREAKS.sub("; ", text.strip()).replace("\t", " ")
        text = "".join(_shown(character) for character in joined)
    return _COMMAND.sub(_broken, text) if "::" in text or "##" in text else text


def _broken(found: re.Match[str]) -> str:
    return "#\\x23" if found[1] is None else f"{found[1]}\\x3a"


def _shown(character: str) -> str:
    # Categories Cc, Cf, Cs, Co, Cn: whatever is not a glyph.
    if unicodedata.category(character)[0] != "C":
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def printable_json(text: str) -> str:
    """JSON that says the same and holds no ``##[command]``: two of these signs stand in strings only."""
    return text.replace("##", "#\\u0023")


def shorten(text: str, width: int) -> str:
    """``text`` cut to ``width`` characters; the last one says so."""
    if len(text) <= width:
        return text
    return text[: max(0, width - 1)] + "…" if width > 0 else ""
