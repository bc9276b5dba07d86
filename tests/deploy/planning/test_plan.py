"""A plan says what the deploy would do: the same chunks, topology, hosts and complaints."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.planning import plan as planning
from fleetpush.deploy.planning.document import document
from fleetpush.deploy.planning.network import GivenRates
from fleetpush.deploy.planning.plan import assumptions, connecting, make_plan
from fleetpush.deploy.reporting import Chronicle
from fleetpush.deploy.source import make_manifest
from fleetpush.errors import InputError, UsageError

KIB, MIB = 1024, 1024 * 1024


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Makes plans for ``hosts``, YAML, and a source of ``size`` bytes."""
    monkeypatch.chdir(tmp_path)

    def plan(hosts="a: {}", size=MIB, given=None, cpu=0, warn=print, **options):
        (tmp_path / "fleet.yaml").write_text(f"all: {{hosts: {{{hosts}}}}}")
        with (tmp_path / "model.pt").open("wb") as file:
            file.truncate(size)
        wanted = {"sources": ("model.pt",), "inventories": ("fleet.yaml",)} | options
        return make_plan(DeployOptions(**wanted), given or GivenRates(), cpu, warn)

    return plan


@pytest.mark.parametrize(
    ("size", "chunk_size"),
    [
        *[(size, None) for size in (0, 1, 64 * KIB, 100 * MIB + 7)],
        *[(size, 64 * KIB) for size in (0, 1, 64 * KIB, 100 * MIB + 7)],
        *[(100 * MIB + 7, chunk_size) for chunk_size in (70_000, MIB, 100 * MIB + 64 * KIB)],
        (64 * KIB + 1, 128 * KIB),
    ],
)
def test_chunks_are_those_that_deploy_would_make(desk, tmp_path, size, chunk_size):
    plan = desk("'n[1-9]': {}", size=size, chunk_size=chunk_size)
    source = make_manifest(
        [tmp_path / "model.pt"], chunk_size, 9, tmp_path / "cache", lambda done, total: None
    )
    manifest = source.manifest
    assert (plan.layout.chunk_size, plan.layout.chunks) == (manifest.chunk_size, manifest.chunks)
    assert (plan.layout.files, plan.notes) == (manifest.files, source.notes)


@pytest.mark.parametrize("topology", ["auto", "mesh", "tree", "star"])
@pytest.mark.parametrize("fanout", [None, 3])
def test_the_topology_is_the_one_that_deploy_would_use(desk, topology, fanout):
    options = {"topology": topology, "tree_fanout": fanout}
    try:
        plan = desk(**options)
    except UsageError:
        with pytest.raises(UsageError):
            Chronicle(DeployOptions(sources=("f",), inventories=("i",), **options), None, "run")
        return
    chronicle = Chronicle(plan.options, None, "run")
    assert plan.topology == chronicle.topology
    assert plan.predictions[plan.topology].makespan_s == plan.makespan_s
    if fanout:
        assert plan.topology == "tree"


