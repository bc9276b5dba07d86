"""Blocking calls of a connection in threads, their results in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_MOST = 8192


class Threads:
    """Threads come as they are needed: one channel that is stuck must not hold up another's."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_MOST, thread_name_prefix="channel")
        self._loop = asyncio.get_running_loop()

    def call(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """``work`` in a thread. An event loop that has ended in the meantime is told nothing."""
        future: asyncio.Future[T] = self._loop.create_future()

        def run() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 (whoever waits for it is told)
                self.tell(partial(_settle, future, None, error))
            else:
                self.tell(partial(_settle, future, result, None))

        self._pool.submit(run)
        return future

    def tell(self, work: Callable[[], object]) -> None:
        """``work`` in the event loop, from any thread."""
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(work)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():  # whoever waited has given up
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


class Bell(threading.Event):
    """An event that paramiko sets when a channel has something to read; tells the event loop."""

    def __init__(self, threads: Threads, ring: Callable[[], None]) -> None:
        super().__init__()
        self._threads = threads
        self._ring = ring

    def set(self) -> None:
        super().set()
        self._threads.tell(self._ring)
