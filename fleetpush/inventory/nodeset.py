"""Names of many hosts in few words: ``web[001:100]``, ``db-[a:f]``, ``dc[1-2]n[1-99]``, and back again."""

from __future__ import annotations

import ipaddress
import itertools
import math
import re
import string
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A slip such as [1-10000000000] must be a message, not a machine without memory.
MAX_NAMES = 1_000_000

_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_DIGITS = re.compile(r"([0-9]{1,18})")
_NUMBERS = re.compile(
    r"(?P<begin>[0-9]{1,18})(?:-(?P<end>[0-9]{1,18})(?:/(?P<step>[0-9]{1,9}))?)?"
    r"|(?P<begin2>[0-9]{0,18}):(?P<end2>[0-9]{1,18})(?::(?P<step2>[0-9]{1,9}))?"
)
_LETTERS = re.compile(r"([a-zA-Z]):([a-zA-Z])(?::([0-9]{1,9}))?")


class _Span(NamedTuple):
    """One range inside brackets: numbers printed at least ``width`` wide, or indices of letters."""

    values: range
    width: int | None

    def names(self) -> Iterator[str]:
        if self.width is None:
            return (string.ascii_letters[value] for value in self.values)
        return (f"{value:0{self.width}d}" for value in self.values)


def expand(text: str) -> list[str]:
    """All names that ``text`` stands for, each once, in the order written.

    Brackets hold Ansible's ranges (``01:50``, ``01:50:2``, ``a:f``) or ClusterShell's (``1-50``,
    ``0-6/2``, ``1,3-5``); a comma outside brackets separates names; an IPv6 address in brackets is
    itself. Raises InputError for a range that makes no sense or stands for too many names.
    """
    names: dict[str, None] = {}
    for part in split_outside(text, ","):
        names.update(dict.fromkeys(_expand_one(part)))
        _check_count(len(names), text)
    return list(names)


def is_range(content: str) -> bool:
    """True if the inside of a pair of brackets reads as a range or a list of ranges."""
    return all(_NUMBERS.fullmatch(i) or _LETTERS.fullmatch(i) for i in content.split(","))


def is_ipv6(text: str) -> bool:
    """True if ``text`` is an IPv6 address without brackets."""
    if ":" not in text:
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def split_outside(text: str, separators: str) -> list[str]:
    """``text`` cut at each of ``separators`` that is not inside brackets; blanks and empty parts go.

    Raises InputError when brackets do not pair up.
    """
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        if char in separators and not depth:
            parts.append(text[start:at])
            start = at + 1
        elif char in "[]":
            depth += 1 if char == "[" else -1
            if depth not in (0, 1):
                raise InputError(f"bad range in {text!r}: the brackets do not pair up")
    if depth:
        raise InputError(f"bad range in {text!r}: a bracket is never closed")
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _expand_one(part: str) -> Iterable[str]:
    if "[" not in part:
        return (part,)
    pieces = _BRACKET.split(part)  # literal, inside of brackets, literal, ..., literal
    choices: list[list[_Span]] = []
    for content in pieces[1::2]:
        if is_ipv6(content):
            return (content,) if part == f"[{content}]" else (part,)
        choices.append([_span(item, part) for item in content.split(",")])
    _check_count(math.prod(sum(len(s.values) for s in spans) for spans in choices), part)
    columns: list[Iterable[str]] = [(pieces[0],)]
    for spans, literal in zip(choices, pieces[2::2], strict=True):
        columns += [[name for span in spans for name in span.names()], (literal,)]
    return map("".join, itertools.product(*columns))


def _span(item: str, part: str) -> _Span:
    if letters := _LETTERS.fullmatch(item):
        begin, end = (string.ascii_letters.index(letter) for letter in letters.group(1, 2))
        return _Span(_steps(begin, end, letters[3], item, part), None)
    numbers = _NUMBERS.fullmatch(item)
    if numbers is None:
        raise InputError(
            f"bad range [{item}] in {part!r}: write it as [1-50], [01:50], [0-6/2], [1,3-5] or [a:f]"
        )
    first = numbers["begin"] or numbers["begin2"] or "0"
    last = numbers["end"] or numbers["end2"] or first
    padded = _is_padded(first) or _is_padded(last)
    if padded and len(first) != len(last):
        raise InputError(
            f"bad range [{item}] in {part!r}: zero-padded ends must have the same number of digits"
        )
    step = numbers["step"] or numbers["step2"]
    return _Span(_steps(int(first), int(last), step, item, part), len(first) if padded else 1)


def _steps(begin: int, end: int, step: str | None, item: str, part: str) -> range:
    if end < begin:
        raise InputError(f"bad range [{item}] in {part!r}: it ends before it begins")
    if step is not None and int(step) == 0:
        raise InputError(f"bad range [{item}] in {part!r}: the step must be at least 1")
    return range(begin, end + 1, int(step or 1))


def _is_padded(digits: str) -> bool:
    return digits.startswith("0") and len(digits) > 1


def _check_count(count: int, text: str) -> None:
    if count > MAX_NAMES:
        raise InputError(f"{text!r} stands for more than {MAX_NAMES:,} hosts: check its ranges")


def fold(names: Iterable[str]) -> str:
    """The names in few words, sorted as people count: ``db1,node[2-4]``. ``expand`` reads it back.

    Works number by number from the right: names that differ in one number only become one name
    with a range there. Each pass is a walk over a dictionary, so ten thousand names that do not
    fold cost no more than ten thousand that do.
    """
    unique = sorted(set(names), key=natural)
    folded = [tuple(_DIGITS.split(name)) for name in unique]
    for column in range(max((len(pieces) for pieces in folded), default=0) - 2, 0, -2):
        folded = _fold_column(folded, column)
    return ",".join("".join(pieces) for pieces in folded)


def _fold_column(names: list[tuple[str, ...]], column: int) -> list[tuple[str, ...]]:
    rows: defaultdict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for pieces in names:
        has_column = column < len(pieces)
        rows[pieces[:column], pieces[column + 1 :]] += [pieces[column]] if has_column else []
    return [
        (*before, _ranges(values), *after) if values else before
        for (before, after), values in rows.items()
    ]


def _ranges(values: list[str]) -> str:
    """``["8", "9", "10"]`` -> ``[8-10]``; one value stays bare; widths that are padded stay apart."""
    if len(values) == 1:
        return values[0]
    padded = {len(value) for value in values if _is_padded(value)}
    by_width: defaultdict[int, list[int]] = defaultdict(list)
    for value in values:
        by_width[len(value) if len(value) in padded else 1].append(int(value))
    return "[" + ",".join(i for w, n in sorted(by_width.items()) for i in _runs(sorted(n), w)) + "]"


def _runs(numbers: list[int], width: int) -> Iterator[str]:
    begin = last = numbers[0]
    for number in [*numbers[1:], None]:
        if number is not None and number == last + 1:
            last = number
            continue
        yield f"{begin:0{width}d}" if begin == last else f"{begin:0{width}d}-{last:0{width}d}"
        if number is not None:
            begin = last = number


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts names as people count: ``node9`` before ``node10``."""
    pieces = _DIGITS.split(name)
    return [(int(p) if i % 2 else 0, p) for i, p in enumerate(pieces)]
