"""When lanes wake up. Each lane has one time, the latest that was set. Pure.

A lane that is woken by something else leaves a stale entry in the heap, and with it everything that the lane holds in
memory. With a long hold and many new users, whose identifies come at once, that was a hundred megabytes. So the heap is
made again without stale entries once they are half of it.
"""

from __future__ import annotations

import heapq
from typing import Final

from consumer.sequencing.lanes import Lane

STALE_MIN: Final = 64
"""Fewer stale entries are not worth the work."""


class Timers:
    """A heap of all times that were set. A lane knows which entry is its own; older ones are stale."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Lane]] = []
        self._number = 0
        self._stale = 0
        """How many entries of the heap no lane waits for."""

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, lane: Lane, due: float) -> None:
        """Wake the lane at this time, and at no time that was set before."""
        self.cancel(lane)
        self._number += 1
        lane.timer, lane.wakes_at = self._number, due
        heapq.heappush(self._heap, (due, self._number, lane))

    def cancel(self, lane: Lane) -> None:
        """The lane no longer waits for its time."""
        if not lane.timer:
            return
        lane.timer = 0
        self._stale += 1
        if self._stale >= STALE_MIN and 2 * self._stale >= len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].timer == entry[1]]
            heapq.heapify(self._heap)
            self._stale = 0

    def pop_due(self, now: float) -> Lane | None:
        """The next lane whose time has come."""
        while self._heap and self._heap[0][0] <= now:
            _, number, lane = heapq.heappop(self._heap)
            if lane.timer == number:
                lane.timer = 0
                return lane
            self._stale -= 1
        return None

    def next_due(self) -> float | None:
        """When the next lane wakes up; None: never."""
        heap = self._heap
        while heap and heap[0][2].timer != heap[0][1]:
            heapq.heappop(heap)
            self._stale -= 1
        return heap[0][0] if heap else None
