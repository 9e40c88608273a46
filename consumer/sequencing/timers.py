"""When lanes wake up: one time a lane, the latest that was set. Pure."""

from __future__ import annotations

import heapq

from consumer.sequencing.lanes import Lane


class Timers:
    """A heap of all that were set; a lane knows which of them is its own, older ones are stale."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Lane]] = []
        self._number = 0

    def set(self, lane: Lane, due: float) -> None:
        """Wake the lane then, and not when it was said before."""
        self._number += 1
        lane.timer = self._number
        heapq.heappush(self._heap, (due, self._number, lane))

    def pop_due(self, now: float) -> Lane | None:
        """The next lane whose time has come."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            _, number, lane = heapq.heappop(heap)
            if lane.timer == number and not lane.assignment.dropped:
                return lane
        return None

    def next_due(self) -> float | None:
        """When that will be; None for never."""
        heap = self._heap
        while heap and (heap[0][2].timer != heap[0][1] or heap[0][2].assignment.dropped):
            heapq.heappop(heap)
        return heap[0][0] if heap else None
