"""Every promise of SECURITY.md is held by a test that there is."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / ".github" / "SECURITY.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
PROMISED = PAGE.partition("## What is promised\n")[2].partition("\n## ")[0]
PROMISES = re.split(r"^- ", PROMISED, flags=re.MULTILINE)[1:]


@cache
def functions_of(path):
    return {
        node.name
        for node in ast.parse((ROOT / path).read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize(("path", "name"), NAMED, ids="::".join)
def test_it_is_there(path, name):
    assert name in functions_of(path)


def test_every_promise_names_one():
    assert len(PROMISES) > 25
    for promise in PROMISES:
        words, _, tests = promise.partition(":\n")
        assert words
        names = tests.partition("\n\n")[0].split()
        assert names, promise
        assert all(re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`,?", name) for name in names), promise


def test_nothing_else_looks_like_one():
    assert PAGE.count("::") == len(re.findall(r"`tests/[\w/]+\.py::test_\w+`", PAGE))
