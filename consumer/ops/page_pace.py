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
SHARED_PART_MAX: Final = 0.003
"""Of a core; pages that are shared take no more: the longer one takes to make, the longer it is for all who ask.

So five tabs of 300 partitions that ask at different moments cost what one of them does.
"""
SHARED_SECONDS_MAX: Final = 1.9
"""Who polls every 2 s sees something new each time."""


class Paced:
    """Each page is made after it was asked for, so it is never old. Those who wait at the same time share it.

    Thread-safe.
    """

    def __init__(self, make: Callable[[str], Page], shared_seconds: float = 0.0) -> None:
        """`make` is told which kind is asked for; for `shared_seconds` after it was begun a page is for all who ask.

        For longer if it costs much; 0: it is shared only by those who wait together.
        """
        self._make = make
        self._shared_seconds = shared_seconds
        self._lock = threading.Lock()
        self._made: tuple[str, Page] | None = None
        self._began_at = 0.0
        self._shared_until = float("-inf")
        self._rests_until = 0.0

    def page(self, kind: str = "") -> Page:
        """Whoever comes while a page is being made waits for the next one, or for that one if it is shared."""
        asked_at = time.monotonic()
        with self._lock:
            if self._made is not None and self._made[0] == kind and self._shared_until > asked_at:
                return self._aged(self._made[1], asked_at)
            time.sleep(max(self._rests_until - time.monotonic(), 0.0))
            self._began_at, cpu_seconds = time.monotonic(), time.thread_time()
            page = self._make(kind)
            took_seconds = time.thread_time() - cpu_seconds
            self._rests_until = time.monotonic() + min(RESTS_TIMES * took_seconds, RESTS_SECONDS_MAX)
            self._shared_until = self._began_at + self._shared(took_seconds)
            self._made = kind, page
            return page

    def _aged(self, page: Page, now: float) -> Page:
        """The page with its age in whole seconds (HTTP's `Age`): a browser counts on from when it was made."""
        age_seconds = round(now - self._began_at)
        return page._replace(headers={**page.headers, "Age": str(age_seconds)}) if age_seconds > 0 else page

    def _shared(self, took_seconds: float) -> float:
        """For how many seconds after it was begun a page is for all who ask."""
        if not self._shared_seconds:
            return 0.0
        return max(self._shared_seconds, min(took_seconds / SHARED_PART_MAX, SHARED_SECONDS_MAX))
