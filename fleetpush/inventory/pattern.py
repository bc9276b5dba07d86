"""Ansible's host patterns: ``web:&prod:!web3``, globs, ``~regex``, ``grp[0:2]``; and nodeset ranges.

Whatever the order of the parts: first all unions, then ``&``, then ``!``. Brackets after the name of
a group are positions when they hold ``0``, ``-1``, ``0:2`` (both ends included) or ``1:``; all other
ranges are names (``node[1-50]``), so that a folded list of hosts is a pattern as well.
"""

from __future__ import annotations

import fnmatch
import re
import warnings
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args

from fleetpush.errors import InputError
from fleetpush.inventory import nodeset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Operator = Literal["", "&", "!"]
_SUBSCRIPT = re.compile(
    r"(?P<base>.+)\[(?:(?P<one>-?[0-9]{1,9})|(?P<begin>[0-9]{1,9}):(?P<end>[0-9]{0,9}))\]"
)
_ADDRESS = re.compile(r"\[([^\[\]]+)\](?::[0-9]+)?")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_CHAR = re.compile(r"\\.|.", re.DOTALL)


class Fleet(Protocol):
    """What a pattern is matched against: hosts and groups by name, and where ``@file`` is looked for."""

    @property
    def hosts(self) -> Mapping[str, object]: ...

    @property
    def groups(self) -> Mapping[str, object]: ...

    @property
    def cwd(self) -> Path: ...

    def members(self, group: str) -> list[str]:
        """The names of a group's hosts, in the order that positions count."""


class Part(NamedTuple):
    """One step of a pattern: ``atom`` joined (""), intersected ("&") or taken away ("!")."""

    operator: Operator
    atom: str

    def __str__(self) -> str:
        return self.operator + self.atom


def select(pattern: str, fleet: Fleet, *, files: bool = False) -> dict[str, None]:
    """The names of the hosts that match, in the order in which the pattern comes to them.

    ``files`` allows ``@file``. Raises InputError if unreadable.
    """
    parts = _parse(pattern, fleet, files=files)
    if all(part.operator for part in parts):
        parts.insert(0, Part("", "all"))
    chosen: dict[str, None] = {}
    for operator in get_args(Operator):
        for part in parts:
            if part.operator == operator:
                chosen = _combine(chosen, operator, _match(part.atom, fleet))
    return chosen


def unmatched(pattern: str, fleet: Fleet) -> list[str]:
    """The parts that match no host; of a range of names, the missing names folded."""
    missing = []
    for part in _parse(pattern, fleet, files=True):
        names = None if _subscript(part.atom, fleet) else _range_names(part.atom)
        if names is not None:
            absent = [name for name in names if name not in fleet.hosts]
            missing += [part.operator + nodeset.fold(absent)] if absent else []
        elif not _match(part.atom, fleet):
            missing.append(str(part))
    return missing


def _combine(chosen: dict[str, None], operator: str, names: Iterable[str]) -> dict[str, None]:
    named = dict.fromkeys(names)
    if operator == "&":
        return {name: None for name in chosen if name in named}
    if operator == "!":
        return {name: None for name in chosen if name not in named}
    return chosen | named


def _parse(pattern: str, fleet: Fleet, *, files: bool) -> list[Part]:
    parts = []
    for text in _split(pattern):
        if text.startswith("@") and files:
            parts += _read_file(text[1:], fleet)
        else:
            parts.append(_part(text, pattern))
    if not parts:
        raise InputError(f"the host pattern {pattern!r} is empty: name hosts or groups, or 'all'")
    return parts


def _part(text: str, pattern: str) -> Part:
    operator: Operator = "&" if text[0] == "&" else "!" if text[0] == "!" else ""
    atom = text[1:].strip() if operator else text
    if not atom or atom[0] in "&!":
        raise InputError(
            f"host pattern {pattern!r}: {text!r} says nothing; write '!name' or '&name'"
        )
    if atom[0] == "@":
        raise InputError(
            f"host pattern {pattern!r}: {text!r}: @file stands alone, and only in a limit"
        )
    return Part(operator, atom)


