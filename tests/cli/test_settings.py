"""Flags beat the environment, which beats ``fleetpush.toml``, which beats the defaults."""

import json
import sys

import pytest
import typer
from typer.testing import CliRunner

from fleetpush.cli import main
from fleetpush.cli.settings import SETTINGS
from fleetpush.cli.verb import Verb
from fleetpush.errors import InputError

DEPLOY = ("deploy", "model.pt", "-i", "dc1.yaml")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A working directory and a user's configuration, both empty."""
    here, config = tmp_path / "here", tmp_path / "config" / "fleetpush"
    here.mkdir()
    config.mkdir(parents=True)
    for directory in (here, config):
        directory.chmod(0o755)
    monkeypatch.chdir(here)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return here / "fleetpush.toml", config / "fleetpush.toml"


def invoke(*words, **more):
    result = CliRunner().invoke(main.app, words or DEPLOY, **more)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def config(*words, **more):
    result = invoke("config", "-o", "json", *words, **more)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    return document, {
        (row["name"], *row["verbs"]): (row["value"], row["source"]) for row in document["settings"]
    }


def test_the_flag_wins_then_the_variable_then_the_file(script, desk):
    desk[0].write_text("forks = 3\n")
    invoke(*DEPLOY, "-f", "5", env={"FLEETPUSH_FORKS": "4"})
    assert script.options.ssh.forks == 5
    invoke(env={"FLEETPUSH_FORKS": "4"})
    assert script.options.ssh.forks == 4
    invoke()
    assert script.options.ssh.forks == 3
    desk[0].unlink()
    invoke()
    assert script.options.ssh.forks == 128


def test_an_empty_variable_is_none(script, desk):
    invoke(env={"FLEETPUSH_FORKS": ""})
    assert script.options.ssh.forks == 128


def test_the_working_directory_comes_before_the_user_and_only_one_file_counts(script, desk):
    here, users = desk
    users.write_text('forks = 7\nuser = "hal"\n')
    invoke()
    assert (script.options.ssh.forks, script.options.ssh.user) == (7, "hal")
    here.write_text("forks = 3\n")
    invoke()
    assert (script.options.ssh.forks, script.options.ssh.user) == (3, None)


