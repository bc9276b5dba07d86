"""Text from hosts, files and inventories made safe to print: nothing in it can drive a terminal."""

from __future__ import annotations

import re
import unicodedata

_LINE_BREAKS = re.compile(r"[\r\n\u2028\u2029\x0b\x0c\x85]+")
_PRINTABLE_ASCII = re.compile(r"[\x20-\x7e]*")


def clean(text: str) -> str:
    """``text`` on one line, with control, format, private and surrogate characters spelled out.

    Escape sequences, bidirectional overrides and zero-width characters show as ``\\x1b``, ``\\u202e``.
    """
    if _PRINTABLE_ASCII.fullmatch(text):
        return text
    joined = _LINE_BREAKS.sub("; ", text.strip()).replace("\t", " ")
    return "".join(_shown(character) for character in joined)


def _shown(character: str) -> str:
    # Categories Cc, Cf, Cs, Co, Cn: whatever is not a glyph.
    if unicodedata.category(character)[0] != "C":
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shorten(text: str, width: int) -> str:
    """``text`` cut to ``width`` characters; the last one says so."""
    if len(text) <= width:
        return text
    return text[: max(0, width - 1)] + "…" if width > 0 else ""
