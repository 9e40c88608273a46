"""How long lanes have waited for a place among the requests in flight, and how long answers took meanwhile. Pure.

Only both together mean that the destination is slow. Long answers alone make nobody wait who has a place. All places
taken, with quick answers, is a matter of our own limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

RECENT_SECONDS: Final = 5.0
"""The mean is taken over the last so many seconds in which answers came, and as many before them."""


class Slowness:
    """For one destination. All times are monotonic seconds."""

    def __init__(self) -> None:
        self._full_since: float | None = None
        self._began_at = 0.0
        self._answers, self._seconds = 0, 0.0
        self._answers_before, self._seconds_before = 0, 0.0

    def look(self, now: float, *, is_full: bool) -> None:
        """Look whether all places in flight are taken while lanes wait for one."""
        if not is_full:
            self._full_since = None
        elif self._full_since is None:
            self._full_since = self._began_at = now
            self._answers, self._seconds = self._answers_before, self._seconds_before = 0, 0.0

    def measured(self, now: float, seconds: Sequence[float]) -> None:
        """Requests were accepted after so many seconds each."""
        if self._full_since is None:
            return  # nobody waits: quick answers from before would hide slow ones
        if now - self._began_at >= RECENT_SECONDS:
            self._answers_before, self._seconds_before = self._answers, self._seconds
            self._answers, self._seconds, self._began_at = 0, 0.0, now
        self._answers += len(seconds)
        self._seconds += sum(seconds)

    @property
    def answer_seconds(self) -> float:
        """How long a recent answer took, on average, while lanes waited; 0: there was none."""
        answers = self._answers + self._answers_before
        return (self._seconds + self._seconds_before) / answers if answers else 0.0

    def full_seconds(self, now: float) -> float:
        """For how long lanes have waited for a place, without a break; 0: none waits."""
        return 0.0 if self._full_since is None else now - self._full_since