def test_a_deploy_does_what_its_plan_said(tmp_path):
    (tmp_path / "model.pt").write_bytes(os.urandom(3 * MIB))
    (tmp_path / "fleet.yaml").write_text(
        "all: {vars: {ansible_connection: local, fleetpush_downlink: 1GB,"
        " fleetpush_dest: '{{ inventory_dir }}/{{ inventory_hostname }}/'}, hosts: {a: {}, b: {},"
        " slow: {fleetpush_downlink: 10Mbit}}}"
    )
    for name in ("a", "b", "slow"):
        (tmp_path / name).mkdir()

    def run(verb, *more):
        words = [
            sys.executable,
            "-m",
            "fleetpush",
            verb,
            "model.pt",
            "-i",
            "fleet.yaml",
            "-o",
            "json",
        ]
        env = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
        done = subprocess.run(
            [*words, *more], check=False, cwd=tmp_path, env=env, capture_output=True, timeout=120
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    plan = run("plan", "--cpu", "0")
    done = run("deploy")
    assert done["hosts"]["verified"] == plan["hosts"]["total"] == 3
    for key in ("topology", "discovery", "encrypt"):
        assert done[key] == plan[key]
    for key in ("size", "chunk_size", "chunks"):
        assert done["manifest"][key] == plan["manifest"][key]
    assert {r["dest"] for r in done["results"]} == {d["dest"] for d in plan["destinations"]}
    # 3 MiB at 1.25 MB/s: declared, so the recap goes by it too.
    assert plan["timing"]["bound_s"] == pytest.approx(3 * MIB / 1.25e6)
    assert done["timing"]["bound_s"] == plan["timing"]["bound_s"]
    assert plan["timing"]["bound_source"] == "the downlink of slow"
    assert done["timing"]["bound_source"] == "the downlink of slow (declared)"


def rates(plan, name):
    host = next(h for h in plan.network.hosts if h.name == name)
    return [(r.value, r.grounds) if r else None for r in (host.uplink, host.downlink, host.disk)]


def test_rates_come_from_flags_then_variables_then_the_other_direction_then_an_assumption(desk):
    plan = desk(
        "a: {fleetpush_uplink: 10MB, fleetpush_disk: 5MB}, b: {fleetpush_downlink: 20MB}, c: {}"
    )
    assert rates(plan, "a") == [(10e6, "declared"), (10e6, "other_direction"), (5e6, "declared")]
    assert rates(plan, "b") == [(20e6, "other_direction"), (20e6, "declared"), None]
    assert rates(plan, "c") == [(125e6, "assumed"), (125e6, "assumed"), None]
    plan = desk("a: {fleetpush_uplink: 10MB}", given=GivenRates(uplink=7, downlink=8, disk=9))
    assert rates(plan, "a") == [(7, "flag"), (8, "flag"), (9, "flag")]


def test_limits_cap_what_links_can_do(desk):
    plan = desk("a: {fleetpush_uplink: 10MB}", bwlimit=50_000, host_bwlimit=1_000_000)
    assert plan.network.origin_uplink == (50_000, "limit")
    assert rates(plan, "a")[:2] == [(1e6, "limit"), (1e6, "limit")]
    plan = desk("a: {fleetpush_uplink: 10MB}", host_bwlimit=1_000_000_000)
    assert rates(plan, "a")[0] == (10e6, "declared")


def test_what_is_unknown_is_said(desk):
    text = "\n".join(assumptions(desk("a: {}, b: {fleetpush_uplink: 1GB, fleetpush_rack: r}")))
    assert "origin's uplink unknown; assumed 1 Gbit/s (give --origin-uplink)" in text
    assert "uplink of 1 of 2 hosts unknown; assumed 1 Gbit/s (give fleetpush_uplink" in text
    assert "downlink of 1 of 2 hosts unknown; assumed to equal the uplink" in text
    assert "disk of every host unknown; not counted" in text
    assert "uplinks of the racks unknown" in text
    known = GivenRates(origin_uplink=1, uplink=1, downlink=1, disk=1, rack_uplink=1)
    assert assumptions(desk("a: {}, b: {fleetpush_rack: r}", given=known)) == []


def test_the_processor_is_measured_unless_it_is_given_or_left_out(desk, monkeypatch):
    asked = []

    def measure(*, encrypted):
        asked.append(encrypted)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(planning, "measure", measure)
    assert desk(cpu=0).network.cpu is None
    assert desk(cpu=5).network.cpu == (5, "flag")
    assert asked == []
    said = []
    assert desk(cpu=None, encrypt=False, warn=said.append).network.cpu is None
    assert asked == [False]
    assert "No space left" in said[0]
    monkeypatch.undo()


def test_a_plan_reads_no_content_and_leaves_nothing(desk, tmp_path):
    desk(size=1 << 40)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fleet.yaml", "model.pt"]


@pytest.mark.parametrize(
    ("hosts", "options", "says"),
    [
        ("a: {}", {"sources": ()}, "nothing to deploy"),
        ("a: {}", {"sources": ("gone",)}, "cannot read the source"),
        ("a: {}", {"sources": (".",), "dest": "x"}, "goes into a directory"),
        ("a: {}", {"sources": ("model.pt", "./model.pt")}, "would become one file"),
        ("a: {}", {"inventories": ()}, "no inventory"),
        ("a: {}", {"inventories": ("gone.yaml",)}, "gone.yaml"),
        ("a: {}", {"limit": "web*"}, "matches no host"),
        ("a: {}", {"chunk_size": 2 << 30}, "a chunk size of"),
        ("a: {}", {"chunk_size": MIB + 1}, "1048577 bytes, and the content has 1048576 in all"),
        ("a: {}", {"chunk_size": 128 * KIB, "size": 64 * KIB}, "the content has 65536 in all"),
        ("a: {}", {"chunk_size": 128 * KIB, "size": 0}, "Give a smaller --chunk-size"),
        ("a: {}", {"dest": "/srv/{{ nowhere }}/x"}, "'nowhere'"),
        ("a: {fleetpush_rack: [r1]}", {}, "^a: fleetpush_rack must be a string"),
        ("a: {fleetpush_uplink: 0}", {}, "^a: fleetpush_uplink must be a rate"),
        ("a: {fleetpush_disk: '0'}", {}, "^a: fleetpush_disk: '0' is less than"),
        ("a: {ansible_port: 99999}", {}, "^a: ansible_port must be"),
        ("a: {ansible_host: x}, b: {ansible_host: x}", {}, "a and b are the same machine"),
    ],
)
def test_what_cannot_be_deployed_cannot_be_planned(desk, hosts, options, says):
    with pytest.raises(InputError, match=says) as caught:
        desk(hosts, **options)
    assert caught.value.exit_code == 5


def test_the_document_names_everything_once(desk):
    plan = desk("'n[1-20]': {fleetpush_rack: 'r{{ inventory_hostname[1:] | int % 2 }}'}", cpu=10**9)
    found = json.loads(json.dumps(document(plan)))
    assert " ".join(found) == (
        "schema command exit_code status error topology tree_fanout discovery encrypt manifest hosts"
        " destinations timing limits topologies rates slow_hosts racks cpu assumptions notes"
    )
    assert (found["schema"], found["command"], found["exit_code"]) == (1, "plan", 0)
    assert found["hosts"] == {"total": 20, "names": "n[1-20]"}
    assert found["timing"]["bound_s"] == found["limits"][0]["seconds"]
    assert set(found["limits"][0]) == {
        "resource",
        "seconds",
        "rate",
        "grounds",
        "reason",
        "hosts",
    }
    assert set(found["topologies"]) == {"mesh", "tree", "star"}
    assert found["racks"]["names"] == ["r0", "r1"]
    assert found["racks"]["blind_copies"] == 10
    assert found["cpu"] == {"rate": 10**9, "grounds": "flag", "steps": None}


@given(st.integers(min_value=1, max_value=5000), st.integers(min_value=1, max_value=500))
def test_connecting_takes_longer_with_more_hosts_and_never_with_more_forks(hosts, forks):
    assert connecting(hosts + 1, forks) >= connecting(hosts, forks)
    assert connecting(hosts, forks + 1) <= connecting(hosts, forks)


def test_a_plan_says_what_one_blind_to_racks_would_cost(desk):
    given = GivenRates(origin_uplink=10_000_000, uplink=10_000_000, rack_uplink=10_000_000)
    hosts = ", ".join(f"n{i}: {{fleetpush_rack: r{i % 4}}}" for i in range(40))
    found = desk(hosts, size=40 * MIB, given=given)
    racks = document(found)["racks"]
    assert (racks["blind_bytes"], racks["aware_bytes"]) == (30 * 40 * MIB, 3 * 40 * MIB)
    assert racks["aware_makespan_s"] == document(found)["timing"]["makespan_s"]
    assert racks["blind_makespan_s"] > 5 * racks["aware_makespan_s"]
