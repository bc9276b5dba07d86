"""README's crontab, units and pipelines: what reads them accepts them, and every command in them parses."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
import yaml

from fleetpush.cli.main import app

README = (Path(__file__).parents[2] / "README.md").read_text()
PROGRAM = "/opt/fleetpush/bin/fleetpush"


def blocks(heading, language):
    """The code blocks of a language below a heading."""
    section = README.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def parsed(command):
    """What the flags of a command line become; a usage error where it has any that there is not."""
    program, verb, *words = shlex.split(command)
    assert program in ("fleetpush", PROGRAM)
    root = typer.main.get_command(app)
    context = root.commands[verb].make_context(
        verb, words, parent=root.make_context(program, [verb])
    )
    return context.params


def test_the_crontab_has_one_command_that_parses():
    (crontab,) = blocks("From cron", "cron")
    *settings, line = crontab.splitlines()
    assert settings == ["MAILTO=ops@example.com"]
    *times, command = line.split(None, 5)
    assert len(times) == 5
    assert all(re.fullmatch(r"[\d*,/-]+", field) for field in times)
    assert not re.search(r"(?<!\\)%", command), "cron takes a bare % for a line break"
    found = parsed(command.replace("\\%", "%"))
    assert (found["progress"], found["min_success"], found["lock_wait"]) == ("quiet", 99.5, 1800.0)
    assert (found["splay"], found["deadline"]) == (600.0, 10_800.0)


def units():
    return {block.splitlines()[0].rpartition("/")[2]: block for block in blocks("From cron", "ini")}


def test_the_unit_has_a_command_that_parses():
    command = re.search(r"^ExecStart=((?:.*\\\n)*.*)", units()["footage.service"], re.MULTILINE)[1]
    assert not re.search(r"(?<!%)%(?!%)", command), "systemd takes a bare % for a specifier"
    assert parsed(command.replace("\\\n", "").replace("%%", "%"))["min_success"] == 99.5


def test_systemd_accepts_the_units(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine (Debian: systemd)")
    for name, text in units().items():
        (tmp_path / name).write_text(text.replace(PROGRAM, "/bin/true"))
    assert {path.name for path in tmp_path.iterdir()} == {"footage.service", "footage.timer"}
    command = ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "footage" not in done.stderr, "a key that systemd does not know is only a warning"


@pytest.fixture(scope="module")
def pipelines():
    return {
        text.splitlines()[0].removeprefix("# "): yaml.safe_load(text)
        for text in blocks("In a pipeline", "yaml")
    }


def test_the_workflow_is_one_and_keeps_the_report(pipelines):
    workflow = pipelines[".github/workflows/roll-out.yaml"]
    (job,) = workflow["jobs"].values()
    assert job["runs-on"]
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads "on" as true
    steps = job["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    commands = [step["run"] for step in steps if step.get("run", "").startswith("fleetpush ")]
    (found,) = map(parsed, commands)
    kept = next(step for step in steps if "upload-artifact" in step.get("uses", ""))
    assert kept["if"] == "always()"
    assert kept["with"]["path"] == str(found["junit"])


def test_the_gitlab_job_is_one_and_reports(pipelines):
    (job,) = pipelines[".gitlab-ci.yml"].values()
    commands = [line for line in job["script"] if line.startswith("fleetpush ")]
    (found,) = map(parsed, commands)
    assert job["artifacts"]["reports"]["junit"] == str(found["junit"])
    assert job["artifacts"]["when"] == "always"
    assert all(isinstance(line, str) for line in job["script"])
