"""``fleetpush plan``: one answer on stdout, warnings on stderr, exit codes as deploy's."""

import json

import pytest
from typer.testing import CliRunner

from fleetpush.cli.main import app

FLEET = """
all:
  vars: {fleetpush_uplink: 10Gbit, fleetpush_downlink: 10Gbit}
  hosts:
    n[1:30]: {fleetpush_rack: r1}
    n[31:60]: {fleetpush_rack: r2}
    old7: {fleetpush_downlink: 100Mbit, fleetpush_rack: r2}
"""


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.yaml").write_text(FLEET)
    with (tmp_path / "model.pt").open("wb") as file:
        file.truncate(10**9)

    def invoke(*words, inventory="fleet.yaml"):
        return CliRunner().invoke(app, ["plan", "model.pt", "-i", inventory, "--cpu", "0", *words])

    return invoke


def test_text_says_what_why_and_how_long(plan):
    result = plan("--origin-uplink", "10Gbit")
    assert result.exit_code == 0
    assert result.stderr == ""
    text = " ".join(result.stdout.split())
    for words in (
        "model.pt (1.0 GB) to 61 hosts in 2 racks",
        "topology mesh (auto)",
        "bound 1m20s: the downlink of old7 (12.5 MB/s, declared)",
        "next 0.81s: the origin's uplink (1.2 GB/s, from the flag)",
        "makespan 1m25s expected, 1.06 times the bound",
        "without old7 the bound is 0.81s: 1m19s less",
        "a plan blind to racks moves 30 copies (",
        "one that knows them 1 (1.0 GB)",
        "uplinks of the racks unknown; not counted (give --rack-uplink)",
        "disk unknown, not counted",
    ):
        assert words in text


def test_text_fits_a_screen_of_80_columns(plan, tmp_path):
    many = ", ".join(
        f"host{7 * i}.rack{i % 9}.example.com: {{fleetpush_rack: {i % 9}}}" for i in range(99)
    )
    (tmp_path / "many.yaml").write_text(f"all: {{hosts: {{{many}}}}}")
    for inventory in ("fleet.yaml", "many.yaml"):
        result = CliRunner().invoke(
            app, ["plan", "model.pt", "-i", inventory, "--dest", "/srv/{{ fleetpush_rack }}/x"]
        )
        assert result.exit_code == 0, result.output
        assert max(map(len, result.stdout.splitlines())) <= 80
        assert "one agent here can move" in result.stdout


def test_what_is_unknown_is_visible(plan):
    assert "unknown; assumed 1 Gbit/s (give --origin-uplink)" in plan().stdout


def test_json_is_one_document(plan):
    result = plan("-o", "json", "--origin-uplink", "10Gbit", "--rack-uplink", "40Gbit")
    found = json.loads(result.stdout)
    assert (found["command"], found["status"], found["topology"]) == ("plan", "ok", "mesh")
    assert found["timing"]["bound_s"] == pytest.approx(80)
    assert found["limits"][0]["hosts"] == "old7"
    assert found["slow_hosts"]["hosts"] == "old7"
    assert found["rates"]["downlink"][0] == {
        "rate": 12_500_000,
        "grounds": "declared",
        "hosts": "old7",
    }
    assert found["rates"]["rack_uplink"] == {"rate": 5e9, "grounds": "flag"}
    assert found["racks"]["aware_copies"] == 1


def test_flags_beat_variables(plan):
    words = [
        "--downlink",
        "1Gbit",
        "--uplink",
        "1Gbit",
        "--disk",
        "50MB",
        "--origin-uplink",
        "1GB/s",
    ]
    found = json.loads(plan("-o", "json", *words).stdout)
    assert found["limits"][0]["resource"] == "disk"
    assert found["timing"]["bound_s"] == pytest.approx(20)
    assert found["slow_hosts"] is None


@pytest.mark.parametrize("flag", ["--bwlimit", "--host-bwlimit"])
def test_limits_count(plan, flag):
    found = json.loads(plan("-o", "json", flag, "1MB").stdout)
    assert found["limits"][0]["grounds"] == "limit"
    assert found["timing"]["bound_s"] == pytest.approx(1000, rel=0.01)


def test_a_fanout_is_a_tree(plan):
    assert "topology tree (auto), 2 children each" in " ".join(
        plan("--tree-fanout", "2").stdout.split()
    )


def test_an_empty_file_is_planned_as_it_is_deployed(plan, tmp_path):
    (tmp_path / "model.pt").write_bytes(b"")
    result = plan()
    assert result.exit_code == 0
    assert "there is nothing to move" in result.stdout
    assert json.loads(plan("-o", "json").stdout)["timing"]["bound_s"] == 0


def test_a_slip_in_a_variables_name_is_a_warning_on_stderr(plan, tmp_path):
    (tmp_path / "slip.yaml").write_text("all: {hosts: {'n[1:5]': {fleetpush_downlik: 1Gbit}}}")
    result = plan("-o", "json", inventory="slip.yaml")
    assert json.loads(result.stdout)["status"] == "ok"
    assert result.stderr == (
        "warning: n1: nobody reads the variable fleetpush_downlik;"
        " did you mean fleetpush_downlink?\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--uplink", "0"], 2, "--uplink"),
        (["--disk", "fast"], 2, "--disk"),
        (["--rack-uplink", "10Gb"], 2, "10Gbit or 10GB"),
        (["--chunk-size", "2G"], 2, "--chunk-size"),
        (["--topology", "star", "--tree-fanout", "2"], 2, "--tree-fanout needs a tree"),
        (["-l", "web*"], 5, "matches no host"),
        (["gone.bin"], 5, "gone.bin: No such file"),
        (["-e", "fleetpush_disk=0"], 5, "n1: fleetpush_disk: '0'"),
        (["-e", "fleetpush_uplink=10Gb"], 5, "n1: fleetpush_uplink: '10Gb' may be bits or bytes"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(plan, words, code, says):
    result = plan(*words)
    assert result.exit_code == code
    assert says in result.stderr
    assert result.stdout == ""
    if code == 5:
        assert json.loads(plan(*words, "-o", "json").stdout)["slug"] in ("bad_input", "no_hosts")


def test_help_lists_the_rates(plan):
    result = plan("--help")
    assert result.exit_code == 0
    for flag in ("--origin-uplink", "--uplink", "--downlink", "--disk", "--rack-uplink", "--cpu"):
        assert flag in result.stdout
