"""Either side takes nobody but who has a certificate of the run's CA, under every Python of a host."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fleetpush.deploy.identity import RunIdentity
from tests.agent.test_interpreters import VERSIONS, interpreter

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of two peers of one run, of another run's, and of a run that calls itself the same."""
    own, other, twin = RunIdentity("run"), RunIdentity("other"), RunIdentity("run")
    issued = {
        "own": (own, "own"),
        "friend": (own, "friend"),
        "other": (other, "friend"),
        "twin": (twin, "friend"),
    }
    path = tmp_path_factory.mktemp("papers") / "papers.json"
    found = {
        key: [part.decode() for part in (run.ca_pem, *run.issue(name))]
        for key, (run, name) in issued.items()
    }
    path.write_text(json.dumps(found))
    return path


@pytest.mark.parametrize("modules", ["lean", "public"])
@pytest.mark.parametrize("version", VERSIONS)
def test_who_is_let_in_under_python(version: str, modules: str, papers: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    check = Path(__file__).with_name("tls_selfcheck.py")
    done = subprocess.run(
        [python, "-I", "-B", "-W", "error", str(check), str(ROOT), str(papers), modules],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("who is let in is right\n", "")