def _read_file(name: str, fleet: Fleet) -> list[Part]:
    path = fleet.cwd / name
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise InputError(f"cannot read the limit file @{name}: {reason}") from error
    texts = [line.partition("#")[0] for line in lines]
    parts = [_part(text, f"@{name}") for line in texts for text in _split(line)]
    if not parts:
        raise InputError(f"the limit file @{name} names no host: one pattern a line")
    return parts


def _split(pattern: str) -> list[str]:
    parts = []
    for chunk in _cut(pattern, ","):
        bare = nodeset.is_ipv6(chunk.lstrip("&! "))
        parts += [chunk] if bare else _cut(chunk, ":")
    return parts


def _cut(text: str, separator: str) -> list[str]:
    """Cuts outside brackets; in a regex also outside parentheses and braces, as in ``~n(?:a|b){1,2}``."""
    pieces, depth, regex, fresh = [""], 0, False, True
    for char in _CHAR.findall(text):
        if not depth and char in ",:":
            regex, fresh = False, True
            if char == separator:
                pieces.append("")
                continue
        elif fresh and char not in " \t&!":
            regex, fresh = char == "~", False
        opening, closing = ("([{", ")]}") if regex else ("[", "]")
        depth += (char in opening) - (char in closing)
        if depth < 0:
            raise InputError(f"host pattern {text!r}: the brackets do not pair up")
        pieces[-1] += char
    if depth and not regex:
        raise InputError(f"host pattern {text!r}: a bracket is never closed")
    return [piece.strip() for piece in pieces if piece.strip()]


def _match(atom: str, fleet: Fleet) -> list[str]:
    """The hosts one atom stands for, in an order that positions can count in."""
    if atom in ("all", "*"):
        return list(fleet.hosts)
    if atom[0] == "~":
        return _enumerate(_regex(atom), fleet)
    if "[" in atom:
        return _match_brackets(atom, fleet)
    if _is_glob(atom):
        return _enumerate(re.compile(fnmatch.translate(atom)), fleet)
    if atom in fleet.groups:
        return fleet.members(atom)
    return [atom] if atom in fleet.hosts else []


def _match_brackets(atom: str, fleet: Fleet) -> list[str]:
    """Brackets are an IPv6 address, positions in a group, a range of names, or a glob's characters."""
    if (address := _ADDRESS.fullmatch(atom)) and nodeset.is_ipv6(address[1]):
        return [address[1]] if address[1] in fleet.hosts else []
    if subscript := _subscript(atom, fleet):
        return _pick(subscript, _match(subscript["base"], fleet))
    names = _range_names(atom)
    if names is not None:
        return [name for name in names if name in fleet.hosts]
    return _enumerate(re.compile(fnmatch.translate(atom)), fleet)


def _regex(atom: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            # "Possible nested set": of a later Python's regexes, which an operator cannot do anything about.
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(atom[1:])
    except re.error as error:
        raise InputError(f"host pattern {atom!r} is not a regular expression: {error}") from error


def _enumerate(regex: re.Pattern[str], fleet: Fleet) -> list[str]:
    found: dict[str, None] = {}
    for group in fleet.groups:
        if regex.match(group):
            found |= dict.fromkeys(fleet.members(group))
    return list(found | dict.fromkeys(filter(regex.match, fleet.hosts)))


def _subscript(atom: str, fleet: Fleet) -> re.Match[str] | None:
    match = _SUBSCRIPT.fullmatch(atom)
    if match is None or atom[0] == "~":
        return None
    base = match["base"]
    return match if base in fleet.groups or _is_glob(base) else None


def _pick(subscript: re.Match[str], names: list[str]) -> list[str]:
    if subscript["one"] is not None:
        at = int(subscript["one"])
        return [names[at]] if -len(names) <= at < len(names) else []
    begin = int(subscript["begin"])
    end = int(subscript["end"]) if subscript["end"] else len(names)
    if subscript["end"] and end < begin:
        raise InputError(f"host pattern {subscript[0]!r}: the range ends before it begins")
    return names[begin : end + 1]


def _range_names(atom: str) -> list[str] | None:
    """The names of a nodeset range; None if ``atom`` is no such thing."""
    contents = _BRACKET.findall(atom)
    if not contents or _is_glob(atom) or atom[0] == "~":
        return None
    return nodeset.expand(atom) if all(map(nodeset.is_range, contents)) else None


def _is_glob(atom: str) -> bool:
    return "*" in atom or "?" in atom
