"""Variables of the command line: ``-e name=value``, ``-e @file`` and ``-e '{"name": ...}'``."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.errors import InputError
from fleetpush.inventory.load.document import read_mapping
from fleetpush.inventory.load.text import decode, read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN = re.compile(
    r"""(?:\{\{.*?\}\}|\{%.*?%\}|\{\#.*?\#\}"""  # a template is one word, blanks and all
    r"""|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s"'])+""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\U[0-9a-fA-F]{8}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[\\'\"abfnrtv]")


def read_extra_vars(texts: Sequence[str], *, cwd: Path) -> dict[str, object]:
    """The variables of all ``-e``; the later one wins.

    Each is name=value pairs (values are text, in quotes where they hold blanks), YAML or JSON in braces, or
    ``@`` and a file of either. Raises InputError that names the flag, or file and line.
    """
    found: dict[str, object] = {}
    for text in texts:
        found.update(_read(text, cwd))
    return found


def _read(text: str, cwd: Path) -> dict[str, object]:
    start = text.lstrip()[:1]
    if start == "@":
        return _read_file(text.lstrip()[1:], cwd)
    if start in ("{", "["):
        block = read_mapping(
            text, "-e", "what is in braces"
        )  # no more of it: it may hold a password
        return dict(block.values) if block else {}
    if start in ("/", ".") and "=" not in text:
        raise InputError(f"-e {text!r}: write -e @{text} for a file of variables")
    return _read_pairs(text)


def _read_file(name: str, cwd: Path) -> dict[str, object]:
    try:
        path = cwd / Path(name).expanduser()
    except RuntimeError as error:
        raise InputError(f"-e @{name}: {error}") from error
    shown = f"-e @{name}"
    text = decode(read_bytes(path, f"@{name}", "the variables of -e"), shown)
    block = read_mapping(text, shown, "a file of variables")
    return dict(block.values) if block else {}


def _read_pairs(text: str) -> dict[str, object]:
    found: dict[str, object] = {}
    rest = _TOKEN.sub("", text).strip()
    if rest:
        raise InputError(f"-e: a quote {rest[0]} is never closed")
    for word in _TOKEN.findall(text):
        name, sign, value = word.partition("=")
        if not sign or not name.isidentifier():
            raise InputError(f"-e {name!r}: write name=value; a value with blanks in quotes")
        found[name] = _unquoted(_ESCAPE.sub(_unescape, value))
    if not found:
        raise InputError("-e is empty: write name=value")
    return found


def _unescape(match: re.Match[str]) -> str:
    return codecs.decode(match[0], "unicode-escape")


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if is_quoted else value
