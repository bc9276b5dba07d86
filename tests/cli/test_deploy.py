"""``fleetpush deploy``: flags become options, results go to stdout, exit codes are the table's."""

import json
import os
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleetpush.cli import password
from fleetpush.cli.main import app
from fleetpush.deploy.options import DeployOptions, SshOptions
from fleetpush.errors import InputError

WORDS = ["deploy", "model.pt", "-i", "dc1.yaml"]


def invoke(*words, **more):
    return CliRunner().invoke(app, [*WORDS, *words], **more)


def test_without_flags_the_options_are_the_defaults(script):
    invoke()
    assert script.options == DeployOptions(sources=("model.pt",), inventories=("dc1.yaml",))


def test_every_flag_reaches_the_options(script):
    line = (
        "extra.bin -i dc2.yaml -l web:!db -e a=1 -e @v.yml --dest /srv/{{x}} --mode 0640 --owner o --group g"
        " --topology tree --tree-fanout 3 --discovery tracker --chunk-size 4M --bwlimit 100 --host-bwlimit"
        " 1.5m --port-range 5000-5009 --no-encrypt --verify full --activate none --stall 90s --deadline 1h30m"
        " --detach-grace 10m --min-success 99.5% --gather -u me -f 7 --private-key id --ssh-config conf"
        " --host-key-checking accept-new --jump b1 -c local --connect-timeout 3"
    )
    result = invoke(*line.split())
    assert result.exit_code == 3, result.stderr
    assert script.options == DeployOptions(
        sources=("model.pt", "extra.bin"),
        inventories=("dc1.yaml", "dc2.yaml"),
        limit="web:!db",
        extra_vars=("a=1", "@v.yml"),
        dest="/srv/{{x}}",
        mode=0o640,
        owner="o",
        group="g",
        topology="tree",
        tree_fanout=3,
        chunk_size=4 << 20,
        bwlimit=102_400,
        host_bwlimit=1_572_864,
        port_range=(5000, 5009),
        encrypt=False,
        verify="full",
        activate="none",
        stall=90.0,
        deadline=5400.0,
        detach_grace=600.0,
        min_success=99.5,
        gather=True,
        ssh=SshOptions(
            user="me",
            private_key=Path("id"),
            ssh_config=Path("conf"),
            host_key_checking="accept-new",
            jump="b1",
            connection="local",
            forks=7,
            connect_timeout=3.0,
        ),
    )


def test_json_is_one_document_on_stdout_and_progress_is_on_stderr(script):
    result = invoke("-o", "json")
    assert json.loads(result.stdout) == script.report.as_json()
    assert "receiving" in result.stderr


def test_text_ends_with_the_recap_on_stdout(script):
    result = invoke()
    assert "verified         11  (1 already there)" in result.stdout
    assert "no_python" in result.stdout
    assert result.exit_code == script.report.exit_code == 3


def test_quiet_says_nothing_on_success(script):
    script.become_clean()
    result = invoke("--progress", "quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_quiet_says_it_all_on_stderr_on_failure(script):
    result = invoke("--progress", "quiet")
    assert result.stdout == ""
    assert "node6" in result.stderr
    assert "exit 3" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--chunk-size", "lots"],
        ["--bwlimit", "10Mbit"],
        ["--min-success", "101%"],
        ["--port-range", "9-1"],
        ["--mode", "u+x"],
        ["--stall", "0"],
        ["--topology", "ring"],
        ["--activate", "later"],
        ["-f", "0"],
        ["--no-such-flag"],
        ["--topology", "star", "--tree-fanout", "2"],
    ],
)
def test_a_command_line_that_makes_no_sense_exits_2(script, words):
    result = invoke(*words)
    assert result.exit_code == 2
    assert words[0].lstrip("-") in result.stderr
    assert result.stdout == ""
    assert script.options is None


def test_a_bad_inventory_is_one_line_and_exit_5(script):
    script.error = InputError("dc1.yaml: no such inventory; looked in ./ and inventories/")
    result = invoke()
    assert result.exit_code == 5
    assert result.stderr == "error: dc1.yaml: no such inventory; looked in ./ and inventories/\n"
    assert result.stdout == ""


def test_a_failing_start_still_prints_one_document(script):
    script.error = InputError("dc1.yaml: \x1b[31mno such inventory", slug="no_inventory")
    result = invoke("-o", "json")
    assert json.loads(result.stdout) == {
        "schema": 1,
        "command": "deploy",
        "exit_code": 5,
        "status": "failed",
        "error": "dc1.yaml: \x1b[31mno such inventory",
        "slug": "no_inventory",
    }
    assert "\x1b" not in result.stdout + result.stderr


def test_an_internal_error_is_one_line(script):
    script.error = RuntimeError("odd")
    result = invoke()
    assert result.exit_code == 1
    assert (
        result.stderr
        == "error: internal error: RuntimeError: odd; -v or --log-file FILE shows where\n"
    )


def test_with_v_an_internal_error_says_where(script):
    script.error = RuntimeError("odd")
    assert "Traceback" in invoke("-v").stderr


def test_the_log_file_gets_every_host_and_the_traceback(script, tmp_path):
    log = tmp_path / "run.log"
    invoke("--log-file", str(log))
    assert "verified: node1\n" in log.read_text()
    script.error = RuntimeError("odd")
    result = invoke("--log-file", str(log))
    assert "Traceback" in log.read_text()
    assert "Traceback" not in result.stderr


def test_a_log_file_that_cannot_be_written_exits_5(script, tmp_path):
    result = invoke("--log-file", str(tmp_path / "none" / "run.log"))
    assert result.exit_code == 5
    assert "--log-file" in result.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_reaches_the_run_and_becomes_the_exit_code(script, number, code):
    script.waits = True
    script.started = lambda: os.kill(os.getpid(), number)
    result = invoke()
    assert script.interrupts == [code]
    assert result.exit_code == code


def test_a_second_signal_reaches_the_run_too(script):
    script.waits = True

    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

    script.started = twice
    invoke()
    assert script.interrupts == [130, 143]


def test_handlers_are_gone_after_the_run(script):
    before = signal.getsignal(signal.SIGTERM)
    invoke()
    assert signal.getsignal(signal.SIGTERM) is before


def test_k_asks_on_the_terminal_and_never_shows_the_password(script, monkeypatch):
    answers = {"SSH password: ": "hunter2", "BECOME password [defaults to SSH password]: ": ""}
    monkeypatch.setattr(password.getpass, "getpass", answers.__getitem__)
    monkeypatch.setattr(password, "_check_terminal", lambda flag: None)
    result = invoke("-k")
    assert script.options.ssh.password == "hunter2"
    assert script.options.ssh.become_password is None
    both = invoke("-k", "-b", "-K")
    assert script.options.ssh.become
    assert script.options.ssh.become_password == "hunter2"
    assert "hunter2" not in result.output + both.output + repr(script.options)


def test_k_without_a_terminal_is_a_usage_error(script, monkeypatch):
    def no_terminal(*_):
        raise OSError(6, "No such device")

    monkeypatch.setattr(password.os, "open", no_terminal)
    for flag in ("-k", "-K"):
        result = invoke(flag)
        assert result.exit_code == 2
        assert flag in result.stderr


def test_ctrl_c_at_the_prompt_touches_nothing(script, monkeypatch):
    def interrupted(prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr(password, "_check_terminal", lambda flag: None)
    monkeypatch.setattr(password.getpass, "getpass", interrupted)
    result = invoke("-k")
    assert result.exit_code == 130
    assert script.options is None
