"""The probe runs under every Python that a host may have, tells strangers apart, and never outstays."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from fleetpush.agent import probe
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.readiness import Check
from fleetpush.errors import HostError
from fleetpush.remote import bootstrap
from tests.agent.test_interpreters import VERSIONS, interpreter


def test_under_every_python(tmp_path):
    """Each is a host of one local fleet, so that they call each other too."""
    found = {version: python for version in VERSIONS if (python := interpreter(version))}
    hosts = {
        f"py{version}": {
            "ansible_connection": "local",
            "ansible_python_interpreter": python,
            "fleetpush_dest": f"{tmp_path}/{version}/model.pt",
        }
        for version, python in found.items()
    }
    inventory = tmp_path / "fleet.yaml"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    check = Check(DeployOptions(sources=(), inventories=(str(inventory),)), lambda text: None)
    report = asyncio.run(check.execute())
    assert {r.host: (r.troubles, r.python.rpartition(".")[0]) for r in report.results} == {
        f"py{version}": ((), version) for version in found
    }
    assert list(tmp_path.iterdir()) == [inventory]


def stranger(said: bytes) -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0))

    def answer():
        with server.accept()[0] as caller:
            caller.sendall(said)

    threading.Thread(target=answer, daemon=True).start()
    return server


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (b"token", ""),
        (b"tok", "something else answers there"),
        (b"", "something else answers there"),
        (b"SSH-2.0-OpenSSH_9.2", "something else answers there"),
    ],
)
def test_who_answers_is_known_by_the_token(said, found):
    with stranger(said) as server:
        assert probe.call("127.0.0.1", server.getsockname()[1], "token") == found


def test_a_call_that_nobody_takes_says_why():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert probe.call("127.0.0.1", closed.getsockname()[1], "t") == "Connection refused"


def test_a_call_into_silence_ends(monkeypatch):
    monkeypatch.setattr(probe, "PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert probe.call("127.0.0.1", mute.getsockname()[1], "t") == "timed out"


def look(dest, *files):
    return probe.look_at_destination({"dest": str(dest), "files": files or [("m", 1)]})


def test_looking_writes_nothing(tmp_path):
    found = look(tmp_path / "a" / "b" / "m")
    assert found["path"] == str(tmp_path / "a" / "b" / "m")
    assert found["free"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_filesystem_without_nameless_files_is_asked_for_its_permissions(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    assert look(tmp_path / "m")["free"] > 0
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(HostError, match="Permission denied") as caught:
        look(tmp_path / "m")
    assert caught.value.slug == "not_writable"


def test_a_file_where_a_directory_should_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HostError) as caught:
        look(tmp_path / "file" / "m")
    assert caught.value.slug == "dest_not_directory"


def test_it_goes_when_nobody_wants_it_any_more(tmp_path):
    """End of stdin is the end of the connection."""
    line = bootstrap.command(None, bootstrap.PROBE)
    config = {"ssh": False, "address": "127.0.0.1", "ports": [47600, 47699], "token": "t"}
    config |= {"dest": f"{tmp_path}/m", "files": [("m", 1)], "marker": "hi"}
    process = subprocess.Popen(
        ["/bin/sh", "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path
    )
    try:
        process.stdin.write(bootstrap.payload(config, b"", bootstrap.PROBE))
        process.stdin.flush()
        assert process.stdout.readline() == b"\n"
        assert process.stdout.readline() == b"hi\n"
        said = json.loads(process.stdout.readline())
        assert (said["is"], "failed" in said) == ("hello", False)
        with socket.create_connection(("127.0.0.1", said["port"]), 5) as sock:
            assert sock.recv(10) == b"t"
        began = time.monotonic()
        process.stdin.close()
        assert process.wait(10) == 0
        assert time.monotonic() - began < 10
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert list(Path(tmp_path).iterdir()) == []
