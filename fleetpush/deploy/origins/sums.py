"""The plain SHA-256 of files on hosts, computed there beside the exchange."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import TYPE_CHECKING

from fleetpush.errors import HostFailure

if TYPE_CHECKING:
    from fleetpush.deploy.origins.survey import Surveyed
    from fleetpush.deploy.sessions.fleet import Sessions


class RemoteSums:
    """In the place of ``deploy.sums``. ``start`` in the event loop; ``wait`` in any other thread."""

    def __init__(self, sessions: Sessions, found: Surveyed) -> None:
        self._sessions = sessions
        self._found = found
        self._sums: list[str | None] = [None] * len(found.manifest.files)
        self._task: asyncio.Task[None] | None = None
        self._done = threading.Event()

    @property
    def known(self) -> tuple[str | None, ...]:
        """In hex, in the files' order; None where it is not known."""
        return tuple(self._sums)

    def start(self) -> None:
        """Asks for all of them; the second call does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._ask())
            self._task.add_done_callback(lambda _: self._done.set())

    @property
    def over(self) -> bool:
        """Nothing is asked for any more: what is not known by now will not be."""
        return self._task is None or self._done.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until they are known, or never will be, at most ``timeout`` seconds. Whether they are."""
        if self._task is not None:
            self._done.wait(timeout)
        return None not in self._sums

    def stop(self) -> None:
        """What is not known by now stays unknown."""
        if self._task is not None:
            self._task.cancel()

    async def _ask(self) -> None:
        """Each host one after the other, all hosts at once."""
        mine: dict[str, list[int]] = {}
        for index in range(len(self._sums)):
            first = next(r for r in self._found.good() if r.file == index)
            mine.setdefault(first.place.host, []).append(index)
        await asyncio.gather(*(self._ask_for(files) for files in mine.values()))

    async def _ask_for(self, files: list[int]) -> None:
        for index in files:
            for replica in [r for r in self._found.good() if r.file == index]:
                question = {"path": replica.path, "note": replica.note}
                host = replica.place.host
                answer = (await self._sessions.ask({host: ("sum", question)}))[host]
                if isinstance(answer, HostFailure):
                    continue
                found = answer.get("sha256")
                if isinstance(found, str) and re.fullmatch(r"[0-9a-f]{64}", found):
                    self._sums[index] = found
                    break
