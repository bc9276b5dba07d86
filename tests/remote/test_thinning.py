"""Shipped source does what the source here does, says less, and has its statements on the same lines."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest

from fleetpush.remote.thinning import thinned

PACKAGE = Path(__file__).parents[2] / "fleetpush"
SHIPPED = sorted(
    [PACKAGE / "__init__.py", PACKAGE / "errors.py", PACKAGE / "record.py"]
    + [
        path
        for part in ("lean", "swarm", "net", "agent")
        for path in (PACKAGE / part).rglob("*.py")
    ]
)


class Bare(ast.NodeTransformer):
    """What must be left, by another way: on the tree."""

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)

    def visit_ImportFrom(self, node):
        return None if node.module == "__future__" else node

    def visit_If(self, node):
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)

    def visit_Expr(self, node):
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_FunctionDef(self, node):
        node.returns = None
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_AsyncFunctionDef(self, node):
        return self.visit_FunctionDef(node)

    def visit_ClassDef(self, node):
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_what_is_shipped_does_the_same_on_the_same_lines(path):
    text = path.read_text()
    thin = thinned(text)
    wanted, found = Bare().visit(ast.parse(text)), ast.parse(thin)
    assert ast.dump(found) == ast.dump(wanted)
    lines = [
        [node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt) and has_line(node)]
        for tree in (found, wanted)
    ]
    assert lines[0] == lines[1]
    kinds = {token.type for token in tokenize.generate_tokens(io.StringIO(thin).readline)}
    assert tokenize.COMMENT not in kinds


def has_line(node):
    return not isinstance(node, ast.Pass)


def test_the_awkward_places():
    text = '''\
from __future__ import annotations
class A:
    """Only a name."""
    x: int
def f(a: "int" = 3, *b: dict[
    str, int
], c="# no comment") -> tuple[
    int, ...
]:  # a comment
    """é"""
    y: list[
        int
    ] = []; z = f"{a}#"  # é
    return y, z
'''
    assert thinned(text).rstrip() == (
        '\nclass A:\n    pass\n\ndef f(a = 3, *b, c="# no comment"):\n\n\n\n\n\n'
        '    y = []; z = f"{a}#"\n\n\n    return y, z'
    )
