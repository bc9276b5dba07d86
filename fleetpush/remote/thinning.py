"""Source as it is shipped to hosts: without what only people and type checkers read.

Docstrings, comments, annotations and ``if TYPE_CHECKING`` go, and the import from ``__future__`` that spared
annotations their evaluation; every statement that stays begins on the line where it was, so that tracebacks
from hosts tell where to look.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_Place = tuple[int, int]
"""Line from 0, and bytes from its beginning."""


class _Cut(NamedTuple):
    """From ``start`` up to ``end`` there will be ``left`` instead."""

    start: _Place
    end: _Place
    left: bytes = b""


def thinned(text: str) -> str:
    """``text``, which must parse, does the same afterwards, unless it reads its own annotations.

    One that is alone with its name within a branch or loop stays, and would be evaluated.
    """
    lines = [line.encode() for line in text.splitlines()]
    nodes = list(ast.walk(ast.parse(text)))
    cuts = [cut for node in nodes for cut in _cuts(node, lines)]
    cuts += _comments(nodes, lines)
    end: _Place = (0, 0)
    outer = []
    for cut in sorted(cuts):
        if cut.start >= end:  # what lies in another goes with it
            outer.append(cut)
            end = cut.end
    for cut in reversed(outer):
        (first, begin), (last, rest) = cut.start, cut.end
        lines[first] = (lines[first][:begin] + cut.left + lines[last][rest:]).rstrip()
        lines[first + 1 : last + 1] = [b""] * (last - first)
    return b"\n".join(lines).decode() + "\n"


def _cuts(node: ast.AST, lines: Sequence[bytes]) -> Iterator[_Cut]:
    if isinstance(node, ast.arg) and node.annotation is not None:
        yield _Cut(_after(node, len(node.arg.encode())), _end(node.annotation))
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield _Cut(_end(node.target), _end(node.annotation))
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns is not None:
        line, column = _after(node.returns, 0)
        arrow = lines[line].rfind(b"->", 0, column)
        if arrow >= 0:
            yield _Cut((line, len(lines[line][:arrow].rstrip())), _end(node.returns))
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        unread = [statement for statement in node.body if _is_unread(statement)]
        for statement in unread:
            empty = len(unread) == len(node.body) and statement is unread[0]
            left = b"pass" if empty and not isinstance(node, ast.Module) else b""
            yield _Cut(_after(statement, 0), _end(statement), left)


def _is_unread(statement: ast.stmt) -> bool:
    """A docstring, a name that only has a type, or imports for those and for annotations."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return isinstance(statement.value.value, str)
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        return [alias.name for alias in statement.names] == ["annotations"]
    return (
        isinstance(statement, ast.If)
        and isinstance(statement.test, ast.Name)
        and statement.test.id == "TYPE_CHECKING"
        and not statement.orelse
    )


def _comments(nodes: Sequence[ast.AST], lines: Sequence[bytes]) -> Iterator[_Cut]:
    """A ``#`` that is in no string begins one."""
    strings = [
        (_after(node, 0), _end(node))
        for node in nodes
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)))
    ]
    for number, line in enumerate(lines):
        at = line.find(b"#")
        while at >= 0:
            if not any(start <= (number, at) < end for start, end in strings):
                yield _Cut((number, at), (number, len(line)))
                break
            at = line.find(b"#", at + 1)


def _after(node: ast.expr | ast.stmt | ast.arg, more: int) -> _Place:
    return node.lineno - 1, node.col_offset + more


def _end(node: ast.expr | ast.stmt | ast.arg) -> _Place:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno - 1, node.end_col_offset
