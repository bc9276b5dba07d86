"""A file fits one sitting, a function fits one screen."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "fleetpush").rglob("*.py"))
LINES_IN_A_FILE = 400
LINES_IN_A_FUNCTION = 60


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_short(path):
    source = path.read_text()
    assert source.count("\n") <= LINES_IN_A_FILE
    too_long = [
        f"{node.name}: {node.end_lineno - first_line(node, path) + 1} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - first_line(node, path) >= LINES_IN_A_FUNCTION
    ]
    assert too_long == []


def first_line(node, path):
    """A verb's signature is its list of flags, a line each as Typer wants it: that is no code to follow."""
    is_verb = path.parent == ROOT / "fleetpush" / "cli" and node.name == path.stem
    return node.body[0].lineno if is_verb else node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_is_a_drawer_for_everything(path):
    parts = path.relative_to(ROOT / "fleetpush").with_suffix("").parts
    assert {"util", "utils", "helper", "helpers", "manager", "core", "misc", "common"}.isdisjoint(
        parts
    )
