"""``fleetpush check``: troubles first, hosts folded, one document, exit codes as deploy's."""

import json

import pytest
from typer.testing import CliRunner

from fleetpush.cli.main import app
from fleetpush.deploy.fitness import Call, Fitness, FitnessReport, HostFitness, Trouble
from fleetpush.errors import InputError

NO_ROOM = Trouble("disk_full", "/srv/m: needs 9 MiB; make room there", fatal=True)
REFUSED = Trouble("connection_refused", "HOST refuses connections: is sshd running?", fatal=True)
CLOSED = Trouble("peer_port_closed", "no other host reaches its peer port", fatal=False)


def host(name, fitness=Fitness.READY, *troubles):
    named = [Trouble(t.slug, t.message.replace("HOST", name), t.fatal) for t in troubles]
    met = fitness is not Fitness.UNREACHABLE
    return HostFitness(
        host=name,
        fitness=fitness,
        troubles=tuple(named),
        address="10.0.0.1" if met else "",
        port=47600 if met else None,
        python="3.9.1" if met else "",
        dest="/srv/m",
        free=5 * 10**9 if met else None,
        clock_skew_s=0.0 if met else None,
        login_s=0.1 if met else None,
        called_by=(Call("n9", ""), Call("n8", "timed out")) if met else (),
        called_from_here="" if met else None,
    )


@pytest.fixture
def check(monkeypatch):
    """Runs the verb on a fleet that is as the test says; ``options`` are what the check was given."""
    from fleetpush.deploy import readiness

    class Checking:
        results, interrupted, error, options = (), None, None, None

        def __init__(self, options, warn, watch):
            type(self).options = options
            self.warn = warn

        def interrupt(self, exit_code):
            raise AssertionError("nobody interrupts")

        async def execute(self):
            if self.error:
                raise self.error
            self.warn("n1: nobody reads fleetpush_rak")
            return FitnessReport(tuple(self.results), 1.5, self.interrupted)

    monkeypatch.setattr(readiness, "Check", Checking)

    def run(*words, results=(), error=None):
        Checking.results, Checking.error = results, error
        result = CliRunner().invoke(app, ["check", "-i", "dc1.yaml", *words])
        return result, Checking.options

    return run


def test_all_is_well(check):
    result, _ = check(results=[host(f"n{i}") for i in range(1, 4)])
    assert result.exit_code == 0
    assert result.stdout == (
        "3 of 3 hosts can be deployed to; checked in 1.50s\n  ready             3  n[1-3]\n"
    )
    assert result.stderr == "warning: n1: nobody reads fleetpush_rak\n"


def test_troubles_come_first_and_hosts_that_share_one_are_folded(check):
    result, _ = check(
        results=[
            host("n1", Fitness.WARNED, CLOSED),
            host("n2", Fitness.UNREACHABLE, REFUSED),
            host("n3", Fitness.UNREACHABLE, REFUSED),
            host("n4", Fitness.FAILED, NO_ROOM),
        ]
    )
    assert result.exit_code == 3
    assert result.stdout.splitlines() == [
        "failed: disk_full: n4",
        "    /srv/m: needs 9 MiB; make room there",
        "unreachable: connection_refused: n[2-3] (2)",
        "    HOST refuses connections: is sshd running?",
        "warning: peer_port_closed: n1",
        "    no other host reaches its peer port",
        "",
        "1 of 4 hosts can be deployed to; checked in 1.50s",
        "  warned            1  n1",
        "  failed            1  n4",
        "  unreachable       2  n[2-3]",
    ]


@pytest.mark.parametrize(
    ("fitness", "trouble", "code"),
    [
        (Fitness.WARNED, CLOSED, 0),
        (Fitness.UNREACHABLE, REFUSED, 4),
        (Fitness.FAILED, NO_ROOM, 3),
    ],
)
def test_exit_codes(check, fitness, trouble, code):
    result, _ = check("-o", "json", results=[host("n1"), host("n2", fitness, trouble)])
    document = json.loads(result.stdout)
    assert (result.exit_code, document["exit_code"]) == (code, code)
    assert document["status"] == ("failed" if code else "ok")
    assert document["hosts"]["total"] == 2
    assert document["hosts"]["ready"] == 1
    found = document["results"][1]
    assert found["status"] == fitness.value
    assert [t["slug"] for t in found["troubles"]] == [trouble.slug]
    assert document["results"][0]["called_by"] == [
        {"host": "n9", "error": None},
        {"host": "n8", "error": "timed out"},
    ]


def test_verbose_shows_each_host(check):
    result, _ = check("-v", results=[host("n1"), host("n2", Fitness.UNREACHABLE, REFUSED)])
    assert result.stdout.splitlines()[:2] == [
        "n1  ready        login 0.10s, Python 3.9.1, 5.0 GB free for /srv/m, 10.0.0.1 port 47600"
        " reached by 1 of 2 hosts and from here, clock +0.0s",
        "n2  unreachable  connection_refused",
    ]


def test_flags_become_options(check):
    _, options = check("a", "b", "-l", "web", "--dest", "/srv/", "-f", "7", "--jump", "b1")
    assert (options.sources, options.inventories) == (("a", "b"), ("dc1.yaml",))
    assert (options.limit, options.dest, options.port_range) == ("web", "/srv/", (47600, 47699))
    assert (options.ssh.forks, options.ssh.jump) == (7, "b1")


def test_a_bad_inventory_is_one_line_and_5(check):
    result, _ = check(error=InputError("no such inventory"))
    assert (result.exit_code, result.stderr) == (5, "error: no such inventory\n")
