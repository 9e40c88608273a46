"""The lanes that may send, the one with the oldest event first. Pure.

Oldest first keeps the committable offset close behind what is sent. Taken in turn instead, a user whose events are cut
by identifies waits for one whole round of everybody else for each piece of them; what is finished behind such a user
outgrows the commit's metadata, and then sending waits for commits (a backlog of one partition fell to 253 events/s).
"""

from __future__ import annotations

import heapq
from typing import Final

from consumer.lanes import Lane

LAST: Final = float("inf")


class ReadyLanes:
    """A priority queue; a lane is in it once at the most."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int, Lane]] = []
        self._number = 0

    def add(self, lane: Lane, *, last: bool = False) -> None:
        """Put a lane in its place; `last`: behind all others, so that each has a turn."""
        self._number += 1
        if last:
            heapq.heappush(self._heap, (LAST, 0, self._number, lane))
            return
        record = lane.again[-1].events[0].record if lane.again else lane.waiting[0].record
        if lane.again and lane.waiting and lane.waiting[0].record.offset < record.offset:
            record = lane.waiting[0].record  # an identify that is sent again has overtaken this
        heapq.heappush(self._heap, (record.fetched_at, record.offset, self._number, lane))

    def first(self) -> Lane | None:
        """The next one."""
        return self._heap[0][3] if self._heap else None

    def pop(self) -> Lane:
        """Take the next one out."""
        return heapq.heappop(self._heap)[3]

    def __bool__(self) -> bool:
        return bool(self._heap)
