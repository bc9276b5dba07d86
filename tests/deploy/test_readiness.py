"""``fleetpush check`` on an embedded fleet: what is wrong is found and named, and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.demo.fleet import EmbeddedFleet
from fleetpush.deploy.fitness import Fitness, fitness
from fleetpush.deploy.fleet import Place
from fleetpush.deploy.options import DeployOptions, SshOptions
from fleetpush.deploy.probing import ProbedHost
from fleetpush.deploy.readiness import Check, call_ring
from fleetpush.deploy.variables import DeclaredRates
from fleetpush.errors import InputError
from fleetpush.remote.connection import Target

ELSEWHERE = "192.0.2.1"
"""An address that is nobody's (RFC 5737)."""


@dataclass
class Fleet:
    """Hosts that a test may spoil through ``variables`` (by name) before they are checked."""

    root: Path
    hosts: int
    forwarding: bool = True

    def __post_init__(self):
        self.variables = {}
        self.warnings = []
        self.answered = []
        self.checking = None

    def check(self, **options):
        return asyncio.run(self._check(options))

    async def _check(self, options):
        fleet = EmbeddedFleet(self.root / "fleet", self.hosts, forwarding=self.forwarding)
        before = options.pop("before", lambda fleet: None)
        meanwhile = options.pop("meanwhile", None)
        async with fleet:
            inventory = yaml.safe_load(fleet.inventory.read_text())
            for name, variables in self.variables.items():
                inventory["all"]["hosts"][name] |= variables
            fleet.inventory.write_text(yaml.safe_dump(inventory))
            before(fleet)
            whole = DeployOptions(
                sources=options.pop("sources", ()),
                inventories=(str(fleet.inventory),),
                ssh=SshOptions(known_hosts=fleet.known_hosts, ssh_config=Path(os.devnull)),
                **options,
            )
            self.checking = Check(
                whole, self.warnings.append, lambda done, total: self.answered.append((done, total))
            )
            work = asyncio.create_task(self.checking.execute())
            if meanwhile:
                await meanwhile(self)
            report = await work
            names = [str(p) for host in fleet.hosts for p in host.home.iterdir()]
        assert fleet.killed == 0, "a probe was left running"
        self.left = names
        return report


@pytest.fixture
def fleet(tmp_path):
    return Fleet(tmp_path, 4)


def by_name(report):
    return {result.host: result for result in report.results}


def slugs(report):
    return {r.host: [t.slug for t in r.troubles] for r in report.results if r.troubles}


def test_a_sound_fleet_is_ready_and_left_as_it_was(fleet):
    report = fleet.check()
    assert (report.exit_code, slugs(report)) == (0, {})
    assert report.count(Fitness.READY) == 4
    assert fleet.answered == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert fleet.left == []
    for result in report.results:
        assert result.called_from_here == ""
        assert {call.error for call in result.called_by} == {""}
        assert len({call.caller for call in result.called_by} - {result.host}) == 2
        assert result.port in range(47600, 47700)
        assert abs(result.clock_skew_s) < 1
        assert result.free > 0
        assert result.dest == f"{fleet.root}/fleet/homes/{result.host}/"
        assert result.python.startswith("3.")


def test_one_host_alone_has_nobody_to_call_it(tmp_path):
    report = Fleet(tmp_path, 1).check()
    assert report.exit_code == 0
    assert report.results[0].called_by == ()


def test_a_host_that_is_not_there_is_unreachable_and_holds_nobody_up(fleet):
    with socket.create_server(("127.77.0.2", 0)) as closed:
        port = closed.getsockname()[1]
    fleet.variables["demo-0002"] = {"ansible_port": port}
    report = fleet.check()
    assert report.exit_code == 4
    assert slugs(report) == {"demo-0002": ["connection_refused"]}
    assert by_name(report)["demo-0002"].fitness is Fitness.UNREACHABLE
    assert report.count(Fitness.READY) == 3


@pytest.mark.parametrize(
    ("python", "slug"),
    [("/opt/nowhere/python3", "no_python"), ("/bin/false", "bootstrap_failed")],
)
def test_a_python_that_is_none(fleet, python, slug):
    fleet.variables["demo-0003"] = {"ansible_python_interpreter": python}
    report = fleet.check()
    assert (report.exit_code, slugs(report)) == (3, {"demo-0003": [slug]})
    assert by_name(report)["demo-0003"].fitness is Fitness.FAILED


def test_a_destination_that_a_deploy_would_refuse(fleet, tmp_path):
    source = tmp_path / "model.pt"
    source.write_bytes(b"x")

    def spoil(embedded):
        (embedded.home(1) / "model.pt").mkdir()
        (embedded.home(2) / "model.pt").mkdir()

    report = fleet.check(sources=(str(source),), before=spoil)
    assert report.exit_code == 3
    assert slugs(report) == {f"demo-000{i}": ["dest_is_directory"] for i in (2, 3)}
    assert by_name(report)["demo-0001"].dest.endswith("/demo-0001/model.pt")


def test_a_directory_that_would_be_made_is_no_trouble_and_is_not_made(fleet):
    report = fleet.check(dest="new/deeper/model.pt")
    assert (report.exit_code, fleet.left) == (0, [])


