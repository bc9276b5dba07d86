"""Code that is shipped to hosts runs on a bare Python 3.9 and starts fast on a thousand of them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "fleetpush"
SHIPPED = sorted(
    [
        PACKAGE / "errors.py",
        PACKAGE / "record.py",
        *(f for part in ("lean", "swarm", "net", "agent") for f in (PACKAGE / part).rglob("*.py")),
    ]
)
SLOW_TO_IMPORT = {
    "asyncio",
    "concurrent",
    "dataclasses",
    "email",
    "http",
    "inspect",
    "logging",
    "pathlib",
    "urllib",
}
"""Each costs milliseconds of start-up, or drags in what does."""

AT_START = [path for path in SHIPPED if path.parent.name != "tasks"]
"""Tasks come in when an agent is asked for the first of them."""

OPENED_TO_SHIPPED = {
    "__future__",
    "fleetpush.errors",
    "fleetpush.record",
    "fleetpush.lean",
    "fleetpush.swarm",
    "fleetpush.net",
    "fleetpush.agent",
}


def imported_at_run_time(source):
    """The full names that ``source`` imports, but for those under ``if TYPE_CHECKING``."""
    names = []
    pending = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module)
        pending.extend(ast.iter_child_nodes(node))
    return names


def is_ours(name):
    return any(name == opened or name.startswith(f"{opened}.") for opened in OPENED_TO_SHIPPED)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_standard_library_and_itself(path):
    foreign = [
        name
        for name in imported_at_run_time(path.read_text())
        if not is_ours(name) and name.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert foreign == []


@pytest.mark.parametrize("path", AT_START, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_that_is_slow_to_import(path):
    slow = {
        name.partition(".")[0] for name in imported_at_run_time(path.read_text())
    } & SLOW_TO_IMPORT
    assert slow == set()


def test_nothing_slow_comes_in_by_way_of_the_standard_library():
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in AT_START]
    wanted = [m.removesuffix(".__init__") for m in modules if not m.endswith("__main__")]
    program = f"""
import importlib, sys
sys.path.insert(0, {str(ROOT)!r})
for name in {wanted!r}:
    importlib.import_module(name)
print(*sorted(sys.modules))
"""
    command = [sys.executable, "-I", "-S", "-c", program]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert set(wanted) <= set(loaded)
    assert SLOW_TO_IMPORT.isdisjoint(loaded)


def test_the_look_at_imports_sees_what_it_should():
    source = """
import os.path, rich
if TYPE_CHECKING:
    import yaml
else:
    import json
def late():
    from fleetpush.report.live import Screen
"""
    assert sorted(imported_at_run_time(source)) == [
        "fleetpush.report.live",
        "json",
        "os.path",
        "rich",
    ]
    assert is_ours("fleetpush.swarm.peer")
    assert not is_ours("fleetpush.report.live")
