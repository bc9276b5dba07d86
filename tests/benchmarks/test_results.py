"""The page of results has every run, the medians, the goals and the commands, and only what was measured."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from tests.benchmarks import provenance, table
from tests.benchmarks.results import ResultsError, page
from tests.benchmarks.table import Run

MACHINE = {"processors": "2 of a kind", "memory": "24 GiB"}


def made(benchmark, command, **more):
    return {
        "benchmark": benchmark,
        "command": f".venv/bin/python -m tests.benchmarks.{benchmark} {command}",
        "date": "2026-11-27",
        "machine": MACHINE,
        "versions": {"fleetpush": "0.1.0 (abc)"},
        **more,
    }


def bound(**options):
    notes = {"cpu_s_per_gb": 9.0, "idle": 0.4, "origin_sent": 1.02, "others_last_s": 17.0}
    runs = [
        Run("mesh", 18.0, 31, 20.1, notes),
        Run("mesh", 19.0, 31, 21.2, notes),
        Run("mesh", 99.0, 30, 99.9, notes),
        Run("aria2", 28.0, 31, 30.0, {"cpu_s_per_gb": 10.0, "idle": 0.3, "origin_sent": 1.4}),
    ]
    usual = {"hosts": 31, "rate": 6_250_000, "size": "100M", "kill": 0, "slow": [0, 10], "racks": 0}
    return {
        "made": made("bound", "--hosts 31"),
        "options": usual | {"no_encrypt": False} | options,
        "least_s": 16.8,
        "medians": table.medians(runs, 16.8, 31),
        "runs": [run._asdict() for run in runs],
    }


def thousand(wall):
    return {
        "made": made("thousand", "--hosts 1000"),
        **{"hosts": 1000, "wall_s": wall, "cli_cpu_ms_a_host": 8.0, "left_behind": []},
        **{"cli_peak_rss_mb": 101.0, "control_share": 0.02},
    }


def rows(text):
    return [line for line in text.splitlines() if line.startswith("|")]


def test_every_run_and_the_medians_stand_beside_the_goals():
    text = page([bound()])
    assert "```sh\n.venv/bin/python -m tests.benchmarks.bound --hosts 31\n```" in text
    assert "| fleetpush | 0.1.0 (abc) |" in text
    found = rows(text)
    assert "| mesh: ratio | 1.101 | ≤ 1.08 | missed |" in found
    assert "| mesh: bytes that left the origin, over F | 1.02 | ≤ 1.06 | met |" in found
    better = "cpu-s/GB, of the better of aria2 and libtorrent"
    assert f"| mesh, TLS: {better} | 0.9 | ≤ 0.7 | missed |" in found
    assert "| mesh | 1.071 | 1.012 | 18.00 | 20.1 | 9.00 | 0.40 | 1.020 | 31 |  |" in found
    assert sum("does not count" in row for row in found) == 1
    assert any(row.startswith("| **mesh, median** | 1.101 | 1.012 |") for row in found)


@pytest.mark.parametrize(
    ("options", "row"),
    [
        ({"slow": [2, 10]}, "| mesh: others' last, over F/B | 1.012 | ≤ 1.15 | met |"),
        ({"kill": 2}, "| mesh: others' last, over F/B | 1.012 | ≤ 1.2 | met |"),
        ({"size": "16M"}, "| mesh: makespan, s | 18.5 | ≤ 22.34 | met |"),
        ({"hosts": 7}, "| mesh: ratio | 1.101 |  |  |"),
    ],
)
def test_what_is_aimed_at_depends_on_what_was_done(options, row):
    assert row in rows(page([bound(**options)]))


def test_runs_of_one_command_are_one_table_with_their_median():
    text = page([thousand(50.0), thousand(60.0), thousand(52.0)])
    assert text.count("## thousand") == 1
    assert "| wall_s | 50.000 | 60.000 | 52.000 | 52.000 |" in rows(text)
    assert "| processors that the command used | 0.154 | ≤ 1 | met |" in rows(text)


def test_what_was_measured_elsewhere_stands_under_its_own_machine():
    other = bound() | {"made": made("bound", "--hosts 31", machine={"processors": "64"})}
    assert page([bound(), other]).count("## The machine") == 2
    assert page([bound(), bound()]).count("## The machine") == 1


def test_what_no_benchmark_wrote_is_refused():
    with pytest.raises(ResultsError):
        page([{"runs": []}])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("--hosts 8 --json FILE --slow 2:10", "--hosts 8 --slow 2:10"),
        ("--json --only racks", "--only racks"),
        ("--json=FILE --flags='--chunk-size 1M'", "'--flags=--chunk-size 1M'"),
        ("--json", ""),
    ],
)
def test_figures_are_kept_with_the_command_that_makes_them_again(
    monkeypatch, tmp_path, given, kept
):
    monkeypatch.setattr(sys, "argv", ["x", *shlex.split(given)])
    monkeypatch.setattr(provenance, "_versions", lambda: {"Python": "3"})
    table.save(tmp_path / "figures.json", {"runs": []})
    document = json.loads((tmp_path / "figures.json").read_text())
    assert document["runs"] == []
    assert document["made"]["command"].endswith(kept)
    assert "--json" not in document["made"]["command"]
    assert document["made"]["machine"]["processors"]
