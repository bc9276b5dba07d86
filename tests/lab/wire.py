"""A man in the middle: carries TCP connections between two addresses, and flips one bit of each wire.

As a process: ``python -m tests.lab.wire LISTEN:PORT=TARGET:PORT@KIB ...`` flips a bit in what first gets so
far, in whatever connection and direction of that wire; with ``@next`` in the next bytes after SIGUSR1. It
says ``ready``, and ``flipped LISTEN:PORT`` for each.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress

SIZE = 1 << 16


class Wire:
    """``listen`` and ``target``: ADDRESS:PORT. ``at``: the byte of a stream to flip a bit of; None: wait for
    ``strike``."""

    def __init__(self, listen: str, target: str, at: int | None) -> None:
        self._listen, self._target = listen, target
        self._at = at
        self._struck = False

    async def open(self) -> None:
        address, _, port = self._listen.rpartition(":")
        await asyncio.start_server(self._called, address, int(port))

    def strike(self) -> None:
        if self._at is None:
            self._at = 0

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, _, port = self._target.rpartition(":")
        try:
            there, to_there = await asyncio.open_connection(address, int(port))
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(self._carry(reader, to_there), self._carry(there, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carried = 0
        with suppress(OSError):
            while data := await reader.read(SIZE):
                carried += len(data)
                writer.write(self._bent(data, carried))
                await writer.drain()
        with suppress(OSError):
            writer.close()

    def _bent(self, data: bytes, carried: int) -> bytes:
        if self._struck or self._at is None or carried <= self._at:
            return data
        self._struck = True
        print(f"flipped {self._listen}", flush=True)
        middle = len(data) // 2
        return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]


async def main(words: list[str]) -> None:
    wires = []
    for word in words:
        ends, _, at = word.rpartition("@")
        listen, _, target = ends.partition("=")
        wires.append(Wire(listen, target, None if at == "next" else int(at) << 10))
    for wire in wires:
        await wire.open()
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGUSR1, lambda: [wire.strike() for wire in wires]
        )
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
