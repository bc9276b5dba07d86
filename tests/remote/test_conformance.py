"""What every connection plugin promises."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from fleetpush.errors import HostError
from fleetpush.remote import bootstrap
from fleetpush.remote.connection import ENDED_BY_SIGNAL, Target
from fleetpush.remote.settings import SshSettings
from tests.remote.conftest import PLUGINS
from tests.remote.talk import Heard, eventually, run, settings, target, with_connectors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from fleetpush.remote.connection import Connection


class Reach(NamedTuple):
    """A way to a host and a directory that both sides can write to."""

    target: Target
    settings: SshSettings
    shared: Path

    def run(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        async def whole(connectors: object) -> None:
            conn = await connectors.connect(self.target)
            try:
                await work(conn)
            finally:
                await conn.close()

        with_connectors(self.settings, whole)


REMOTE = [pytest.param(name, marks=pytest.mark.sshd) for name in PLUGINS]


@pytest.fixture(params=[*REMOTE, "local"])
def reach(request: pytest.FixtureRequest, tmp_path: Path) -> Reach:
    if request.param == "local":
        here = Target(name="here", address="localhost", connection="local")
        return Reach(here, SshSettings(), tmp_path)
    fleet = request.getfixturevalue("fleet")
    there = target(fleet, connection=request.param)
    return Reach(there, settings(fleet), fleet.home(0))


def test_a_megabyte_comes_back_byte_for_byte(reach: Reach) -> None:
    payload = os.urandom(1_000_003)

    async def work(conn: Connection) -> None:
        heard = await run(conn, "cat", payload)
        assert bytes(heard.out) == payload
        assert heard.ends == [(0, "exit status 0")]

    reach.run(work)


def test_the_real_bootstrap_brings_an_agent_up(reach: Reach) -> None:
    config = {
        "ssh": reach.target.connection != "local",
        "address": "127.0.0.1",
        "ports": [47600, 47699],
        "dest": str(reach.shared / "model.pt"),
        "files": [["model.pt", 0]],
        "token": "any",
        "marker": "here-it-is",
    }

    async def work(conn: Connection) -> None:
        heard = Heard()
        process = await conn.start(bootstrap.command(None, bootstrap.PROBE), heard)
        process.write(bootstrap.payload(config, b"", bootstrap.PROBE))
        await heard.until(lambda: b'"hello"' in heard.out and heard.out.endswith(b"\n"))
        hello = json.loads(heard.out.split(b"here-it-is\n")[1].splitlines()[0])
        assert (hello["is"], hello.get("failed")) == ("hello", None)
        process.write(b'{"do":"leave"}\n')
        assert (await heard.end())[0] == 0

    reach.run(work)


def test_status_and_stderr_are_reported_apart_from_stdout(reach: Reach) -> None:
    async def work(conn: Connection) -> None:
        heard = await run(conn, "echo out; echo err >&2; exit 7")
        assert (bytes(heard.out), bytes(heard.err)) == (b"out\n", b"err\n")
        assert heard.ends == [(7, "exit status 7")]

    reach.run(work)


def test_a_process_that_a_signal_ends_has_no_status(reach: Reach) -> None:
    async def work(conn: Connection) -> None:
        heard = await run(conn, "kill -TERM $$")
        [(status, reason)] = heard.ends
        assert status is None
        assert reason.startswith(ENDED_BY_SIGNAL)
        # OpenSSH's master says that there is no status, and not why.
        assert "TERM" in reason or reach.target.connection == "openssh"

    reach.run(work)


def test_a_channel_stays_open_for_a_dialogue(reach: Reach) -> None:
    async def work(conn: Connection) -> None:
        heard = Heard()
        process = await conn.start('while read word; do echo "<$word>"; done', heard)
        for word in (b"one", b"two", b"three"):
            process.write(word + b"\n")
            await heard.until(lambda word=word: heard.out.endswith(b"<" + word + b">\n"))
        assert heard.ends == []
        process.write_eof()
        assert (await heard.end())[0] == 0

    reach.run(work)


def test_stdin_is_still_read_after_stdout_is_closed(reach: Reach) -> None:
    async def work(conn: Connection) -> None:
        heard = Heard()
        process = await conn.start("echo bye; exec >&-; echo closed >&2; wc -c >&2", heard)
        await heard.until(lambda: heard.err == b"closed\n")
        process.write(b"x" * 70_000)
        process.write_eof()
        await heard.end()
        assert heard.err.split() == [b"closed", b"70000"]

    reach.run(work)


def test_there_is_no_terminal_and_no_agent(reach: Reach) -> None:
    async def work(conn: Connection) -> None:
        heard = await run(
            conn, "test -t 0 || test -t 1 || echo ${SSH_TTY:-none} ${SSH_AUTH_SOCK:-none}"
        )
        assert heard.out == b"none none\n"

    reach.run(work)


@pytest.mark.parametrize("command", ["echo up; cat", "echo up; exec sleep 250"])
def test_kill_ends_the_channel_once_and_silences_later_writes(reach: Reach, command: str) -> None:
    async def work(conn: Connection) -> None:
        heard = Heard()
        process = await conn.start(command, heard)
        await heard.until(lambda: heard.out == b"up\n")
        process.kill()
        assert (await heard.end())[0] is None
        process.write(b"nobody reads this")
        process.write_eof()
        process.kill()
        assert process.unsent() == 0
        assert (await run(conn, "echo next")).out == b"next\n"
        assert len(heard.ends) == 1
        assert heard.out == b"up\n"

    reach.run(work)


def test_unsent_tells_the_backlog_of_a_process_that_does_not_read(reach: Reach) -> None:
    go = reach.shared / "go"
    go.unlink(missing_ok=True)

    async def work(conn: Connection) -> None:
        heard = Heard()
        command = f"while [ ! -e {go} ]; do sleep 0.05; done; wc -c"
        process = await conn.start(command, heard)
        size = 16 * 1024 * 1024
        process.write(bytes(size))
        process.write_eof()
        # What is not unsent fits the buffers on the way; most of 16 MiB does not.
        assert process.unsent() > size // 2
        go.touch()
        await heard.end()
        assert heard.out.strip() == str(size).encode()
        assert process.unsent() == 0

    reach.run(work)


def test_processes_on_one_connection_do_not_mix(reach: Reach) -> None:
    async def work(conn: Connection) -> None:
        heard = await asyncio.gather(*(run(conn, f"echo {i}; cat", b"%d" % i) for i in range(8)))
        assert [bytes(h.out) for h in heard] == [b"%d\n%d" % (i, i) for i in range(8)]

    reach.run(work)


def test_closing_the_connection_ends_what_runs_on_it(reach: Reach) -> None:
    async def work(conn: Connection) -> None:
        heard = Heard()
        await conn.start("cat", heard)
        await conn.close()
        status, reason = await heard.end()
        assert status is None
        assert reason
        await conn.close()
        assert len(heard.ends) == 1

    reach.run(work)


def test_forward_carries_bytes_both_ways_and_half_closes(reach: Reach) -> None:
    payload = os.urandom(3_000_000)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()
        writer.write(data[::-1])
        writer.close()

    async def work(conn: Connection) -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            stream = await conn.forward("127.0.0.1", server.sockets[0].getsockname()[1])
            for start in range(0, len(payload), 65536):
                stream.write(payload[start : start + 65536])
                await stream.drain()
            stream.write_eof()
            back = bytearray()
            while data := await stream.read(100_000):
                assert len(data) <= 100_000
                back += data
            assert bytes(back) == payload[::-1]
            stream.close()
            stream.write(b"ignored")

    reach.run(work)


def test_streams_that_end_in_mid_write_do_not_touch_the_rest(reach: Reach) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async def work(conn: Connection) -> None:
        heard = Heard()
        process = await conn.start("cat", heard)
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            streams = [await conn.forward("127.0.0.1", port) for _ in range(8)]
            for stream in streams:
                stream.write(bytes(4_000_000))
            for stream in streams[::2]:
                assert await stream.read(1) == b""
            for stream in streams:
                stream.close()
        process.write(b"still here")
        process.write_eof()
        assert (await heard.end())[0] == 0
        assert heard.out == b"still here"

    reach.run(work)


def test_forward_to_a_closed_port_is_the_hosts_failure(reach: Reach, unused_port: int) -> None:
    async def work(conn: Connection) -> None:
        with pytest.raises(HostError, match=f"port {unused_port}") as failure:
            await conn.forward("127.0.0.1", unused_port)
        assert failure.value.slug == "forward_refused"
        assert not failure.value.failure.unreachable

    reach.run(work)


def test_a_local_process_that_is_hung_up_on_may_live_on(tmp_path: Path) -> None:
    here = Reach(Target(name="here", address="", connection="local"), SshSettings(), tmp_path)
    proof = tmp_path / "lived"

    async def work(conn: Connection) -> None:
        heard = Heard()
        await conn.start(f"cat; echo $PPID > {proof}.new; mv {proof}.new {proof}", heard)
        await conn.close()
        await eventually(proof.exists)

    here.run(work)
