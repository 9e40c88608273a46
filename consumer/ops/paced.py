"""Pages that cost CPU time are made no faster than the loop can bear: one at a time, with rests between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from consumer.ops.server import Page

RESTS_TIMES: Final = 4
"""How many times as long as a page took the rest lasts: asking without a pause costs a fifth of a core.

A page of 1,000 partitions takes 27 ms. Eight viewers who asked without a pause left a busy loop 8 % of the interpreter;
with rests they leave it 70 %.
"""
RESTS_SECONDS_MAX: Final = 1.0


class Paced:
    """Each page is made after it was asked for, so it is never old. Those who wait at the same time share it.

    Thread-safe.
    """

    def __init__(self, make: Callable[[str], Page], shared_seconds: float = 0.0) -> None:
        """`make` is told which kind is wanted.

        For `shared_seconds` after a page was begun, all who ask get that page.
        """
        self._make = make
        self._shared_seconds = shared_seconds
        self._lock = threading.Lock()
        self._made: tuple[str, Page] | None = None
        self._began_at = 0.0
        self._rests_until = 0.0

    def page(self, kind: str = "") -> Page:
        """Whoever comes while a page is being made waits for the next one, or for that one if it is shared."""
        asked_at = time.monotonic()
        with self._lock:
            if self._made is not None and self._made[0] == kind and self._began_at > asked_at - self._shared_seconds:
                return self._made[1]
            time.sleep(max(self._rests_until - time.monotonic(), 0.0))
            self._began_at, cpu_seconds = time.monotonic(), time.thread_time()
            page = self._make(kind)
            rests_seconds = min(RESTS_TIMES * (time.thread_time() - cpu_seconds), RESTS_SECONDS_MAX)
            self._rests_until = time.monotonic() + rests_seconds
            self._made = kind, page
            return page
