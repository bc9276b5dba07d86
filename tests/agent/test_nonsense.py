"""Whatever its command says to an agent that makes no sense: it says so, it ends, and nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from fleetpush.agent import control
from fleetpush.remote import bootstrap
from tests.benchmarks.fuzz.commands import CONFIG, MANIFEST, MESSAGES, PUSH, live

PATIENCE = 30.0
"""Seconds after which a test gives up waiting; never what it measures."""

BEGIN = bootstrap.payload({"stays": True, "marker": "hi"}, b"", bootstrap.staying_kit())
ARCHIVE = b"".join(bootstrap.archive(bootstrap.staying_kit()))
LINE = bootstrap.command(sys.executable, bootstrap.staying_kit())
MANY = (2**31).to_bytes(4, "big")


def started(line=LINE, **more):
    return subprocess.Popen(
        ["/bin/sh", "-c", line],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **more,
    )


def told(*messages):
    return BEGIN + b"".join(json.dumps(message).encode() + b"\n" for message in messages)


NONSENSE = {
    "lengths that nobody sends": (ARCHIVE + MANY + MANY, b"which makes no sense"),
    "a configuration that is none": (ARCHIVE + b"\0\0\0\2\0\0\0\0[]", b"no configuration"),
    "one without an end": (ARCHIVE + b"\0\1\0\0\0\0\0\0" + b"[" * 65536, b"no configuration"),
    "one that lacks something": (ARCHIVE + b"\0\0\0\2\0\0\0\0{}", b"stays"),
    "half a beginning": (BEGIN[:-9], b"during the bootstrap"),
    "noise": (BEGIN + b"\xff\xfe\n", b"no message"),
    "a list": (BEGIN + b"[]\n", b"no message"),
    "an endless line": (BEGIN + b"x" * (control.MAX_LINE + 70_000), b"endless line"),
    "an unknown task": (told({"do": "dance"}), b"told to do 'dance'"),
    "no word of what to do": (told({"is": "up"}), b"KeyError in hear"),
    "a push of nothing": (told({"do": "push"}), b"KeyError in hear"),
    "a manifest that is no hex": (told({**PUSH, "manifest": "xy"}), b"ValueError in hear"),
    "a grace without end": (told({**PUSH, "config": {**CONFIG, "grace": 1e999}}), b"grace"),
    "certificates that are none": (told(PUSH), b"Error in"),
}
"""What is sent, and a word of what is said about it."""


def test_it_ends_with_a_word_about_it_and_exits_with_a_failure():
    """Real agents, all at once; their input stays open, as a command's that goes on does."""
    agents = {name: started() for name in NONSENSE}
    for name, agent in agents.items():
        agent.stdin.write(NONSENSE[name][0])
        agent.stdin.flush()
    agents["half a beginning"].stdin.close()
    for name, agent in agents.items():
        assert agent.wait(PATIENCE) in (1, 2), name
        words = agent.stderr.read()
        assert NONSENSE[name][1] in words, name
        assert words.count(b"\n") == 1, words
        assert b'"is":"failed"' in agent.stdout.read() or agent.returncode == 2
        for pipe in (agent.stdin, agent.stdout, agent.stderr):
            pipe.close()


def test_a_command_that_runs_meanwhile_is_ended_with_it(tmp_path):
    agent = started()
    note = f"echo $$ > {tmp_path}/pid; sleep 1000"
    asked = {"do": "task", "task": 1, "what": "command", "arguments": {"shell": note}}
    agent.stdin.write(told(asked))
    agent.stdin.flush()
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    agent.communicate(b"nonsense\n", timeout=PATIENCE)
    assert agent.returncode == 1
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def until(holds):
    for _ in range(int(PATIENCE / 0.02)):
        if holds():
            return
        subprocess.run(["sleep", "0.02"], check=True)
    raise AssertionError("waited in vain")


def test_a_connection_that_is_cut_without_a_word_while_it_begins_is_not_waited_for(monkeypatch):
    """Nobody would end it: the archive is cut in the stub, the configuration in the agent."""
    monkeypatch.setattr(bootstrap, "SILENCE", 1)
    stub = started(bootstrap.command(sys.executable, bootstrap.staying_kit()))
    quick = "import fleetpush.agent.main as m; m.LEASE = 0.5; m.main()"
    agent = started(f"exec {sys.executable} -c '{quick}'")
    stub.stdin.write(ARCHIVE[:1000])
    agent.stdin.write(BEGIN[len(ARCHIVE) : -3])
    stub.stdin.flush()
    agent.stdin.flush()
    for process, status in ((stub, bootstrap.CUT_OFF), (agent, 2)):
        assert process.wait(PATIENCE) == status
        words = process.stderr.read()
        assert (b"no sign of life" in words) == (process is agent)
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


def lines(*messages):
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


@pytest.mark.parametrize(
    "message",
    [
        {"do": "edges", "edges": [{"peer": "1"}]},
        {"do": "edges", "edges": 7},
        {"do": "contacts", "contacts": [{"peer": [], "address": "", "dial": True, "through": ""}]},
        {"do": "held", "mask": "zz"},
        {"do": "held", "mask": "00"},
        {"do": "limit", "up": "fast"},
        {"do": "part", "peers": 7},
        {"do": ["leave"]},
        {"do": None},
        PUSH,
    ],
    ids=lambda message: str(message)[:40],
)
def test_an_exchange_that_is_under_way_fails_by_a_sentence(message):
    # A message that is in two pieces has come when the exchange is under way.
    mouth = live(CONFIG, lines(message))
    failed = [said for said in mouth.said if said["is"] == "failed"]
    assert [said["slug"] for said in failed] == ["agent_error"]
    assert mouth.said[-1] == {"is": "bye"}


def test_what_makes_sense_does_not_fail():
    """So that the tests of nonsense do not pass for another reason."""
    mouth = live(CONFIG, lines(*MESSAGES[:-3]))
    assert mouth.count("failed") == 0
    mouth = live({"stays": True, "marker": "m"}, lines(PUSH, *MESSAGES[:-2]))
    assert mouth.count("failed") == 0
    assert mouth.count("result") == mouth.count("bye") == 1


def test_after_nonsense_nothing_is_listened_to():
    mouth = live(CONFIG, lines({"do": "dance"}, PUSH, *MESSAGES) + b"more\n")
    assert mouth.count("failed") == mouth.count("bye") == 1
    assert mouth.count("hello") == 1
    assert MANIFEST.chunks == 12


def test_a_line_comes_out_whole_however_it_was_cut():
    wanted = [{"do": "beat"}, {"do": "own", "asked": 1}]
    data = lines(*wanted)
    for step in (1, 2, 7, len(data)):
        cut = control.Lines()
        got = [m for at in range(0, len(data), step) for m in cut.feed(data[at : at + step])]
        assert got == wanted
