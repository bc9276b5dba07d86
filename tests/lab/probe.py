"""Whether a pair of hosts reaches its links' rate: bytes over one TCP connection, timed where they arrive.

Run by itself it is either end: ``probe.py receive`` prints its port, then bytes a second.
"""

import socket
import subprocess
import sys
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.lab.netns import Host

SLICE = 1 << 18


def throughput(sender: "Host", receiver: "Host", size: int) -> float:
    """Bytes a second from one host to another, measured over the last three quarters of ``size``."""
    me = [sys.executable, str(Path(__file__))]
    with receiver.popen(
        [*me, "receive", receiver.address, str(size)], stdout=subprocess.PIPE
    ) as end:
        assert end.stdout is not None
        port = end.stdout.readline().decode().strip()
        with sender.popen([*me, "send", receiver.address, port, str(size)]):
            return float(end.stdout.readline())


def receive(address: str, size: int) -> None:
    """The first quarter fills queues and spends what the limiter saved up: it is not timed."""
    with socket.create_server((address, 0)) as server:
        print(server.getsockname()[1], flush=True)
        connection = server.accept()[0]
    room, got, from_, began = bytearray(SLICE), 0, 0, 0.0
    with connection:
        while count := connection.recv_into(room):
            got += count
            if not began and got >= size // 4:
                from_, began = got, time.monotonic()
        print((got - from_) / (time.monotonic() - began), flush=True)


def send(address: str, port: int, size: int) -> None:
    with socket.create_connection((address, port)) as connection:
        for _ in range(size // SLICE):
            connection.sendall(bytes(SLICE))


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(sys.argv[2], int(sys.argv[3]))
    else:
        send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
