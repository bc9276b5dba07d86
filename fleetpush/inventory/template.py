"""Jinja2 over a host's variables: lazily, in a sandbox, with every failure in words.

A variable may be a template of other variables; it is resolved when something asks for it, once a
host. ``{{ port }}`` alone keeps the type of ``port``; mixed with text it becomes text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import jinja2

from fleetpush.errors import InputError
from fleetpush.inventory.environment import ENVIRONMENT, compiled, compiled_condition, join
from fleetpush.inventory.marked import Vaulted, Verbatim

_MARKS = ("{{", "{%", "{#")
_UNDEFINED = re.compile(r"'(\w+)' is undefined")
_UNKNOWN = re.compile(r"No (filter|test) named '([\w.]+)'.*", re.DOTALL)


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
        return name in self._magic or name in self._raw or name in ENVIRONMENT.globals

    def __iter__(self) -> Iterator[str]:
        return iter({**ENVIRONMENT.globals, **self._raw, **self._magic})

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
            return ENVIRONMENT.globals[name]
        value = self._raw[name]
        if holds_template(value):
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
            return self.expand(value)
        except InputError:
            raise
        except jinja2.UndefinedError as error:
            return ENVIRONMENT.undefined(hint=f"{self.describe(name)}: {self.explain(error)}")
        except Exception as error:  # an expression may raise anything
            raise InputError(
                f"host {self.host}: {self.describe(name)}: {self.explain(error)}"
            ) from error
        finally:
            self._open.pop()

    def expand(self, value: object) -> object:
        """``value`` with the templates anywhere in it filled in. Raises what ``evaluate`` raises."""
        if isinstance(value, str):
            return self.evaluate(value) if is_template(value) else value
        if isinstance(value, dict):
            return {self.expand(key): self.expand(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.expand(item) for item in value]
        return value

    def evaluate(self, text: str) -> object:
        """The value of the template ``text``. Raises whatever jinja2 or the expression raises."""
        return self.run(compiled(text))

    def run(self, template: jinja2.Template) -> object:
        """What ``template`` gives. Raises whatever jinja2 or the expression raises."""
        # Shared: jinja2 takes this mapping as it is and asks for the names it needs, no others.
        context = template.new_context(cast("dict[str, Any]", self), shared=True)
        return join(template.root_render_func(context))

    def describe(self, name: str) -> str:
        """``variable 'x' (dc1.yaml:12)``, for messages."""
        place = self._where(name)
        return f"variable {name!r}" + (f" ({place})" if place else "")

    def explain(self, error: Exception) -> str:
        """One line on what is wrong with a template, with the nearest name for a misspelt one."""
        if isinstance(error, jinja2.TemplateSyntaxError):
            return f"bad template: {_complaint(error)}"
        text = str(error) or type(error).__name__
        if isinstance(error, jinja2.UndefinedError):
            missing = _UNDEFINED.fullmatch(text)
            near = difflib.get_close_matches(missing[1], list(self), n=1) if missing else []
            return text + (f"; did you mean {near[0]!r}?" if near else "")
        return f"the template cannot be computed: {text}"


def render(text: str, host_vars: Scope) -> str:
    """``text`` with its templates filled in. Raises InputError that names the host and the reason."""
    if not is_template(text):
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


def fill(value: object, scope: Scope) -> object:
    """``value`` with the templates anywhere in it filled in. Raises ValueError with the reason in a line."""
    try:
        filled = scope.expand(value)
        _refuse_vaulted(filled)
    except Exception as error:  # an expression may raise anything
        raise ValueError(_reason(error, scope)) from error
    return filled


def holds(condition: str | bool, scope: Scope) -> bool:
    """Whether a bare expression, as ``when`` has it, is true.

    Raises ValueError with the reason in a line, also for what is neither true nor false.
    """
    if isinstance(condition, bool):
        return condition
    try:
        value = scope.run(compiled_condition(condition))
        _refuse_vaulted(value)
    except Exception as error:  # an expression may raise anything
        raise ValueError(_reason(error, scope)) from error
    if not isinstance(value, bool):
        found, instead = _NO_TRUTH.get(type(value), ("something else", "compare it"))
        raise ValueError(f"it gives {found}, which is neither true nor false: {instead}")
    return value


_NO_TRUTH = {
    str: ("text", "write '... | bool', or compare it"),
    list: ("a list", "write '... | length > 0'"),
    dict: ("a mapping", "write '... | length > 0'"),
    int: ("a number", "write '... != 0'"),
    type(None): ("nothing", "write '... is not none'"),
}


def check(value: object) -> None:
    """Raises ValueError for a template anywhere in ``value`` that can never be filled in."""
    if isinstance(value, str) and is_template(value):
        _check(compiled, value)
    elif isinstance(value, dict):
        for part in value.items():
            check(list(part))
    elif isinstance(value, list):
        for item in value:
            check(item)


def check_condition(condition: str) -> None:
    """Raises ValueError for what is no expression, or has templates in it as no expression does."""
    if "{{" in condition or "{%" in condition:
        raise ValueError("an expression stands without {{ }}: its variables are named as they are")
    if not condition.strip():
        raise ValueError("the expression is empty")
    _check(compiled_condition, condition)


def _check(compile_: Callable[[str], jinja2.Template], text: str) -> None:
    try:
        compile_(text)
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"bad template: {_complaint(error)}") from error


def _complaint(error: jinja2.TemplateSyntaxError) -> str:
    """What Jinja2 says, with the nearest name for a misspelt filter."""
    text = error.message or "it cannot be read"
    unknown = _UNKNOWN.fullmatch(text)
    if unknown is None:
        return text
    kind, name = unknown.groups()
    known = ENVIRONMENT.filters if kind == "filter" else ENVIRONMENT.tests
    bare = name.removeprefix("ansible.builtin.")
    near = [bare] if bare in known else difflib.get_close_matches(name, known, n=1)
    return f"no {kind} is named {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _reason(error: Exception, scope: Scope) -> str:
    return str(error) if isinstance(error, InputError) else scope.explain(error)


def _refuse_vaulted(value: object) -> None:
    """A secret that cannot be decrypted is of no use, wherever it is in a value."""
    if isinstance(value, Vaulted):
        raise InputError(f"it needs a value that is {value.reason}")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _refuse_vaulted(item)


def is_template(text: str) -> bool:
    """Whether something in it wants to be filled in."""
    return not isinstance(text, Verbatim) and any(mark in text for mark in _MARKS)


def holds_template(value: object) -> bool:
    """Whether anything in ``value`` is a template."""
    if isinstance(value, str):
        return is_template(value)
    if isinstance(value, dict):
        return any(holds_template(part) for item in value.items() for part in item)
    return isinstance(value, list) and any(map(holds_template, value))
