"""Where everything arrives that happens.

Any thread may fill it; the loop empties it, waking up once for many inputs.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from consumer.ports.inputs import Fetched, Input, Post, ThreadEnded

TURN_RECORDS_MAX: Final = 1000
"""A turn ends with the fetch that reaches this many records. Larger turns, of many partitions, took 0.17 to 0.4 s.

Meanwhile no answer was heard, and no revoke.
"""


def run_edge(name: str, work: Callable[[], None], post: Post) -> None:
    """Do the work of an edge's thread. However it ends, the loop hears of it and decides."""
    error: BaseException | None = None
    try:
        work()
    except BaseException as problem:  # noqa: BLE001  a thread that dies silently would be a hang
        error = problem
    post(ThreadEnded(name, error))


class Inbox:
    """A queue of inputs in the order of their arrival. Made inside the running loop."""

    def __init__(self, pause: Callable[[float], None] = time.sleep) -> None:
        self._pause = pause
        self._loop = asyncio.get_running_loop()
        self._items: deque[Input] = deque()
        self._filled = asyncio.Event()
        self._signalled = False

    def post(self, item: Input) -> None:
        """Add one input; from any thread."""
        self._items.append(item)
        if not self._signalled:
            self._signalled = True
            try:
                self._loop.call_soon_threadsafe(self._filled.set)
            except RuntimeError:
                # The loop is closed: these are a thread's last words after everything has ended.
                return

    def post_here(self, item: Input) -> None:
        """Add one input; from the loop's own thread only, which is cheaper."""
        self._items.append(item)
        self._filled.set()

    async def take(self, timeout_seconds: float, few: int = 0, pause_seconds: float = 0.0) -> list[Input]:
        """Wait for inputs, `timeout_seconds` at most, and take all of them, or a turn's worth of records.

        What is left comes with the next call, at once. If fewer than `few` have come, the whole thread pauses first:
        awake, it would be woken for each input that comes meanwhile, and keep other threads from the interpreter.
        """
        if few and len(self._items) < few and timeout_seconds > pause_seconds:
            await asyncio.sleep(0)  # what lies ready is read
            if len(self._items) < few:
                self._pause(pause_seconds)
        if not self._items and timeout_seconds > 0:
            timer = self._loop.call_later(timeout_seconds, self._filled.set)
            await self._filled.wait()
            timer.cancel()
        else:
            await asyncio.sleep(0)  # the requests' own tasks must get to run, however much arrives
        self._signalled = False
        self._filled.clear()
        taken: list[Input] = []
        records = 0
        for _ in range(len(self._items)):
            taken.append(item := self._items.popleft())
            records += len(item.records) if isinstance(item, Fetched) else 0
            if records >= TURN_RECORDS_MAX:
                break
        return taken
