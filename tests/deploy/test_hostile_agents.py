"""What an agent says is whatever it likes: its host fails by name, and that is all that comes of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.deploy import channel as channels
from fleetpush.deploy.member import Member
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.probing import ProbedHost
from fleetpush.deploy.progress import Notice
from fleetpush.deploy.reporting import NOTES, Chronicle
from fleetpush.deploy.sessions import answers
from tests.benchmarks.fuzz.targets import CONVERSATION, TARGETS, TASKS, seeds

HELLO, READY = (json.loads(line) for line in CONVERSATION)


class Watcher:
    def __init__(self):
        self.events = []

    def handle(self, event):
        self.events.append(event)


class Process:
    def __init__(self):
        self.killed = False

    def write(self, data):
        """Nobody reads."""

    def kill(self):
        self.killed = True


class Agent:
    """One host's agent, whose lines are ours, and the run's record of it."""

    def __init__(self):
        self.watcher = Watcher()
        self.chronicle = Chronicle(
            DeployOptions(sources=("x",), inventories=("y",)), self.watcher, "run"
        )
        self.member = Member("0", "n1", "", self.chronicle.heard)
        self.chronicle.started([self.member, Member("7", "n7", "", self.chronicle.heard)])
        self.process = Process()
        self.member.channel.attach(self.process, b"")
        self.raw(f"\n{self.member.channel.marker}\n".encode())

    def raw(self, data):
        self.member.channel.stdout(data)

    def say(self, *messages):
        for message in messages:
            self.raw(json.dumps(message).encode() + b"\n")

    @property
    def notices(self):
        return [e.message for e in self.watcher.events if isinstance(e, Notice)]


def check_cut_off(agent, *reasons):
    failure = agent.member.result()
    assert failure.slug == "bad_agent"
    assert agent.process.killed
    for reason in reasons:
        assert reason in failure.message
    assert len(failure.message) < 500


@pytest.mark.parametrize(
    "message",
    [
        {"is": "success"},
        {"is": "gone"},
        {"is": "x" * 100_000},
        {"is": "\ud800"},
        {**HELLO, "address": "evil.example"},
        {**HELLO, "address": "x" * 100_000},
        {**HELLO, "address": "fe80::1%eth0"},
        {**HELLO, "address": "10.0.0.1\0"},
        {**HELLO, "inside": ["127.0.0.1"]},
        {**HELLO, "port": 0},
        {**HELLO, "port": 65536},
        {**HELLO, "port": 1 << 70},
        {**HELLO, "port": True},
        {"is": "hello"},
        READY,
        {"is": "verified", "digest": "", "by": "full"},
        {"is": "activated", "changed": True},
        {"is": "progress", "done": -1},
        {"is": "progress", "done": 1 << 60},
        {"is": "progress", "spent": 7},
        {"is": "progress", "spent": [1, 2, 3]},
        {"is": "progress", "spent": [1, 2, 3, -1]},
        {"is": "kept", "files": 7},
        {"is": "kept", "files": [{"1": 1}]},
        {"is": "kept", "files": [[1, 2, 3, 4, True]]},
        {"is": "failed", "slug": 1, "message": ""},
        {"is": "note", "message": None},
        {"is": "dropped", "peer": {}, "reason": ""},
    ],
    ids=lambda m: f"{m['is'][:12]!a}",
)
def test_a_message_that_makes_no_sense_ends_that_agent(message):
    agent = Agent()
    agent.say(message)
    check_cut_off(agent)


@pytest.mark.parametrize("again", [HELLO, READY])
def test_what_is_said_once_is_not_said_twice(again):
    agent = Agent()
    agent.say(HELLO, READY, again)
    check_cut_off(agent)


def test_one_host_that_proves_twice_does_not_count_for_two():
    agent = Agent()
    agent.say(HELLO, READY)
    proof = {"is": "verified", "digest": "ab", "by": "full"}
    assert agent.member.prove(proof, "ab", 1.0)
    assert not agent.member.prove(proof, "ab", 2.0)
    check_cut_off(agent, "second proof")


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\n",
        b"[]\n",
        b'{"is":1}\n',
        b"[" * 100_000 + b"\n",
        b'{"is":' + b"9" * 5000 + b"}\n",
    ],
    ids=["bytes", "list", "number", "deep", "digits"],
)
def test_what_is_no_message_ends_that_agent(data):
    agent = Agent()
    agent.raw(data)
    check_cut_off(agent, "no message")


def test_a_line_without_an_end_is_bounded():
    agent = Agent()
    for _ in range(20):
        agent.raw(b"x" * 65536)
    check_cut_off(agent, "without an end")


def test_a_flood_of_messages_ends_that_agent(monkeypatch):
    monkeypatch.setattr(channels, "MESSAGES", 1000)
    agent = Agent()
    agent.raw(b'{"is":"beat"}\n' * 900)
    assert not agent.process.killed
    agent.member.channel._allowance = 10.0
    agent.raw(b'{"is":"beat"}\n' * 900)
    check_cut_off(agent, "more messages")


def test_a_host_that_floods_the_operator_is_cut_short():
    agent = Agent()
    agent.say(*[{"is": "note", "message": "look here"}] * 100)
    assert len(agent.notices) == NOTES + 1
    assert "more than is shown" in agent.notices[-1]


def test_who_was_dropped_is_named_as_the_operator_knows_it():
    agent = Agent()
    agent.say({"is": "dropped", "peer": "7", "reason": "sent bytes that do not match"})
    assert agent.notices == ["dropped its neighbour n7: it sent bytes that do not match"]


def test_sentences_are_such_as_every_file_takes():
    agent = Agent()
    agent.raw(b'{"is":"failed","slug":"\\ud800","message":"\\udfff' + b"y" * 9000 + b'"}\n')
    result = agent.member.result()
    assert result.slug.encode()
    assert len(result.message.encode()) < 3000


@pytest.mark.parametrize(
    "changes",
    [
        {"time": 10**400},
        {"time": "x"},
        {"time": float("inf")},
        {"address": "x" * 300},
        {"port": 70_000},
        {"free": -1},
        {"failed": []},
        {"failed": {"slug": 1}},
    ],
    ids=str,
)
def test_a_probe_that_lies_about_shapes_is_cut_off(changes):
    host = ProbedHost(1, None)  # its place is looked at where its process ends
    host._channel.attach(Process(), b"")
    said = {**HELLO, "python": "3.11", "dest": "/x", "free": 1, "time": 1.0, **changes}
    host.heard(said)
    assert host.failure.slug == "bad_agent"


@pytest.mark.parametrize("what", TASKS)
@given(answer=st.dictionaries(st.text(max_size=9), st.none() | st.integers() | st.text(max_size=3)))
@settings(max_examples=20)
def test_an_answer_of_other_names_is_none(what, answer):
    with pytest.raises(ValueError, match="an answer to"):
        answers.check(what, answer)


RIGHT = {"rc": 0, "stdout": "", "stderr": "", "skipped": False, "seconds": 0.5}


@pytest.mark.parametrize(
    ("name", "value"),
    [("rc", "0"), ("stdout", None), ("skipped", 0), ("seconds", float("nan")), ("seconds", -1)],
)
def test_an_answer_of_other_types_is_none(name, value):
    answers.check("command", RIGHT)
    with pytest.raises(ValueError, match=name):
        answers.check("command", {**RIGHT, name: value})


@pytest.mark.parametrize("target", TARGETS)
@given(data=st.data())
@settings(max_examples=40)
def test_whatever_others_wrote_raises_nothing_unforeseen(target, data):
    seed = data.draw(st.sampled_from(seeds(target)))
    at = data.draw(st.integers(0, len(seed)))
    gone = data.draw(st.integers(0, 9))
    fresh = data.draw(st.binary(max_size=9))
    TARGETS[target](seed[:at] + fresh + seed[at + gone :])
