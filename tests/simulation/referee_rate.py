"""Judge of the one rate for the group: counts what all members start together, by ledgers in which they have no part.

A partition stands for its part of 95 % of the rate (there are no replays here), from the moment at which its member has
heard that a commit of its own was taken, until that member knows that it is to give it back or has lost it, or the
group gives it away. Within any window no more may start than these parts bring, and what members that had any could
have saved up when it began: a tenth of a second's worth, and one request each. That they keep until they know: one
that was silent for too long and is then given other partitions has what it had saved up before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

from tests.simulation.options import Options
from tests.simulation.requests import Request, Tenure
from tests.simulation.stage import Stage, Violation

SOURCE_SHARE = 0.95
SAVED_SECONDS = 0.1
WINDOWS_SECONDS = (1.0, 10.0)


class RateJudge:
    """Told of each start."""

    def __init__(self, stage: Stage, options: Options) -> None:
        self.starts: list[float] = []
        """When each request of any member started."""
        self._stage = stage
        self._limit = options.requests_per_second_max
        self._part = SOURCE_SHARE * (self._limit or 0.0) / options.partitions
        self._tenures: deque[Tenure] = deque()
        """Those that were not over too long ago to matter."""

    def assigned(self, tenure: Tenure) -> None:
        """A member has it."""
        if self._limit is not None:
            self._tenures.append(tenure)

    def leased(self, tenure: Tenure) -> None:
        """The member has heard that a commit of it was taken, so it is a member."""
        for other in self._tenures:
            if other.member == tenure.member and other.leased_at is None and other.over_at > self._stage.now:
                other.leased_at = self._stage.now

    def started(self, request: Request) -> None:
        """A member sends."""
        if self._limit is None:
            return
        now = self._stage.now
        self.starts.append(now)
        self._tenures = deque(t for t in self._tenures if t.known_over_at > now - WINDOWS_SECONDS[-1])
        self._stage.exercised["requests within a rate"] += 1
        for seconds in WINDOWS_SECONDS:
            count = len(self.starts) - bisect_right(self.starts, now - seconds)
            allowed = self._allowed(now - seconds, now)
            if count > allowed + 1e-3:
                raise Violation("rate", f"{request} is the {count}th in {seconds:g} s, and {allowed:.3f} may start")

    def _allowed(self, since: float, now: float) -> float:
        seconds_in_all = 0.0
        saved_by: dict[str, float] = {}
        for tenure in self._tenures:
            leased_at = now if tenure.leased_at is None else tenure.leased_at
            seconds_in_all += max(min(tenure.over_at, now) - max(leased_at, since), 0.0)
            if leased_at <= since < tenure.known_over_at:
                saved_by[tenure.member] = saved_by.get(tenure.member, 1.0) + SAVED_SECONDS * self._part
        return self._part * seconds_in_all + sum(saved_by.values())
