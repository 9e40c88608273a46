"""How long answers take, and for how long lanes have waited for a place among the requests in flight. Pure.

Only both together say that the destination is slow: long answers alone make nobody wait who has a place, and all places
taken with quick answers are a matter of our own limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

RECENT_SECONDS: Final = 5.0
"""The mean is of so long and of what came before it for as long; older answers say nothing of now."""


class Slowness:
    """Of one destination. All times are monotonic seconds."""

    def __init__(self) -> None:
        self._began_at = float("-inf")
        self._answers, self._seconds = 0, 0.0
        self._answers_before, self._seconds_before = 0, 0.0
        self._full_since: float | None = None

    def measured(self, now: float, seconds: Sequence[float]) -> None:
        """Requests were accepted after so many seconds each."""
        self._forget_old(now)
        self._answers += len(seconds)
        self._seconds += sum(seconds)

    def look(self, now: float, *, is_full: bool) -> None:
        """See whether every request that may be is in flight, and lanes wait for a place."""
        if not is_full:
            self._full_since = None
        elif self._full_since is None:
            self._full_since = now

    def answer_seconds(self, now: float) -> float:
        """How long a recent answer took, on average; 0 when there was none."""
        self._forget_old(now)
        answers = self._answers + self._answers_before
        return (self._seconds + self._seconds_before) / answers if answers else 0.0

    def full_seconds(self, now: float) -> float:
        """For how long lanes have waited for a place, without a break; 0 when none waits."""
        return 0.0 if self._full_since is None else now - self._full_since

    def _forget_old(self, now: float) -> None:
        age_seconds = now - self._began_at
        if age_seconds < RECENT_SECONDS:
            return
        is_next = age_seconds < 2 * RECENT_SECONDS
        self._answers_before, self._seconds_before = (self._answers, self._seconds) if is_next else (0, 0.0)
        self._answers, self._seconds, self._began_at = 0, 0.0, now
