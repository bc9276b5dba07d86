"""Jinja2 over a host's variables: lazily, in a sandbox, with every failure in words.

A variable may be a template of other variables; it is resolved when something asks for it, once a
host. ``{{ port }}`` alone keeps the type of ``port``; mixed with text it becomes text.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import jinja2
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fleetpush.errors import InputError
from fleetpush.inventory.marked import Vaulted, Verbatim

_MARKS = ("{{", "{%", "{#")
_UNDEFINED = re.compile(r"'(\w+)' is undefined")


def _join(values: Iterable[Any]) -> object:
    """What a template amounts to: the value itself if there is only one, else text."""
    results = list(values)
    for value in results:
        if isinstance(value, jinja2.Undefined):
            str(value)  # raises UndefinedError with the reason it carries
    return results[0] if len(results) == 1 else "".join(map(str, results))


class _Environment(ImmutableSandboxedEnvironment):
    # Immutable: merged values are shared between hosts, and a template must not append to them.
    code_generator_class = NativeCodeGenerator
    concat = staticmethod(_join)  # type: ignore[assignment]  # jinja2's own NativeEnvironment does it too


_environment = _Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
_compiled = functools.lru_cache(maxsize=4096)(_environment.from_string)


class Scope(Mapping[str, object]):
    """The variables of one host as templates see them.

    ``raw`` are the merged variables, some of them templates; ``magic`` are finished values that win
    over ``raw``. ``host`` and ``where(variable)`` name the host and the variable's place in messages.
    """

    def __init__(
        self,
        host: str,
        raw: Mapping[str, object],
        magic: Mapping[str, object],
        where: Callable[[str], str] = lambda _: "",
    ) -> None:
        self.host = host
        self._raw = raw
        self._magic = magic
        self._where = where
        self._done: dict[str, object] = {}
        self._open: list[str] = []

    def __contains__(self, name: object) -> bool:
        return name in self._magic or name in self._raw or name in _environment.globals

    def __iter__(self) -> Iterator[str]:
        return iter({**_environment.globals, **self._raw, **self._magic})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> object:
        """The finished value. An undefined value inside it comes back as jinja2's Undefined, so that
        ``{{ name | default(...) }}`` works; InputError for a loop or a template that cannot be run."""
        if name in self._done:
            return self._done[name]
        if name in self._magic:
            return self._magic[name]
        if name not in self._raw:
            return _environment.globals[name]
        value = self._raw[name]
        if _holds_template(value):
            value = self._resolve(name, value)
            if isinstance(value, jinja2.Undefined):
                return value
        self._done[name] = value
        return value

    def _resolve(self, name: str, value: object) -> object:
        if name in self._open:
            loop = " -> ".join([*self._open[self._open.index(name) :], name])
            raise InputError(
                f"host {self.host}: {self.describe(name)}: these variables wait for each other: {loop}"
            )
        self._open.append(name)
        try:
            return self._expand(value)
        except InputError:
            raise
        except jinja2.UndefinedError as error:
            return _environment.undefined(hint=f"{self.describe(name)}: {self.explain(error)}")
        except Exception as error:  # an expression may raise anything
            raise InputError(
                f"host {self.host}: {self.describe(name)}: {self.explain(error)}"
            ) from error
        finally:
            self._open.pop()

    def _expand(self, value: object) -> object:
        if isinstance(value, str):
            return self.evaluate(value) if _is_template(value) else value
        if isinstance(value, dict):
            return {self._expand(key): self._expand(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._expand(item) for item in value]
        return value

    def evaluate(self, text: str) -> object:
        """The value of the template ``text``. Raises whatever jinja2 or the expression raises."""
        template = _compiled(text)
        # Shared: jinja2 takes this mapping as it is and asks for the names it needs, no others.
        context = template.new_context(cast("dict[str, Any]", self), shared=True)
        return _join(template.root_render_func(context))

    def describe(self, name: str) -> str:
        """``variable 'x' (dc1.yaml:12)``, for messages."""
        place = self._where(name)
        return f"variable {name!r}" + (f" ({place})" if place else "")

    def explain(self, error: Exception) -> str:
        """One line on what is wrong with a template, with the nearest name for a misspelt one."""
        if isinstance(error, jinja2.TemplateSyntaxError):
            return f"bad template: {error.message}"
        text = str(error) or type(error).__name__
        if isinstance(error, jinja2.UndefinedError):
            missing = _UNDEFINED.fullmatch(text)
            near = difflib.get_close_matches(missing[1], list(self), n=1) if missing else []
            return text + (f"; did you mean {near[0]!r}?" if near else "")
        return f"the template cannot be computed: {text}"


def render(text: str, host_vars: Scope) -> str:
    """``text`` with its templates filled in. Raises InputError that names the host and the reason."""
    if not _is_template(text):
        return text
    try:
        return str(host_vars.evaluate(text))
    except InputError:
        raise
    except Exception as error:  # an expression may raise anything
        reason = host_vars.explain(error)
        raise InputError(f"host {host_vars.host}: {text!r}: {reason}") from error


def resolve(name: str, host_vars: Scope) -> object:
    """The finished value of one variable that is there. Raises InputError as ``render`` does."""
    value = host_vars[name]
    if isinstance(value, Vaulted):
        raise InputError(f"host {host_vars.host}: variable {name!r} is {value.reason}")
    if not isinstance(value, jinja2.Undefined):
        return value
    try:
        str(value)
    except jinja2.UndefinedError as error:
        raise InputError(f"host {host_vars.host}: {error}") from error
    return value


def _is_template(text: str) -> bool:
    return not isinstance(text, Verbatim) and any(mark in text for mark in _MARKS)


def _holds_template(value: object) -> bool:
    if isinstance(value, str):
        return _is_template(value)
    if isinstance(value, dict):
        return any(_holds_template(part) for item in value.items() for part in item)
    return isinstance(value, list) and any(map(_holds_template, value))