def test_room_is_what_the_sources_need_unless_they_are_there(fleet, tmp_path):
    source = tmp_path / "model.pt"
    with source.open("wb") as file:
        file.truncate(1 << 43)

    def spoil(embedded):
        with (embedded.home(0) / "model.pt").open("wb") as file:
            file.truncate(1 << 43)

    report = fleet.check(sources=(str(source),), before=spoil)
    assert slugs(report) == {f"demo-000{i}": ["disk_full"] for i in (2, 3, 4)}
    assert "needs 8,388,608 MiB" in report.results[1].troubles[0].message


def test_no_free_port(fleet):
    with ExitStack() as taken:
        for port in (47810, 47811):
            taken.enter_context(socket.create_server(("127.77.0.1", port)))
        report = fleet.check(port_range=(47810, 47811))
    assert (report.exit_code, slugs(report)) == (3, {"demo-0001": ["no_peer_port"]})
    assert "47810 to 47811" in report.results[0].troubles[0].message


def test_a_port_that_nobody_reaches_is_a_warning_where_ssh_can_carry_the_link(fleet):
    fleet.variables["demo-0001"] = {"fleetpush_address": ELSEWHERE}
    report = fleet.check()
    assert report.exit_code == 0
    assert slugs(report) == {"demo-0001": ["peer_port_closed", "no_way_from_here"]}
    result = report.results[0]
    assert result.fitness is Fitness.WARNED
    assert all(call.error for call in result.called_by)
    assert "47600-47699" in result.troubles[0].message


def test_a_fleet_of_islands_cannot_be_deployed_to(tmp_path):
    fleet = Fleet(tmp_path, 3, forwarding=False)
    for name in ("demo-0001", "demo-0002", "demo-0003"):
        fleet.variables[name] = {"fleetpush_address": ELSEWHERE}
    report = fleet.check()
    assert report.exit_code == 3
    assert {tuple(found) for found in slugs(report).values()} == {("no_peer_link",)}


def test_an_interrupted_check_says_what_it_knows_and_leaves_nobody_behind(fleet):
    with socket.create_server(("127.77.0.2", 0)) as mute:
        fleet.variables["demo-0002"] = {"ansible_port": mute.getsockname()[1]}

        async def interrupt(fleet):
            while len(fleet.answered) < 3:
                await asyncio.sleep(0.02)
            fleet.checking.interrupt(130)

        report = fleet.check(meanwhile=interrupt)
    assert report.exit_code == 130
    assert slugs(report)["demo-0002"] == ["interrupted"]
    assert fleet.left == []


def test_sources_that_are_not_there_are_found_before_anyone_is_called(fleet):
    with pytest.raises(InputError, match="cannot read the source"):
        fleet.check(sources=("no-such-file",))
    assert fleet.answered == []


# -- one host's word


def probed(number, rack=""):
    target = Target(name=f"n{number}", address="127.0.0.1")
    place = Place(f"n{number}", target, "x", rack, "", (1, 2), DeclaredRates())
    return ProbedHost(number, place)


USUAL = {
    "python": "3.9.1",
    "address": "10.0.0.1",
    "inside": "::1",
    "port": 1,
    "dest": "d",
    "free": 1,
}


def greet(host, **said):
    host.heard({"is": "hello", "time": time.time(), **USUAL, **said})
    return fitness([host])[0]


@pytest.mark.parametrize(
    ("ahead", "slugs", "words"),
    [
        (50, [], ""),
        (3 * 3600, ["clock_skew"], "3 hours ahead"),
        (400 * 86400, ["clock_skew"], "400 days ahead"),
    ],
)
def test_a_clock_that_is_off(ahead, slugs, words):
    found = greet(probed(0), time=time.time() + ahead)
    assert [t.slug for t in found.troubles] == slugs
    assert found.clock_skew_s == pytest.approx(ahead, abs=5)
    assert all(words in t.message for t in found.troubles)
    assert found.fitness is not Fitness.FAILED


def test_a_clock_that_is_behind():
    host = probed(0)
    host._asked_at = time.time()
    assert greet(host, time=time.time() - 600).clock_skew_s == pytest.approx(-600, abs=5)


@pytest.mark.parametrize(
    "message",
    [
        {"is": "hello"},
        {"is": "hello", "time": float("nan"), "port": 1},
        {"is": "hello", "port": -1},
        {"is": "dialled", "found": [1]},
        {"is": "dialled", "found": {"0": 3}},
    ],
)
def test_a_host_that_says_nonsense_fails_alone(message):
    host = probed(0)
    host.heard({**USUAL, "time": "x", **message} if message["is"] == "hello" else message)
    assert host.failure.slug == "bad_agent"


@given(st.lists(st.sampled_from(["", "r1", "r2", "r3"]), max_size=30))
def test_everyone_calls_and_is_called_equally_often_and_nobody_itself(racks):
    hosts = [probed(i, rack) for i, rack in enumerate(racks)]
    ring = call_ring(hosts)
    wanted = min(2, max(0, len(hosts) - 1))
    assert set(ring) == set(hosts)
    for host, others in ring.items():
        assert len(set(others) - {host}) == len(others) == wanted
    called = Counter(other for others in ring.values() for other in others)
    assert all(called[host] == wanted for host in hosts)


def test_racks_of_one_size_are_called_across():
    hosts = [probed(i, f"r{i % 2}") for i in range(20)]
    for host, others in call_ring(hosts).items():
        assert any(other.place.rack != host.place.rack for other in others)
