"""The command as a process: help, version, start-up, pipes."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fleetpush import __version__
from fleetpush.cli.main import app, main
from fleetpush.report.exit_status import MEANING


@pytest.mark.parametrize("words", [["--help"], ["deploy", "--help"], ["demo", "-h"]])
def test_help_ends_with_the_exit_status_table(words):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert "EXIT STATUS" in result.stdout
    for code, meaning in MEANING.items():
        assert f"{code:>3}  {meaning}\n" in result.stdout


def test_help_fits_80_columns():
    result = CliRunner().invoke(app, ["deploy", "--help"], env={"COLUMNS": "80"})
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_version():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"fleetpush {__version__}\n"


def test_help_does_not_wait_for_what_it_does_not_need():
    code = (
        "import sys; import fleetpush.cli.main;"
        " print([m for m in ('asyncssh', 'cryptography', 'jinja2', 'rich') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


@pytest.mark.parametrize("flag", [["-o", "json"], ["--output=json"]])
def test_a_usage_error_prints_a_document_too(flag, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["fleetpush", "deploy", "model.pt", *flag])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert (document["command"], document["exit_code"]) == ("deploy", 2)
    assert document["error"].startswith("the command line does not make sense: Missing option '-i'")
    assert "--inventory" in told.err


@pytest.mark.parametrize(("end", "code"), [("sys.exit(3)", 3), ("raise KeyboardInterrupt", 130)])
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_at_the_very_end_does_not_change_the_exit_code(end, code, number, tmp_path):
    program = tmp_path / "run.py"
    program.write_text(
        "import os, signal, sys\n"
        "from fleetpush.cli import main\n"
        f"def app():\n    {end}\n"
        "main.app = app\n"
        "try:\n    main.process()\n"
        f"finally:\n    os.kill(os.getpid(), signal.{number})\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")


def test_a_reader_that_leaves_does_not_change_the_exit_code(tmp_path):
    program = tmp_path / "run.py"
    program.write_text(
        "import sys\n"
        "from fleetpush.cli.output import Conclusion, Output\n"
        "from tests.report.feed import feed\n"
        "sys.stdin.read()\n"  # the reader is gone by now
        "Output(command='deploy', format=sys.argv[1]).show(Conclusion(feed(1000)[-1].report, 3))\n"
        "sys.exit(3)\n"
    )
    for form in ("json", "text"):
        process = subprocess.Popen(
            [sys.executable, program, form],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        process.stdout.close()
        process.stdin.close()
        with process.stderr:
            assert process.stderr.read() == b""
        assert process.wait(30) == 3
