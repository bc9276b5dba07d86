"""``fleetpush simulate`` as an operator types it."""

import json
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from fleetpush.cli.main import app
from fleetpush.swarm.picker import Rarest

SMALL = ["simulate", "--hosts", "8", "--chunks", "10"]
PROMISED = {
    "hosts",
    "chunks",
    "topology",
    "discovery",
    "seed",
    "ratio",
    "ratio_unslowed",
    "bound_ratio",
    "completed",
    "copies_per_rack",
    "origin_copies",
    "control_messages_per_chunk",
    "wall_s",
    "control_share",
    "tracker_events_per_host",
    "messages",
    "messages_per_s",
    "events_per_s",
}


def run(*words):
    return CliRunner().invoke(app, [*words])


def test_the_document_holds_what_is_promised():
    result = run(*SMALL, "-o", "json", "--seed", "7", "--topology", "tree")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert set(document) >= PROMISED | {"schema", "command", "exit_code", "status"}
    assert document["schema"] == 1
    assert (document["command"], document["exit_code"], document["status"]) == ("simulate", 0, "ok")
    assert (document["hosts"], document["chunks"], document["seed"]) == (8, 10, 7)
    assert (document["topology"], document["discovery"]) == ("tree", "tracker")
    assert (document["completed"], document["lacking"]) == (8, [])
    assert 1 <= document["bound_ratio"] <= document["ratio"] == document["ratio_unslowed"]
    assert document["origin_copies"] == document["copies_per_rack"] == 1


def test_the_text_says_how_long_and_who():
    result = run(*SMALL)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "8 hosts, 2.6 MB in 10 chunks of 256 KiB, mesh, seed 0" in result.stdout
    assert "8 of 8 hosts" in result.stdout
    assert "ratio 1." in result.stdout


def test_every_knob_reaches_the_scenario():
    result = run(
        *(
            "simulate",
            "--hosts",
            "20",
            "--chunks",
            "12",
            "--chunk-size",
            "128K",
            "--rate",
            "10Gbit",
        ),
        *("--latency", "0.5ms", "--slow", "10%:4", "--deaths", "5%", "--racks", "2"),
        *("--oversubscription", "3", "--stagger", "100ms", "--cpu-per-message", "0.01ms"),
        *("--slots", "3", "--credit", "5", "--degree", "8", "-o", "json"),
    )
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    given = {
        "chunk_size": 131072,
        "size": 12 * 131072,
        "rate": 1.25e9,
        "latency_s": 0.0005,
        "slow": 0.1,
        "slowness": 4.0,
        "deaths": 0.05,
        "racks": 2,
        "oversubscription": 3.0,
        "stagger_s": 0.1,
        "cpu_per_message_s": 0.00001,
        "slots": 3,
        "credit": 5,
        "degree": 8,
        "survivors": 19,
        "completed": 19,
    }
    assert {name: document[name] for name in given} == given
    # slow hosts, deaths and racks are said in the text, too
    told = run(
        *SMALL, "--slow", "20%:4", "--deaths", "10%", "--racks", "2", "--oversubscription", "3"
    ).stdout
    for words in ("20% of the hosts 4 times slower", "10% of the hosts die", "2 racks at 3:1"):
        assert words in told
    assert "for the hosts that are not slow" in told
    assert "7 of 7 hosts that lived (1 died)" in told


def test_gossip_reaches_the_scenario():
    words = ("--discovery", "gossip", "--loss", "20%")
    document = json.loads(run(*SMALL, *words, "-o", "json").stdout)
    assert (document["discovery"], document["loss"], document["completed"]) == ("gossip", 0.2, 8)
    told = run(*SMALL, *words).stdout
    assert "mesh by gossip" in told
    assert "20% of the gossip messages lost" in told


def test_blocks_make_chunks():
    document = json.loads(run(*SMALL, "--blocks", "3", "-o", "json").stdout)
    assert document["chunk_size"] == 3 * 65536


def test_who_lacks_how_much_is_said_and_the_exit_code_is_3(monkeypatch):
    monkeypatch.setattr(Rarest, "next_offer", lambda self, peer, room: None)
    words = ["simulate", "--hosts", "30", "--chunks", "80"]
    result = run(*words)
    assert result.exit_code == 3
    assert result.stdout.count("lacks") == 10
    assert "more hosts; -o json names them all" in result.stdout
    assert "ratio" not in result.stdout
    result = run(*words, "-o", "json")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert (document["exit_code"], document["status"], document["ratio"]) == (3, "failed", None)
    assert len(document["lacking"]) == 30 - document["completed"]
    assert all(0 < one["chunks"] <= 80 for one in document["lacking"])


