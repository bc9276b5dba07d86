"""The embedded fleet behaves as hosts behind sshd do, seen by a plain SSH client, and leaves nothing."""

import asyncio
import os
import stat
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest
import yaml

from fleetpush.demo import fleet as fleet_module
from fleetpush.demo.fleet import MAX_HOSTS, USER, EmbeddedFleet
from fleetpush.errors import InputError


@asynccontextmanager
async def login(fleet, index=0, *, user=USER, key=None, known_hosts=None):
    async with asyncssh.connect(
        fleet.hosts[index].address,
        fleet.port,
        username=user,
        client_keys=[key or str(fleet.client_key)],
        known_hosts=str(known_hosts or fleet.known_hosts),
        agent_path=None,
        config=None,
    ) as connection:
        yield connection


async def run(fleet, command, index=0, **options):
    async with login(fleet, index) as connection:
        return await connection.run(command, encoding=None, **options)


def parent_of(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def homes_of_processes():
    """The working directories of all processes that run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append(os.readlink(entry / "cwd"))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
    return found


def living_in(root):
    return [cwd for cwd in homes_of_processes() if cwd.startswith(str(root))]


async def eventually(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_megabyte_comes_back_byte_for_byte(tmp_path):
    data = os.urandom(1 << 20)
    async with EmbeddedFleet(tmp_path / "fleet", 1) as fleet:
        result = await run(fleet, "cat", input=data)
    assert result.stdout == data
    assert result.exit_status == 0


async def test_output_and_errors_stay_apart_and_the_exit_status_is_told(tmp_path):
    async with EmbeddedFleet(tmp_path / "fleet", 1) as fleet:
        result = await run(fleet, "printf out; printf err >&2; exit 7")
        killed = await run(fleet, "kill -9 $$")
    assert (result.stdout, result.stderr, result.exit_status) == (b"out", b"err", 7)
    assert killed.exit_signal[0] == "KILL"


async def test_each_host_has_its_own_address_and_home(tmp_path):
    async with EmbeddedFleet(tmp_path / "fleet", 3) as fleet:
        said = await run(fleet, 'echo "$HOME"; pwd; echo "$SSH_CONNECTION"; echo "$LOGNAME"', 2)
    home, directory, connection, login_name = said.stdout.decode().split("\n")[:4]
    client, client_port, server, server_port = connection.split()
    assert Path(home) == Path(directory) == fleet.home(2)
    assert (server, int(server_port)) == (fleet.hosts[2].address, fleet.port)
    assert client.startswith("127.")
    assert 0 < int(client_port) < 65536
    assert login_name == USER
    assert len({host.address for host in fleet.hosts}) == 3


async def test_nothing_of_the_callers_environment_reaches_a_host(tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET_OF_THE_OPERATOR", "x")
    async with EmbeddedFleet(tmp_path / "fleet", 1) as fleet:
        said = await run(fleet, "env")
    assert b"HOME=" in said.stdout
    assert b"A_SECRET" not in said.stdout
    assert b"PYTHON" not in said.stdout


async def test_a_reader_that_stops_stops_the_writer(tmp_path):
    async with EmbeddedFleet(tmp_path / "fleet", 1) as fleet, login(fleet) as connection:
        command = (
            "i=0; while [ $i -lt 400 ]; do head -c 65536 /dev/zero; i=$((i+1)); echo $i >sent; done"
        )
        process = await connection.create_process(command, encoding=None)
        sent = fleet.home(0) / "sent"
        await eventually(sent.exists)
        before = None
        while before != (before := sent.read_text()):
            await asyncio.sleep(0.5)
        assert int(before) < 400
        total = 0
        while data := await process.stdout.read(1 << 16):
            total += len(data)
    assert total == 400 * 65536


async def test_noise_comes_before_the_command(tmp_path):
    noise = b"Welcome to host \xff!\n"
    async with EmbeddedFleet(tmp_path / "fleet", 1, banner_noise=noise) as fleet:
        result = await run(fleet, "echo real")
    assert result.stdout == noise + b"real\n"


async def test_forwarding_reaches_a_listener(tmp_path):
    async def answer(reader, writer):
        writer.write(b"heard " + await reader.readline())
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, EmbeddedFleet(tmp_path / "fleet", 1) as fleet:
        async with login(fleet) as connection:
            reader, writer = await connection.open_connection("127.0.0.1", port)
            writer.write(b"you\n")
            assert await reader.read() == b"heard you\n"


async def test_forwarding_can_be_refused(tmp_path):
    async with EmbeddedFleet(tmp_path / "fleet", 1, forwarding=False) as fleet:
        async with login(fleet) as connection:
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", fleet.port)


async def test_another_key_and_another_user_are_refused(tmp_path):
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    async with EmbeddedFleet(tmp_path / "fleet", 1) as fleet:
        with pytest.raises(asyncssh.PermissionDenied):
            async with login(fleet, key=stranger):
                pass
        with pytest.raises(asyncssh.PermissionDenied):
            async with login(fleet, user="root"):
                pass


async def test_known_hosts_holds_the_key_of_every_host_and_of_no_other(tmp_path):
    async with EmbeddedFleet(tmp_path / "fleet", 2) as fleet:
        assert (await run(fleet, "true", 1)).exit_status == 0
        only_first = tmp_path / "known"
        only_first.write_text(fleet.known_hosts.read_text().splitlines()[0] + "\n")
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            async with login(fleet, 1, known_hosts=only_first):
                pass


async def test_the_inventory_is_ansibles(tmp_path):
    async with EmbeddedFleet(tmp_path / 'a "quoted": fleet', 2) as fleet:
        told = yaml.safe_load(fleet.inventory.read_text())["all"]
    assert list(told["hosts"]) == ["demo-0001", "demo-0002"]
    assert told["hosts"]["demo-0002"] == {"ansible_host": fleet.hosts[1].address}
    assert told["vars"] == {
        "ansible_user": USER,
        "ansible_port": fleet.port,
        "ansible_ssh_private_key_file": str(fleet.client_key),
    }


async def test_private_keys_are_private(tmp_path):
    async with EmbeddedFleet(tmp_path / "fleet", 1) as fleet:
        secrets = [fleet.client_key, tmp_path / "fleet" / "host_key"]
        modes = {stat.S_IMODE(path.stat().st_mode) for path in secrets}
    assert modes == {0o600}


async def test_thirty_hosts_at_once(tmp_path):
    async with EmbeddedFleet(tmp_path / "fleet", 30) as fleet:
        results = await asyncio.gather(
            *(run(fleet, "cat; pwd", i, input=b"%d " % i) for i in range(30))
        )
    assert [r.stdout.decode() for r in results] == [f"{i} {fleet.home(i)}\n" for i in range(30)]


async def test_a_process_outlives_its_connection_as_under_sshd(tmp_path):
    async with EmbeddedFleet(tmp_path / "fleet", 1) as fleet:
        async with login(fleet) as connection:
            await connection.create_process("cat; touch input-ended; exec sleep 600")
        await eventually((fleet.home(0) / "input-ended").exists)
        assert living_in(fleet.home(0))
    assert fleet.killed == 1
    assert not living_in(tmp_path)


async def test_leaving_ends_every_process_and_frees_every_port(tmp_path):
    async with EmbeddedFleet(tmp_path / "fleet", 2) as fleet:
        server = fleet.pid
        async with login(fleet) as one, login(fleet, 1) as two:
            await one.create_process("exec sleep 600")
            await two.run("sleep 601 >/dev/null 2>&1 & exit 0")
            await two.create_process("cat >/dev/null")
            await eventually(lambda: len(living_in(fleet.home(0).parent)) >= 3)
            assert parent_of(server) == os.getpid()
    assert fleet.killed == 2, "cat leaves by itself at the end of its input"
    assert not Path(f"/proc/{server}").exists()
    assert not living_in(tmp_path)
    assert fleet.pid is None
    for host in fleet.hosts:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host.address, fleet.port)


async def test_the_server_ends_when_its_owner_dies(tmp_path):
    async with EmbeddedFleet(tmp_path / "fleet", 1) as fleet:
        async with login(fleet) as connection:
            await connection.create_process("exec sleep 600")
            await eventually(lambda: living_in(fleet.home(0)))
            server = fleet.pid
            # The end of the pipe is all that a server sees of its owner's death.
            fleet._server.stdin.close()
            await eventually(lambda: not Path(f"/proc/{server}").exists())
    assert not living_in(tmp_path)


async def test_an_error_inside_takes_the_fleet_down_too(tmp_path):
    with pytest.raises(ZeroDivisionError):
        async with EmbeddedFleet(tmp_path / "fleet", 1) as fleet:
            server = fleet.pid
            raise ZeroDivisionError
    assert not Path(f"/proc/{server}").exists()


async def test_a_machine_without_the_addresses_is_told_so(tmp_path, monkeypatch):
    # TEST-NET-1: addresses that no machine has.
    monkeypatch.setattr(fleet_module, "NETWORK", "192.0")
    with pytest.raises(InputError, match=r"192\.0\.0\.1.*lo0 alias") as caught:
        async with EmbeddedFleet(tmp_path / "fleet", 1):
            pass
    assert caught.value.slug == "no_loopback_addresses"
    assert list(tmp_path.iterdir()) == []


async def test_a_server_that_cannot_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(fleet_module, "_require_address", lambda address: None)
    monkeypatch.setattr(fleet_module, "NETWORK", "192.0")
    with pytest.raises(InputError, match=r"did not start: .*assign requested address"):
        async with EmbeddedFleet(tmp_path / "fleet", 1):
            pass


@pytest.mark.parametrize("hosts", [0, -1, MAX_HOSTS + 1])
def test_a_senseless_number_of_hosts_is_refused(tmp_path, hosts):
    with pytest.raises(InputError):
        EmbeddedFleet(tmp_path, hosts)
