"""What Ansible adds to Jinja2's filters and tests, as far as inventories and playbooks need it.

Whatever a filter raises becomes words at the place where the template stands.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jinja2

_TRUE = ("true", "yes", "on", "1", "y", "t")
_FALSE = ("false", "no", "off", "0", "n", "f", "")


def truth(value: object) -> bool:
    """``yes``, ``"on"``, 1 and the like. Raises ValueError for what is neither true nor false."""
    if isinstance(value, bool):
        return value
    word = "" if value is None else str(value).strip().lower()
    if word not in _TRUE and word not in _FALSE:
        raise ValueError(f"{value!r} is neither true nor false")
    return word in _TRUE


def lookup(kind: str, *names: str, default: str = "") -> str:
    """Ansible's ``lookup``, of which there is ``env``: variables of this process."""
    if kind.removeprefix("ansible.builtin.") != "env":
        raise ValueError(f"there is no lookup {kind!r} here, only lookup('env', NAME)")
    return ",".join(os.environ.get(name, default) for name in names)


def _mandatory(value: object, message: str = "") -> object:
    if isinstance(value, jinja2.Undefined):
        if message:
            raise ValueError(message)
        str(value)  # raises UndefinedError with the reason it carries
    return value


def _text(value: object) -> str:
    # An undefined value raises here; str(None) would be the word "None".
    return "" if value is None else str(value)


def _flags(*, ignorecase: bool, multiline: bool) -> re.RegexFlag:
    return (re.IGNORECASE if ignorecase else re.NOFLAG) | (re.MULTILINE if multiline else re.NOFLAG)


def _regex_replace(
    value: object,
    pattern: str = "",
    replacement: str = "",
    *,
    ignorecase: bool = False,
    multiline: bool = False,
    count: int = 0,
) -> str:
    flags = _flags(ignorecase=ignorecase, multiline=multiline)
    return re.sub(pattern, replacement, _text(value), count=count, flags=flags)


def _regex_search(
    value: object, pattern: str, *groups: str, ignorecase: bool = False, multiline: bool = False
) -> object:
    flags = _flags(ignorecase=ignorecase, multiline=multiline)
    found = re.search(pattern, _text(value), flags)
    if found is None:
        return None
    names = [group.removeprefix("\\g<").removesuffix(">").lstrip("\\") for group in groups]
    wanted = [found[int(name) if name.isdecimal() else name] for name in names]
    return wanted or found[0]


def _regex_findall(
    value: object, pattern: str, ignorecase: bool = False, multiline: bool = False
) -> list[Any]:
    return re.findall(pattern, _text(value), _flags(ignorecase=ignorecase, multiline=multiline))


def _ternary(value: object, if_true: object, if_false: object, if_none: object = None) -> object:
    if value is None and if_none is not None:
        return if_none
    return if_true if value else if_false


def _split(value: object, separator: str | None = None, most: int = -1) -> list[str]:
    return _text(value).split(separator, most)


def _union(left: Iterable[Any], right: Iterable[Any]) -> list[Any]:
    both = [*left, *right]
    return [item for at, item in enumerate(both) if item not in both[:at]]


def _intersect(left: Iterable[Any], right: Iterable[Any]) -> list[Any]:
    other = list(right)
    return [item for item in _union(left, ()) if item in other]


def _difference(left: Iterable[Any], right: Iterable[Any]) -> list[Any]:
    other = list(right)
    return [item for item in _union(left, ()) if item not in other]


def _combine(*mappings: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: value for mapping in mappings for key, value in mapping.items()}


def _dict2items(mapping: Mapping[Any, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in mapping.items()]


def _hash(value: object, kind: str = "sha1") -> str:
    return hashlib.new(kind, _text(value).encode(), usedforsecurity=False).hexdigest()


FILTERS: Mapping[str, Callable[..., Any]] = {
    "b64decode": lambda value: base64.b64decode(_text(value)).decode(),
    "b64encode": lambda value: base64.b64encode(_text(value).encode()).decode(),
    "basename": lambda value: posixpath.basename(_text(value)),
    "bool": truth,
    "combine": _combine,
    "dict2items": _dict2items,
    "difference": _difference,
    "dirname": lambda value: posixpath.dirname(_text(value)),
    "from_json": lambda value: json.loads(_text(value)),
    "hash": _hash,
    "intersect": _intersect,
    "mandatory": _mandatory,
    "path_join": lambda parts: posixpath.join(*([parts] if isinstance(parts, str) else parts)),
    "quote": lambda value: shlex.quote(_text(value)),
    "regex_escape": lambda value: re.escape(_text(value)),
    "regex_findall": _regex_findall,
    "regex_replace": _regex_replace,
    "regex_search": _regex_search,
    "split": _split,
    "splitext": lambda value: list(posixpath.splitext(_text(value))),
    "ternary": _ternary,
    "to_json": json.dumps,
    "to_nice_json": lambda value: json.dumps(value, indent=4, sort_keys=True),
    "union": _union,
}


def _of_result(key: str, *, wanted: bool = True) -> Callable[[Any], bool]:
    """A test over what ``register`` keeps."""

    def test(result: Any) -> bool:  # noqa: ANN401 - whatever a template puts before "is"
        if not isinstance(result, Mapping):
            raise TypeError("'is failed' and the like are asked of what a task has registered")
        return bool(result.get(key, False)) is wanted

    return test


def _matches(search: Callable[..., Any]) -> Callable[..., bool]:
    def test(
        value: object, pattern: str = "", ignorecase: bool = False, multiline: bool = False
    ) -> bool:
        flags = _flags(ignorecase=ignorecase, multiline=multiline)
        return search(pattern, _text(value), flags) is not None

    return test


TESTS: Mapping[str, Callable[..., bool]] = {
    **dict.fromkeys(("failed", "failure"), _of_result("failed")),
    **dict.fromkeys(("succeeded", "success"), _of_result("failed", wanted=False)),
    **dict.fromkeys(("changed", "change"), _of_result("changed")),
    **dict.fromkeys(("skipped", "skip"), _of_result("skipped")),
    "unreachable": _of_result("unreachable"),
    "reachable": _of_result("unreachable", wanted=False),
    "match": _matches(re.match),
    "search": _matches(re.search),
    "regex": _matches(re.search),
    "contains": lambda container, item: item in container,
    "subset": lambda left, right: set(left) <= set(right),
    "superset": lambda left, right: set(left) >= set(right),
}