BAD = {
    "no hosts": (["--hosts", "0"], 2, "--hosts 0"),
    "hosts in words": (["--hosts", "many"], 2, "--hosts"),
    "too many hosts": (["--hosts", "1000000"], 2, "at most 100,000"),
    "no chunks": (["--chunks", "0"], 2, "--chunks 0"),
    "no blocks": (["--blocks", "0"], 2, "--blocks 0"),
    "odd chunk size": (["--chunk-size", "100K"], 2, "multiple of 64K"),
    "both sizes": (["--blocks", "2", "--chunk-size", "64K"], 2, "give one of them"),
    "too big a chunk": (["--blocks", "20000"], 2, "at most"),
    "no rate": (["--rate", "0"], 2, "rate"),
    "rate in words": (["--rate", "fast"], 2, "rate"),
    "negative latency": (["--latency", "-1ms"], 2, "latency"),
    "latency in words": (["--latency", "soon"], 2, "duration"),
    "more slow than there are": (["--slow", "200%:10"], 2, "percentage"),
    "slow without a factor": (["--slow", "5%"], 2, "5%:10"),
    "slow that is faster": (["--slow", "5%:0.5"], 2, "5%:10"),
    "deaths over all": (["--deaths", "101%"], 2, "percentage"),
    "nobody left": (["--deaths", "100%"], 2, "leaves nobody"),
    "no racks": (["--racks", "0"], 2, "--racks 0"),
    "empty racks": (["--racks", "9"], 2, "empty"),
    "undersubscribed": (["--oversubscription", "0.5"], 2, "--oversubscription"),
    "not a number": (["--oversubscription", "nan"], 2, "--oversubscription"),
    "several origins of a tree": (
        ["--origins", "2", "--topology", "tree"],
        2,
        "mesh with a tracker",
    ),
    "too many origins": (["--origins", "11"], 2, "at most 10"),
    "an endless latency": (["--latency", "9" * 400], 2, "no such time"),
    "more than memory holds": (["--hosts", "90000", "--chunks", "90000"], 2, "at most"),
    "no slots": (["--slots", "0"], 2, "--slots 0"),
    "no credit": (["--credit", "0"], 2, "--credit 0"),
    "too small a degree": (["--degree", "1"], 2, "--degree 1"),
    "degree of a tree": (["--topology", "tree", "--degree", "8"], 2, "mesh"),
    "gossip in a tree": (["--discovery", "gossip", "--topology", "tree"], 2, "needs a tracker"),
    "gossip's degree": (["--discovery", "gossip", "--degree", "8"], 2, "--degree"),
    "losses without gossip": (["--loss", "5%"], 2, "--discovery gossip"),
    "losing more than all": (["--discovery", "gossip", "--loss", "101%"], 2, "percentage"),
    "unknown topology": (["--topology", "ring"], 2, "ring"),
    "plot nowhere": (["--plot", "/nowhere/at/all.svg"], 5, "--plot"),
    "plot on a directory": (["--plot", "/"], 5, "directory"),
    "plot that cannot be written": (["--plot", "/proc/fleetpush.svg"], 5, "--plot"),
}


@pytest.mark.parametrize(("words", "code", "said"), BAD.values(), ids=BAD.keys())
def test_what_makes_no_sense_is_refused_in_words(words, code, said):
    result = run(*SMALL, *words)
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("flag", ["--hosts", "--plot"])
def test_a_refusal_in_json(flag):
    result = run(
        *SMALL, flag, {"--hosts": "0", "--plot": "/nowhere/at/all.svg"}[flag], "-o", "json"
    )
    document = json.loads(result.stdout)
    assert document["command"] == "simulate"
    assert document["status"] == "failed"
    assert document["exit_code"] == result.exit_code == {"--hosts": 2, "--plot": 5}[flag]
    assert document["slug"] == {"--hosts": "usage", "--plot": "plot"}[flag]
    assert flag in document["error"]


def test_a_defect_is_one_line(monkeypatch):
    def broken(self, peer, room):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(Rarest, "next_offer", broken)
    result = run(*SMALL, "-o", "json")
    assert result.exit_code == 1
    assert "internal error: RuntimeError: no such luck" in result.stderr
    assert "Traceback" not in result.stderr
    assert json.loads(result.stdout)["slug"] == "internal"
    assert "Traceback" in run(*SMALL, "-v").stderr


def test_ctrl_c_ends_it_with_130(monkeypatch):
    def interrupted(self, peer, room):
        raise KeyboardInterrupt

    monkeypatch.setattr(Rarest, "next_offer", interrupted)
    assert run(*SMALL).exit_code == 130


def test_a_picture_of_the_run(tmp_path):
    picture = tmp_path / "run.svg"
    assert run(*SMALL, "--plot", str(picture)).exit_code == 0
    assert ET.parse(picture).getroot().tag.endswith("svg")
