"""The Jinja2 that templates run in: sandboxed, with Ansible's filters, and values that keep their type."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import jinja2
import jinja2.nodes
from jinja2.lexer import TOKEN_STRING, TOKEN_VARIABLE_BEGIN, TOKEN_VARIABLE_END, Lexer
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fleetpush.inventory.filters import FILTERS, TESTS, lookup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_KNOWN_ESCAPES = frozenset("\\\n'\"abfnrtv01234567xuUN")


def join(values: Iterable[Any]) -> object:
    """What a template amounts to: the value itself if there is only one, else text."""
    results = list(values)
    for value in results:
        if isinstance(value, jinja2.Undefined):
            str(value)  # raises UndefinedError with the reason it carries
    return results[0] if len(results) == 1 else "".join(map(str, results))


class _TypesKept(NativeCodeGenerator):
    def _output_child_to_const(
        self,
        node: jinja2.nodes.Expr,
        frame: Any,  # noqa: ANN401 - Jinja2's own types
        finalize: Any,  # noqa: ANN401 - as above
    ) -> Any:  # noqa: ANN401 - as above
        # What is known beforehand would become text: {{ 1 }} is a number.
        if not isinstance(node, jinja2.nodes.TemplateData):
            raise jinja2.nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


class _Lexer(Lexer):
    """Hands on the literals within {{ }} as ``literal`` has them."""

    def tokeniter(self, *given: Any, **more: Any) -> Iterator[tuple[int, str, str]]:  # noqa: ANN401 - as above
        inside = False
        for line, kind, text in super().tokeniter(*given, **more):
            if kind in (TOKEN_VARIABLE_BEGIN, TOKEN_VARIABLE_END):
                inside = kind == TOKEN_VARIABLE_BEGIN
            yield line, kind, self.literal(text) if inside and kind == TOKEN_STRING else text

    def literal(self, text: str) -> str:
        """A backslash is one, as Ansible has it: YAML has had its turn, and regexes are full of them."""
        return text.replace("\\", "\\\\")


class _ConditionLexer(_Lexer):
    def literal(self, text: str) -> str:
        """Escapes count here, as Ansible has it; a backslash before anything else is one."""
        return _ESCAPE.sub(lambda found: _escaped(found[0], found[1]), text)


def _escaped(text: str, character: str) -> str:
    return text if character in _KNOWN_ESCAPES else "\\" + text


class _Environment(ImmutableSandboxedEnvironment):
    # Immutable: merged values are shared between hosts, and a template must not append to them.
    code_generator_class = _TypesKept
    concat = staticmethod(join)  # type: ignore[assignment]  # jinja2's own NativeEnvironment does it too
    lexer_class: type[Lexer] = _Lexer

    @functools.cached_property
    def lexer(self) -> Lexer:
        return self.lexer_class(self)

    def _compile(self, source: str, filename: str) -> CodeType:
        try:
            return super()._compile(source, filename)
        except (SyntaxError, ValueError, MemoryError) as error:
            # Jinja2 takes subscripts and depths that Python, which it writes, does not.
            raise jinja2.TemplateSyntaxError("it cannot be computed", 1) from error


class _ConditionEnvironment(_Environment):
    lexer_class = _ConditionLexer


def _equipped(environment: _Environment) -> _Environment:
    for prefix in ("", "ansible.builtin."):
        environment.filters.update({prefix + name: call for name, call in FILTERS.items()})
        environment.tests.update({prefix + name: call for name, call in TESTS.items()})
    environment.globals["lookup"] = lookup
    return environment


ENVIRONMENT = _equipped(_Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True))
_CONDITIONS = _equipped(_ConditionEnvironment(undefined=jinja2.StrictUndefined))

compiled = functools.lru_cache(maxsize=4096)(ENVIRONMENT.from_string)
"""A text's template. Raises jinja2.TemplateSyntaxError."""


@functools.lru_cache(maxsize=4096)
def compiled_condition(condition: str) -> jinja2.Template:
    """The template that gives a bare expression's value. Raises jinja2.TemplateSyntaxError."""
    return _CONDITIONS.from_string("{{ " + condition + " }}")