def test_without_xdg_the_users_file_is_below_dot_config(script, desk, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        place = tmp_path / "home" / ".config" / "fleetpush"
        place.mkdir(parents=True, exist_ok=True)
        (place / "fleetpush.toml").write_text("forks = 9\n")
        invoke()
        assert script.options.ssh.forks == 9


def test_values_are_written_as_the_flags_take_them(script, desk):
    desk[0].write_text(
        """
        inventory = ["a.yaml", "b.yaml"]
        bwlimit = 100
        host-bwlimit = "1.5m"
        stall = 90
        deadline = "1h30m"
        no-encrypt = true
        mode = "0640"
        port-range = "5000-5009"
        min-success = 99.5
        private-key = "~/.ssh/id"
        host-key-checking = "accept-new"
        """
    )
    invoke("deploy", "model.pt", env={"HOME": "/home/hal"})
    options = script.options
    assert options.inventories == ("a.yaml", "b.yaml")
    assert (options.bwlimit, options.host_bwlimit) == (102_400, 1_572_864)
    assert (options.stall, options.deadline) == (90.0, 5400.0)
    assert (options.encrypt, options.mode, options.port_range) == (False, 0o640, (5000, 5009))
    assert options.min_success == 99.5
    assert str(options.ssh.private_key) == "/home/hal/.ssh/id"
    assert options.ssh.host_key_checking == "accept-new"


def test_variables_are_written_as_the_flags_take_them(script, desk):
    env = {
        "FLEETPUSH_INVENTORY": "a.yaml n1,n2,",
        "FLEETPUSH_NO_ENCRYPT": "1",
        "FLEETPUSH_BWLIMIT": "1.5m",
        "FLEETPUSH_TOPOLOGY": "tree",
    }
    invoke("deploy", "model.pt", env=env)
    options = script.options
    assert options.inventories == ("a.yaml", "n1,n2,")
    assert (options.encrypt, options.bwlimit, options.topology) == (False, 1_572_864, "tree")


def test_a_nightly_job_may_be_all_settings(script, desk, tmp_path):
    names = {name: tmp_path / name for name in ("lock", "junit", "metrics")}
    lines = [f"{name} = '{path}'\n" for name, path in names.items()]
    desk[0].write_text("".join(lines) + "splay = '1ms'\nlock-wait = 5\n")
    result = invoke(env={"FLEETPUSH_METRICS": str(tmp_path / "mine.prom")})
    assert "(--splay 0.00s)" in result.stderr
    assert names["lock"].read_text().startswith("fleetpush pid ")
    assert names["junit"].exists()
    assert not names["metrics"].exists()
    assert 'job_name="mine"' in (tmp_path / "mine.prom").read_text()


def test_a_table_is_for_its_verb_and_beats_what_is_for_all(script, desk):
    desk[0].write_text("forks = 3\n[deploy]\nforks = 4\n[plan]\nforks = 5\n")
    invoke()
    assert script.options.ssh.forks == 4
    desk[0].write_text("forks = 3\n[plan]\nforks = 5\n")
    invoke()
    assert script.options.ssh.forks == 3


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("fork = 3", "fork", "did you mean forks?"),
        ("host_key_checking = 'off'", "host_key_checking", "did you mean host-key-checking?"),
        ("[deploy]\nbwlimt = '1M'", "deploy.bwlimt", "did you mean bwlimit?"),
        ("[deplyo]\nforks = 3", "deplyo", "did you mean deploy?"),
        ("qqq = 1", "qqq", "fleetpush config lists them"),
        ("password = 'x'", "password", "secrets are no settings"),
        ("ssh_pass = 'x'", "ssh_pass", "secrets are no settings"),
        ("limit = 'web'", "limit", "there is no such setting"),
        ("forks = 'many'", "forks", "must be a whole number, not 'many'"),
        ("forks = true", "forks", "must be a whole number, not True"),
        ("no-encrypt = 1", "no-encrypt", "must be true or false, not 1"),
        ("mode = 420", "mode", "must be a string, not 420"),
        ("inventory = [1]", "inventory", "must be a path in quotes, or a list of them, not [1]"),
        ("forks = 0", "forks", " 1"),
        ("[deploy]\nstall = 'soon'", "deploy.stall", "'soon' is not a duration; write 60s"),
        ("topology = 'ring'", "topology", "'ring'"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(desk, text, key, words):
    desk[0].write_text(text)
    with pytest.raises(InputError) as caught:
        invoke("deploy", "model.pt", *([] if key == "inventory" else DEPLOY[2:]))
    assert str(caught.value).startswith(f"{desk[0]}: {key}: ")
    assert words in str(caught.value)


def test_what_is_no_toml_says_where(desk):
    desk[0].write_text("forks = \n")
    with pytest.raises(InputError, match=r"fleetpush\.toml is no TOML: .*line 1"):
        invoke()


def test_a_wrong_variable_is_named(desk):
    with pytest.raises(InputError, match=r"^FLEETPUSH_STALL: 'soon' is not a duration"):
        invoke(env={"FLEETPUSH_STALL": "soon"})


def test_a_wrong_flag_is_still_a_usage_error(desk):
    result = invoke(*DEPLOY, "--stall", "soon", env={"FLEETPUSH_STALL": "later"})
    assert result.exit_code == 2
    assert "'--stall'" in result.stderr


@pytest.mark.parametrize("asks", ["flag", "variable"])
def test_the_command_ends_with_5_and_one_document(desk, monkeypatch, capsys, asks):
    desk[0].write_text("fork = 3")
    words = ["fleetpush", *DEPLOY, *(["-o", "json"] if asks == "flag" else [])]
    if asks == "variable":
        monkeypatch.setenv("FLEETPUSH_OUTPUT", "json")
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == 5
    out, err = capsys.readouterr()
    assert err == f"error: {desk[0]}: fork: there is no such setting; did you mean forks?\n"
    document = json.loads(out)
    assert (document["command"], document["exit_code"]) == ("deploy", 5)
    assert document["slug"] == "bad_setting"


@pytest.mark.parametrize("loose", ["directory", "file"])
def test_a_file_that_anyone_could_have_written_is_ignored_aloud(script, desk, loose):
    here, users = desk
    here.write_text("forks = 3\n")
    users.write_text("forks = 7\n")
    (here.parent if loose == "directory" else here).chmod(0o1777)
    result = invoke()
    assert script.options.ssh.forks == 7
    assert f"warning: {here} is ignored: every user may write to" in result.stderr
    assert result.stderr.count("is ignored") == 1


def test_help_comes_whatever_the_file_says(desk):
    desk[0].write_text("fork = 3")
    assert invoke("deploy", "--help").exit_code == 0


def test_a_simulation_is_no_deploy(desk):
    desk[0].write_text("topology = 'auto'\nchunk-size = '4M'\n")
    result = invoke("simulate", "--hosts", "4", "--chunks", "4", "-o", "json")
    assert json.loads(result.stdout)["topology"] == "mesh"
    result = invoke("simulate", "--hosts", "4", "--chunks", "4", env={"FLEETPUSH_OUTPUT": "json"})
    assert json.loads(result.stdout)["hosts"] == 4


def test_config_shows_each_value_and_where_it_comes_from(desk):
    desk[0].write_text("stall = '90s'\nuser = 'hal'\n[plan]\nuser = 'eve'\n")
    document, rows = config(env={"FLEETPUSH_FORKS": "4"})
    assert document["file"] == str(desk[0])
    assert rows[("user", "plan")] == ("eve", "file")
    assert next(v for k, v in rows.items() if k[0] == "stall") == (90.0, "file")
    assert next(v for k, v in rows.items() if k[0] == "forks") == (4, "environment")
    assert next(v for k, v in rows.items() if k[0] == "verify") == ("chunks", "default")
    lines = invoke("config", env={"FLEETPUSH_FORKS": "4"}).stdout.splitlines()
    words = {line.split()[0]: line.split()[1:] for line in lines if line and line[0].islower()}
    assert words["stall"][:4] == ["90s", "file:", "stall", "deploy"]
    assert words["forks"][:2] == ["4", "FLEETPUSH_FORKS"]
    assert words["port-range"][:2] == ["47600-47699", "default"]
    assert ["user", "eve", "file:", "plan.user", "plan"] in [line.split() for line in lines]


def test_config_names_variables_that_nobody_reads(desk):
    result = invoke("config", env={"FLEETPUSH_FORK": "4", "FLEETPUSH_FORKS": "5"})
    assert result.stderr == (
        "warning: nobody reads FLEETPUSH_FORK; did you mean FLEETPUSH_FORKS?\n"
    )


def test_config_says_what_is_wrong_for_any_verb(desk):
    desk[0].write_text("[plan]\ncpu = 'fast'\n")
    result = invoke("config")
    assert result.exit_code == 5
    assert f"{desk[0]}: plan.cpu: 'fast'" in result.stderr


def test_every_setting_is_a_flag_of_some_verb_and_nothing_secret(desk):
    _, rows = config()
    assert {name for name, *_ in rows} == set(SETTINGS)
    assert not [name for name in SETTINGS if "pass" in name]


def test_every_verb_goes_by_the_settings():
    def leaves(group):
        for command in group.commands.values():
            yield from leaves(command) if hasattr(command, "commands") else [command]

    assert [
        c.name for c in leaves(typer.main.get_command(main.app)) if not isinstance(c, Verb)
    ] == []
