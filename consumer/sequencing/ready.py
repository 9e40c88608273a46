"""The lanes that may send, those with the oldest event first. Pure.

Oldest first keeps the committable offset close behind what is sent. If lanes took turns instead, a user whose events
are cut by identifies would wait for a whole round of everybody else for each piece. What is finished behind such a user
outgrows the commit's metadata, and then sending waits for commits (a backlog of one partition fell to 253 events/s).

What was fetched together counts as equally old: some thousand events, whose lanes are taken in the order in which they
became ready. A heap of all lanes by their offsets cost 3 microseconds for each that was taken.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Final

from consumer.sequencing.lanes import Lane, LaneStatus

LAST: Final = float("inf")


class ReadyLanes:
    """A queue for each time of a fetch. A lane is in one of them at most, and once."""

    def __init__(self) -> None:
        self._queues: dict[float, deque[Lane]] = {}
        self._times: list[float] = []
        """A heap of their keys."""

    def add(self, lane: Lane, *, last: bool = False) -> None:
        """Put a lane in its place. `last`: behind all others, so that each has a turn."""
        fetched_at = LAST if last else _oldest_fetched_at(lane)
        queue = self._queues.get(fetched_at)
        if queue is None:
            queue = self._queues[fetched_at] = deque()
            heapq.heappush(self._times, fetched_at)
        queue.append(lane)

    def first(self) -> Lane | None:
        """The next lane that may still send."""
        while self._times:
            lane = self._queues[self._times[0]][0]
            if lane.status is LaneStatus.READY and lane.assignment.open:
                return lane
            self.pop()
        return None

    def pop(self) -> Lane:
        """Take the next one out."""
        queue = self._queues[self._times[0]]
        lane = queue.popleft()
        if not queue:
            del self._queues[heapq.heappop(self._times)]
        return lane

    @property
    def has_some(self) -> bool:
        """Whether any lane may still send."""
        return self.first() is not None

    def __bool__(self) -> bool:
        return bool(self._times)


def _oldest_fetched_at(lane: Lane) -> float:
    if not lane.again:
        return lane.waiting[0].record.fetched_at
    again = lane.again[-1].events[0].record.fetched_at
    # An identify that is sent again has already overtaken what waits.
    return min(again, lane.waiting[0].record.fetched_at) if lane.waiting else again
